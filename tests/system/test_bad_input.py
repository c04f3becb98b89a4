# SPDX-License-Identifier: PostgreSQL
"""Bad input: each gets a clear error that names the fault, is counted, and harms nothing else."""
import datetime
import gzip
import json
import socket
import ssl
import subprocess

import pytest
import requests

from stack import Api, Collector, eventually


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat().replace("+00:00", "Z")


def frame(**over):
    return {
        "family": "pg_stat_database", "server": "main", "time": now(), "interval_ms": 1000, "keyframe": False,
        "columns": ["datname", "xact_commit"], "rows": [["app", 5]], **over,
    }


def batch(collector, *frames, **over):
    return {
        "collector_id": collector.id,
        "servers": [{"name": "main", "version_num": 150020, "in_recovery": False, "reachable": True}],
        "frames": list(frames), "metrics": [], **over,
    }


def good_push_is_stored(collector):
    answer = collector.push(batch(collector, frame()))
    assert answer.status_code == 200, answer.text
    assert answer.json()["accepted"]["rows"] == 1


def error_of(answer, status):
    assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
    error = answer.json()["error"]
    assert error["request_id"]
    return error


def bomb(encoding, size=10 << 30):
    """A body of a few hundred kB at most that expands to @size bytes."""
    if encoding == "zstd":
        command = f"head -c {1 << 30} /dev/zero | zstd -q -3"
        return subprocess.run(["sh", "-c", command], capture_output=True, check=True).stdout * (size >> 30)
    member = gzip.compress(b"\0" * (64 << 20), 9)
    return member * 40


BODIES = {
    "cut": (lambda c: json.dumps(batch(c, frame()))[:-20].encode(), {}, 400, "syntax", "line 1"),
    "empty": (lambda c: b"", {}, 400, "syntax", "empty"),
    "not JSON": (lambda c: b"<xml/>", {}, 400, "syntax", "line 1, column 1"),
    "not an object": (lambda c: b"[1]", {}, 400, "body_invalid", "object"),
    "unknown member": (lambda c: json.dumps({**batch(c), "framez": []}).encode(), {}, 400, "body_invalid", "framez"),
    "a string in a counter": (
        lambda c: json.dumps(batch(c, frame(rows=[["app", "five"]]))).encode(), {}, None, None, "xact_commit"),
    "a list in a row": (lambda c: json.dumps(batch(c, frame(rows=[["app", []]]))).encode(), {}, 400, "body_invalid",
                        "frames[0].rows[0][1]"),
    "a short row": (lambda c: json.dumps(batch(c, frame(rows=[["app"]]))).encode(), {}, 400, "body_invalid",
                    "frames[0].rows[0]"),
    "a negative increase": (lambda c: json.dumps(batch(c, frame(rows=[["app", -5]]))).encode(), {}, None, None, "negative"),
    "10,000 columns": (
        lambda c: json.dumps(batch(c, frame(columns=[f"c{i}" for i in range(10000)], rows=[list(range(10000))]))).encode(),
        {}, None, None, "columns"),
    "a time that is none": (lambda c: json.dumps(batch(c, frame(time="yesterday"))).encode(), {}, 400, "body_invalid",
                            "frames[0].time"),
    "nested without end": (lambda c: b"[" * 100000, {}, 413, "too_large", "nested"),
    "a gzip bomb": (lambda c: bomb("gzip"), {"Content-Encoding": "gzip"}, 413, "too_large", ""),
    "a zstd bomb": (lambda c: bomb("zstd"), {"Content-Encoding": "zstd"}, 413, "too_large", ""),
    "damaged gzip": (lambda c: gzip.compress(b"{}")[:-5], {"Content-Encoding": "gzip"}, 400, "body_invalid", "gzip"),
    "an unknown encoding": (lambda c: b"{}", {"Content-Encoding": "br"}, 415, "unsupported_encoding", "br"),
    "too many bytes": (lambda c: b" " * (9 << 20), {}, 413, "too_large", ""),
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies(name, registered, backend):
    make, headers, status, code, text = BODIES[name]
    before = backend.metric("process_resident_memory_bytes")
    try:
        answer = registered.push(make(registered), headers=headers)
    except requests.ConnectionError:
        assert status == 413, "the connection was cut without an answer"  # refused while the body was being sent
    else:
        if status is None:  # refused as a part of the batch or as a whole: named in either case
            assert text in answer.text, answer.text
            assert answer.status_code in (200, 400, 413, 422), answer.text
            if answer.status_code == 200:
                assert answer.json()["rejected"], answer.text
                assert answer.json()["accepted"]["rows"] == 0
        else:
            error = error_of(answer, status)
            assert error["code"] == code
            assert text in error["message"], error
    assert backend.metric("process_resident_memory_bytes") < before + (700 << 20)
    good_push_is_stored(registered)


def test_faulty_bodies_are_counted(registered, backend):
    def count():
        return backend.metric("pganalytics_push_total", '{code="syntax"}')

    before = count()
    registered.push(b"nonsense")
    assert count() == before + 1


def test_an_unknown_family_is_named_and_the_others_are_stored(registered):
    answer = registered.push(batch(registered, frame(family="pg_stat_dreams"), frame())).json()
    assert answer["accepted"]["rows"] == 1
    assert [row["family"] for row in answer["rejected"]] == ["pg_stat_dreams"]


def test_an_empty_push_is_valid(registered):
    answer = registered.push({"collector_id": registered.id, "metrics": []})
    assert answer.status_code == 200, answer.text


def test_a_simple_metric_is_stored(registered, backend):
    answer = registered.push({"collector_id": registered.id,
                              "metrics": [{"name": "queue_depth", "value": 1.5, "labels": {"queue": "mail"}}]})
    assert answer.status_code == 200 and answer.json()["accepted"]["values"] == 1, answer.text


def test_the_same_batch_twice_is_stored_once(registered, backend):
    api = backend.api()
    body = batch(registered, frame(rows=[["once", 7]], interval_ms=1000), spool="00000000-0000-4000-8000-000000000001",
                 sequence=1)
    answers = [registered.push(body).json() for _ in range(3)]
    assert [answer["duplicate"] for answer in answers] == [False, True, True]

    def total():
        return api.increase(api.servers()["main"]["id"], "pg_stat_database.xact_commit", {"datname": "once"})

    server = next(s for s in api.get("/servers")["servers"] if s["collector_id"] == registered.id)
    assert api.increase(server["id"], "pg_stat_database.xact_commit", {"datname": "once"}) == 7


# --- who may push ---


def test_a_push_without_certificate(registered):
    session = registered.client()
    session.cert = None
    error = error_of(registered.push(batch(registered), session=session), 401)
    assert error["code"] == "certificate_required"


def make_certificate(directory, subject, ca=None, days=30, start=None):
    """A key and certificate by openssl; @ca: (cert, key) to sign with, else a CA of its own."""
    key, crt, csr = (directory / f"{subject}.{end}" for end in ("key", "crt", "csr"))
    run = lambda *args: subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)  # noqa: E731
    run("ecparam", "-genkey", "-name", "prime256v1", "-out", key)
    if ca is None:
        run("req", "-x509", "-new", "-key", key, "-subj", f"/CN={subject}", "-days", days, "-out", crt)
    else:
        run("req", "-new", "-key", key, "-subj", f"/CN={subject}", "-out", csr)
        run("x509", "-req", "-in", csr, "-CA", ca[0], "-CAkey", ca[1], "-CAcreateserial", "-days", days, "-out", crt)
    return crt, key


