# SPDX-License-Identifier: PostgreSQL
"""Certificates of collectors are renewed while they work: nothing is refused on the way, nothing good piles up."""
import psycopg2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from stack import Backend, Collector
from wait import eventually

LIFETIME = 24


@pytest.fixture(scope="module")
def brief():
    """A backend whose certificates are good for seconds."""
    with Backend(environment={"CERT_LIFETIME": f"{LIFETIME}s"}) as running:
        yield running


def store_rows(backend, sql, *parameters):
    connection = psycopg2.connect(backend.store_dsn())
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall()
    finally:
        connection.close()


def good_certificates(backend, collector_id):
    return store_rows(backend, "select serial from pganalytics.certificates where collector_id = %s"
                      " and revoked_at is null and expires_at > now()", collector_id)


def serial_of(path):
    return x509.load_pem_x509_certificate(path.read_bytes()).serial_number


def make_request(key=None, name="any"):
    key = key or ec.generate_private_key(ec.SECP256R1())
    request = (x509.CertificateSigningRequestBuilder()
               .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])).sign(key, hashes.SHA256()))
    return key, request.public_bytes(serialization.Encoding.PEM).decode()


def renew(collector, session, body, collector_id=None):
    return session.post(f"{collector.backend.url}/api/v1/collectors/{collector_id or collector.id}/certificate",
                        json=body, timeout=30)


def test_a_collector_outlives_its_certificates(brief, monitored):
    before = brief.metric("pganalytics_credentials_issued_total", '{what="certificate"}')
    with Collector(brief, {"main": monitored.dsn(user="monitor")}, name="outlives") as collector:
        first = serial_of(collector.state / "collector.crt")

        def issued():
            return brief.metric("pganalytics_credentials_issued_total", '{what="certificate"}') - before

        eventually(lambda: issued() >= 2, 3 * LIFETIME, "the certificate was not renewed twice")
        assert serial_of(collector.state / "collector.crt") != first
        sent = brief.metric("pganalytics_push_total", '{code="ok"}')
        eventually(lambda: brief.metric("pganalytics_push_total", '{code="ok"}') > sent + 2)
        assert len(good_certificates(brief, collector.id)) <= 4
        for line in collector.log_lines("warn") + collector.log_lines("error"):
            assert "certificate" not in line["message"] and "cannot be sent" not in line["message"], line
        actions = store_rows(brief, "select detail->>'replaces' from pganalytics.audit where action = 'collector.renew'"
                             " and object = %s order by audit_id", collector.id)
        assert len(actions) >= 2 and actions[0][0] == f"{first:x}"
        assert not (collector.state / "renewed.pem").exists()


def test_killed_again_and_again_it_never_needs_to_register(brief, monitored):
    """kill -9 around renewals: whatever was lost, the pair on the disk is one that the backend takes."""
    with Collector(brief, {"main": monitored.dsn(user="monitor")}, name="killed") as collector:
        for _ in range(2):
            serial = serial_of(collector.state / "collector.crt")
            eventually(lambda known=serial: (collector.state / "renewed.pem").exists()
                       or serial_of(collector.state / "collector.crt") != known, 2 * LIFETIME)
            collector.kill()
            sent = brief.metric("pganalytics_push_total", '{code="ok"}')
            collector.start()
            eventually(lambda before=sent: brief.metric("pganalytics_push_total", '{code="ok"}') > before)
        refused = [line for line in collector.log_lines() if "certificate_invalid" in str(line)]
        assert not refused, refused


def test_the_old_one_is_good_until_the_new_one_is_used(backend, registered):
    old = registered.client()
    lost = [renew(registered, old, {"csr": make_request()[1]}) for _ in range(6)]
    assert [answer.status_code for answer in lost] == [200] * 6, lost[0].text
    assert registered.push({"collector_id": registered.id, "metrics": []}, session=old).status_code == 200
    assert len(good_certificates(backend, registered.id)) == 4

    key, csr = make_request(name="i-am-another")
    answer = renew(registered, old, {"csr": csr})
    body = answer.json()
    certificate = x509.load_pem_x509_certificate(body["certificate"].encode())
    assert certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == registered.id
    assert certificate.public_key().public_numbers() == key.public_key().public_numbers()
    assert body["expires_at"].startswith(certificate.not_valid_after.isoformat())

    path = registered.directory / "new.pem"
    path.write_bytes(body["certificate"].encode() + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    new = registered.client()
    new.cert = str(path)
    assert registered.push({"collector_id": registered.id, "metrics": []}, session=new).status_code == 200
    left = store_rows(backend, "select count(*) filter (where expires_at > now() + interval '61 minutes') from"
                      " pganalytics.certificates where collector_id = %s and revoked_at is null", registered.id)
    assert left == [(1,)], "those before the new one end within an hour"
    assert registered.push({"collector_id": registered.id, "metrics": []}, session=old).status_code == 200


def test_only_the_collector_itself_gets_one(backend, registered):
    session = registered.client()
    csr = make_request()[1]
    cases = [
        (session, {"csr": csr}, "0f0e0d0c-0b0a-4908-8706-05040302010a", 403, "identity_mismatch"),
        (session, {"csr": "rubbish"}, None, 422, "unprocessable"),
        (session, {}, None, 400, "body_invalid"),
        (session, {"csr": csr, "days": 9999}, None, 400, "body_invalid"),
    ]
    for used, body, collector_id, status, code in cases:
        answer = renew(registered, used, body, collector_id)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    bare = registered.client()
    bare.cert = None
    answer = renew(registered, bare, {"csr": csr})
    assert answer.json()["error"]["code"] == "certificate_required", answer.text
    assert backend.api().raw("DELETE", f"/collectors/{registered.id}").status_code == 204
    assert renew(registered, session, {"csr": csr}).status_code == 403


def test_the_least_life_in_production(tmp_path):
    backend = Backend(directory=tmp_path, environment={"ENVIRONMENT": "production", "CERT_LIFETIME": "1h"})
    done = backend.command("check", check=False)
    assert done.returncode == 2 and "CERT_LIFETIME" in done.stdout + done.stderr
    assert "at least a day in production" in done.stdout + done.stderr
