# SPDX-License-Identifier: PostgreSQL
"""The backend as a program: commands, settings, signals, start and end."""
import signal
import socket
import subprocess
import time

import requests

from stack import Api, Backend, eventually, program
from wait import patience


def run(*arguments, **environment):
    return subprocess.run([program("pganalytics-api"), *arguments], text=True, capture_output=True, timeout=60,
                          env={"PATH": "/usr/bin:/bin", **environment}, check=False)


def make_server_certificate(directory, name):
    """A self-signed certificate for 127.0.0.1 and its key, in files that stand for a user's own."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                    str(directory / "server.key"), "-out", str(directory / "server.crt")], check=True,
                   capture_output=True)
    return directory / "server.crt", directory / "server.key"


def test_users_are_made_while_the_backend_serves(backend):
    made = backend.command("user", "add", "ann", "--role", "viewer", stdin="a long password\n")
    assert "user ann made: viewer" in made.stdout
    listed = backend.command("user", "list").stdout
    assert "ann" in listed and "admin" in listed
    Api(backend.url, backend.ca, "ann", "a long password").login()

    again = backend.command("user", "add", "Ann", stdin="another password\n", check=False)
    assert again.returncode == 1 and "is there already" in again.stderr
    short = backend.command("user", "add", "bob", stdin="short\n", check=False)
    assert short.returncode == 1 and "8 to 256" in short.stderr

    api = Api(backend.url, backend.ca, "ann", "a long password").login()
    backend.command("user", "passwd", "ann", stdin="a new password\n")
    assert api.raw("POST", "/auth/login",
                   json={"login": "ann", "password": "a long password"}).status_code == 401
    Api(backend.url, backend.ca, "ann", "a new password").login()
    nobody = backend.command("user", "passwd", "nobody", stdin="a new password\n", check=False)
    assert nobody.returncode == 1 and 'no user "nobody"' in nobody.stderr


def test_check_tells_settings_and_store_without_secrets(backend):
    text = backend.command("check").stdout
    assert "settings: valid" in text and "store: PostgreSQL" in text
    assert backend.registration_secret not in text and backend.password not in text
    assert backend.command("migrate").stdout == "the store is up to date\n"


def test_a_second_backend_on_the_same_directory_is_refused(backend):
    second = run("serve", **{**backend.environment, "PORT": "0"})
    assert second.returncode == 1
    assert "backend.lock" in second.stderr and str(backend.process.pid) in second.stderr


def test_settings_faults_are_all_named_and_exit_2(tmp_path):
    done = run("serve", ENVIRONMENT="production", PORT="http", DATABASE_URL="nowhere")
    assert done.returncode == 2
    for name in ("PORT", "DATABASE_URL", "JWT_SECRET", "REGISTRATION_SECRET", "ENCRYPTION_KEY", "TLS_CERT"):
        assert any(line.startswith(f"environment: {name}") for line in done.stderr.splitlines()), done.stderr

    file = tmp_path / "api.env"
    file.write_text("PROT=8080\nJWT_SECRET=tooshort\n")
    done = run("serve", "--env-file", str(file))
    assert done.returncode == 2
    assert f"{file}:1" in done.stderr and "PORT" in done.stderr and f"{file}:2" in done.stderr
    assert "tooshort" not in done.stderr


def test_the_command_line_teaches():
    assert run("--help").stdout.count("pganalytics-api") > 3
    version = run("--version").stdout
    assert "commit" in version and "libmicrohttpd" in version and "OpenSSL" in version
    done = run("usr")
    assert done.returncode == 2 and 'did you mean "user"' in done.stderr
    assert len(run("secret", "create").stdout.strip()) == 64


def test_sighup_takes_a_new_certificate_and_log_level(tmp_path):
    cert, key = make_server_certificate(tmp_path, "first")
    settings = tmp_path / "api.env"
    settings.write_text(f"TLS_CERT={cert}\nTLS_KEY={key}\nLOG_LEVEL=info\n")
    backend = Backend()
    del backend.environment["LOG_LEVEL"]
    try:
        backend.launch([program("pganalytics-api"), "--env-file", settings], backend.environment)
        kept = tmp_path / "kept.crt"
        kept.write_text(cert.read_text())

        def ask(client, ca):
            return client.get(f"{backend.url}/api/v1/health", verify=str(ca), timeout=30).status_code == 200

        eventually(lambda: ask(requests, kept), 60, "the backend is not ready")
        old = requests.Session()
        assert ask(old, kept)

        cert.write_text("not a certificate")
        backend.process.send_signal(signal.SIGHUP)
        eventually(lambda: backend.log_lines("error"), what="a broken certificate is not told")
        assert ask(requests, kept)

        make_server_certificate(tmp_path, "second")
        settings.write_text(f"TLS_CERT={cert}\nTLS_KEY={key}\nLOG_LEVEL=debug\nWORKERS=3\n")
        backend.process.send_signal(signal.SIGHUP)
        eventually(lambda: ask(requests, cert), what="the new certificate is not shown")
        assert ask(old, kept)  # on its old connection
        eventually(lambda: backend.log_lines("debug"), what="the log level did not change")
        warned = eventually(lambda: [line for line in backend.log_lines("warn")
                                     if line["message"] == "some settings need a restart"])
        assert warned[0]["keys"] == "WORKERS"
        backend.stop()
        backend.check_log()
    finally:
        backend.remove()


def test_it_waits_for_a_store_that_comes_later_and_leaves_when_told():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        dsn = f"host=127.0.0.1 port={unused.getsockname()[1]} dbname=x user=x connect_timeout=2"
        backend = Backend(database_url=dsn)
        try:
            backend.launch([program("pganalytics-api")], backend.environment)
            eventually(lambda: [line for line in backend.log_lines("warn") if "waiting for it" in line["message"]],
                       what="it does not say that the store is away")
            begin = time.monotonic()
            backend.stop()
            assert time.monotonic() - begin < patience(10)
            backend.check_log()
        finally:
            backend.remove()


def test_it_stops_with_connections_open_and_starts_again_with_the_same_secrets():
    backend = Backend()
    try:
        backend.start()
        session = requests.Session()
        session.trust_env, session.verify = False, str(backend.ca)
        assert session.get(f"{backend.url}/api/v1/health", timeout=30).status_code == 200
        backend.stop()  # with a connection kept open: it must not hold up the end
        assert backend.log_lines()[-1]["message"] == "stopped"
        backend.start()  # the same directory again, with the same secrets and CA
        assert session.get(f"{backend.url}/api/v1/health", timeout=30).status_code == 200
        backend.api()
        backend.stop()
        backend.check_log()
    finally:
        backend.remove()