def test_a_foreign_certificate(registered, tmp_path):
    ca = make_certificate(tmp_path, "foreign-ca")
    session = registered.client()
    session.cert = tuple(map(str, make_certificate(tmp_path, registered.id, ca)))
    error = error_of(registered.push(batch(registered), session=session), 403)
    assert error["code"] == "certificate_invalid"
    good_push_is_stored(registered)


def test_a_token_of_another_collector(registered, backend, monitored):
    other = Collector(backend, {"main": monitored.dsn(user="monitor")}, name="another")
    other.register()
    session = registered.client()
    session.headers["Authorization"] = other.client().headers["Authorization"]
    error = error_of(registered.push(batch(registered), session=session), 403)
    assert error["code"] == "identity_mismatch"
    error = error_of(registered.push(batch(other), session=registered.client()), 403)
    assert error["code"] == "identity_mismatch"
    other.remove()
    good_push_is_stored(registered)


@pytest.mark.parametrize("token", ["", "x", "a.b.c"])
def test_a_token_that_is_none(registered, token):
    session = registered.client()
    session.headers["Authorization"] = f"Bearer {token}"
    assert error_of(registered.push(batch(registered), session=session), 401)["code"] in ("token_invalid",
                                                                                         "unauthenticated")


def test_a_revoked_collector(registered, backend):
    api = backend.api()
    assert api.raw("DELETE", f"/collectors/{registered.id}").status_code == 204
    assert error_of(registered.push(batch(registered)), 403)["code"] == "forbidden"
    assert api.get(f"/collectors/{registered.id}")["status"] == "revoked"
    registered.register()  # the same name and host: the same collector, with new credentials
    good_push_is_stored(registered)


