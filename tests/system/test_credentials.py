# SPDX-License-Identifier: PostgreSQL
"""Credentials over their life: an authority from files, certificates that end, tokens that are refreshed."""
import datetime

import pytest

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from stack import Backend, Collector


def named(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def write_key(path, key):
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                       serialization.NoEncryption()))


class Authority:
    """A CA of the test's own, so that it can sign what the backend never would."""

    def __init__(self, directory):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.cert_path, self.key_path = directory / "own-ca.crt", directory / "own-ca.key"
        now = datetime.datetime.utcnow()
        self.certificate = (
            x509.CertificateBuilder().subject_name(named("own")).issuer_name(named("own")).public_key(self.key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=900))
            .not_valid_after(now + datetime.timedelta(days=900))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256()))
        self.cert_path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        write_key(self.key_path, self.key)

    def issue(self, directory, name, first_day, last_day):
        """(certificate, key) files, good from @first_day to @last_day, counted from today."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.utcnow()
        certificate = (
            x509.CertificateBuilder().subject_name(named(name)).issuer_name(self.certificate.subject)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=first_day))
            .not_valid_after(now + datetime.timedelta(days=last_day))
            .add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .sign(self.key, hashes.SHA256()))
        paths = directory / f"{name}{last_day}.crt", directory / f"{name}{last_day}.key"
        paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        write_key(paths[1], key)
        return tuple(map(str, paths))


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("authority"))
    files = {"CA_CERT": str(authority.cert_path), "CA_KEY": str(authority.key_path)}
    with Backend(environment=files) as backend:
        collector = Collector(backend, {}, name="credentials")
        collector.register()
        yield backend, authority, collector
        collector.remove()


def push(collector, session):
    return collector.push({"collector_id": collector.id, "metrics": []}, session=session)


def test_the_authority_may_come_from_files(scene):
    _, authority, collector = scene
    assert push(collector, collector.client()).status_code == 200
    issued = x509.load_pem_x509_certificate((collector.state / "collector.crt").read_bytes())
    authority.key.public_key().verify(issued.signature, issued.tbs_certificate_bytes, ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize("first_day, last_day, text", [(-30, -1, "expired"), (1, 30, "not valid yet")])
def test_a_certificate_outside_its_time(scene, tmp_path, first_day, last_day, text):
    backend, authority, collector = scene
    session = collector.client()
    session.cert = authority.issue(tmp_path, collector.id, first_day, last_day)
    before = backend.metric("pganalytics_auth_refusals_total", '{code="certificate_invalid"}')
    answer = push(collector, session)
    assert answer.status_code == 403, answer.text
    error = answer.json()["error"]
    assert error["code"] == "certificate_invalid" and text in error["message"], error
    assert backend.metric("pganalytics_auth_refusals_total", '{code="certificate_invalid"}') == before + 1
    assert push(collector, collector.client()).status_code == 200


def test_a_certificate_that_the_store_does_not_know(scene, tmp_path):
    """Signed by our own authority, for this very collector, but never issued by the backend."""
    _, authority, collector = scene
    session = collector.client()
    session.cert = authority.issue(tmp_path, collector.id, -1, 30)
    answer = push(collector, session)
    assert answer.status_code == 403, answer.text
    assert push(collector, collector.client()).status_code == 200


def test_a_token_is_traded_for_a_new_one(scene):
    backend, _, collector = scene
    session = collector.client()
    url = f"{backend.url}/api/v1/collectors/refresh-token"
    answer = session.post(url, json={"collector_id": collector.id}, timeout=30)
    assert answer.status_code == 200, answer.text
    fresh = answer.json()
    assert fresh["token"] not in session.headers["Authorization"]
    days = (datetime.datetime.fromisoformat(fresh["expires_at"].replace("Z", "+00:00"))
            - datetime.datetime.now(datetime.timezone.utc)).days
    assert 363 <= days <= 365
    session.headers["Authorization"] = f"Bearer {fresh['token']}"
    assert push(collector, session).status_code == 200
    assert push(collector, collector.client()).status_code == 200, "the old one is good until it ends"
    other = session.post(url, json={"collector_id": "0f0e0d0c-0b0a-4908-8706-05040302010a"}, timeout=30)
    assert other.status_code == 403 and other.json()["error"]["code"] == "identity_mismatch"