def test_credentials_of_before_a_second_registration_are_revoked(registered):
    old_identity, old = registered.id, registered.client()
    old_cert = [open(path, "rb").read() for path in old.cert]
    registered.register()
    assert registered.id == old_identity
    paths = [registered.directory / name for name in ("old.crt", "old.key")]
    for path, content in zip(paths, old_cert):
        path.write_bytes(content)
    session = registered.client()
    session.cert = tuple(map(str, paths))
    assert error_of(registered.push(batch(registered), session=session), 403)["code"] == "certificate_invalid"
    session = registered.client()
    session.headers["Authorization"] = old.headers["Authorization"]
    assert error_of(registered.push(batch(registered), session=session), 401)["code"] == "token_invalid"


def test_tls_1_2_is_refused(backend):
    context = ssl.create_default_context(cafile=str(backend.ca))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(("127.0.0.1", backend.port), timeout=10) as plain:
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(plain, server_hostname="127.0.0.1")


# --- registration ---


def register(backend, secret, body):
    headers = {"X-Registration-Secret": secret} if secret is not None else {}
    return requests.post(f"{backend.url}/api/v1/collectors/register", json=body, headers=headers, verify=str(backend.ca),
                         timeout=30)


def test_registration_needs_the_secret(backend):
    body = {"name": "n", "hostname": "h"}
    assert error_of(register(backend, None, body), 401)["code"] == "unauthenticated"
    assert error_of(register(backend, "wrong", body), 401)["code"] == "credentials_invalid"


def test_registration_without_a_request_gives_a_key(backend):
    answer = register(backend, backend.registration_secret, {"name": "by-hand", "hostname": "h"})
    assert answer.status_code == 201
    body = answer.json()
    assert set(body) == {"collector_id", "token", "certificate", "private_key", "ca_certificate", "expires_at"}
    assert "PRIVATE KEY" in body["private_key"]


@pytest.mark.parametrize("body, text", [
    ({"hostname": "h"}, "name is missing"),
    ({"name": "", "hostname": "h"}, "name has 0 bytes"),
    ({"name": "n", "hostname": "h", "adress": "x"}, "adress"),
    ({"name": "n", "hostname": 5}, "hostname"),
])
def test_registration_bodies(backend, body, text):
    error = error_of(register(backend, backend.registration_secret, body), 400)
    assert text in error["message"]


def test_registration_with_a_request_that_is_none(backend):
    body = {"name": "bad-csr", "hostname": "h", "csr": "hello"}
    error = error_of(register(backend, backend.registration_secret, body), 422)
    assert "csr" in error["message"]


# --- the collector's settings and its server ---


def test_a_wrong_key_in_the_configuration(registered):
    registered.config.write_text(registered.config.read_text().replace("interval = 1", "intervall = 1\nfoo = 2"))
    done = registered.run("--config", str(registered.config), "--validate", check=False)
    assert done.returncode == 2
    output = done.stdout + done.stderr
    assert "intervall" in output and "interval" in output and "collector.toml:2" in output
    assert "foo" in output, "all faults at once"


def test_a_wrong_password(backend, monitored, request):
    """A server that refuses us is shown as unreachable with the reason; the others go on."""
    from pgserver import PgServer, MONITORED_SETTINGS
    with PgServer(15, settings=MONITORED_SETTINGS, tcp=True, hba=["host all all 127.0.0.1/32 scram-sha-256"]) as closed:
        closed.execute("create role watcher login password 'right' in role pg_monitor")
        targets = {"open": monitored.dsn(user="monitor"),
                   "closed": f"host=127.0.0.1 port={closed.port} dbname=postgres user=watcher password=wrong"}
        with Collector(backend, targets, name=request.node.name) as running:
            api = backend.api()

            def mine():
                return {s["name"]: s for s in api.get("/servers")["servers"] if s["collector_id"] == running.id}

            eventually(lambda: mine()["closed"]["status"] == "unreachable", 30)
            assert "password" in mine()["closed"]["error"]
            assert "wrong" not in running.log_text().replace("wrong password", ""), "the password is in the log"
            eventually(lambda: mine()["open"]["status"] == "up", 30)


# --- users ---


class FromElsewhere(requests.adapters.HTTPAdapter):
    """Requests from another address of this host: its failures are counted apart."""

    def init_poolmanager(self, *args, **kwargs):
        super().init_poolmanager(*args, source_address=("127.0.0.9", 0), **kwargs)


def test_login_is_refused_and_throttled(backend):
    client = Api(backend.url, backend.ca, "nobody", "whatever-it-is")
    client.session.mount("https://", FromElsewhere())
    answers = [client.raw("POST", "/auth/login", json={"login": "nobody", "password": f"wrong-{i}"}) for i in range(12)]
    assert answers[0].status_code == 401 and answers[0].json()["error"]["code"] == "credentials_invalid"
    assert answers[-1].status_code == 429 and int(answers[-1].headers["Retry-After"]) > 0
    assert backend.api().servers() is not None, "who logs in from here pays for it"
