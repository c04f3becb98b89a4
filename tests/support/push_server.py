# SPDX-License-Identifier: PostgreSQL
"""A backend as a collector sees it, that answers as a script says: for tests of the sender and of registration.

usage: push_server.py CERTIFICATE KEY [CLIENT_CA [CA_KEY]]

Prints its port (chosen by the kernel) as its first line, then serves until its parent ends it. With a client CA, clients
may show a certificate of it; with that CA's key as well, registration signs requests.

PUT  /control/script   a list of steps, one for each later request outside /control: {"status", "body", "headers",
                       "action": "cut" | "hang"}. When it is used up: pushes are accepted once for each (spool, sequence),
                       tokens, certificates and registrations are given.
GET  /control/wait?n=N waits until N requests were made; then, and with less after 50 s, answers the log.
"""
import base64
import gzip
import http.server
import itertools
import json
import os
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from email.utils import formatdate
from urllib.parse import parse_qs, urlparse

changed = threading.Condition()
script = []
log = []
positions = {}
tokens = itertools.count(2)
numbers = itertools.count(1)
ended = threading.Event()
WAIT_SECONDS = 50


def unpadded(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def make_token(lifetime):
    return f'{unpadded({"alg": "HS256"})}.{unpadded({"exp": int(time.time()) + lifetime, "n": next(tokens)})}.sig'


def sign(csr):
    with tempfile.TemporaryDirectory() as directory:
        request = os.path.join(directory, "csr")
        with open(request, "w", encoding="ascii") as f:
            f.write(csr)
        return subprocess.run(["openssl", "x509", "-req", "-in", request, "-CA", sys.argv[3], "-CAkey", sys.argv[4],
                               "-set_serial", "77", "-days", "1"], check=True, capture_output=True, text=True).stdout


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    disable_nagle_algorithm = True

    def setup(self):
        self.request.do_handshake()
        super().setup()
        self.number = next(numbers)

    def log_message(self, *_):
        pass

    def answer(self, status, body, headers=None):
        raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def date_time_string(self, timestamp=None):
        return formatdate(time.time() + date_offset, usegmt=True)

    def control(self, body):
        url = urlparse(self.path)
        if url.path == "/control/script":
            with changed:
                script[:] = json.loads(body)
                log.clear()
            self.answer(200, {})
        else:
            n = int(parse_qs(url.query)["n"][0])
            with changed:
                changed.wait_for(lambda: len(log) >= n, WAIT_SECONDS)
                told = list(log)
            self.answer(200, told)

    def note(self, body):
        encoding = self.headers.get("Content-Encoding", "")
        text = gzip.decompress(body) if encoding == "gzip" else body
        try:
            batch = json.loads(text)
        except ValueError:
            batch = None
        peer = self.connection.getpeercert()
        entry = {"path": self.path, "encoding": encoding, "type": self.headers.get("Content-Type"),
                 "authorization": self.headers.get("Authorization", ""), "bytes": len(body), "batch": batch,
                 "secret": self.headers.get("X-Registration-Secret"), "at_ms": int(time.monotonic() * 1000),
                 "connection": self.number, "certificate": bool(peer), "serial": (peer or {}).get("serialNumber", "")}
        with changed:
            log.append(entry)
            step = script.pop(0) if script else None
            changed.notify_all()
        return batch, step

    def accept(self, batch):
        with changed:
            spool, sequence = (batch or {}).get("spool"), (batch or {}).get("sequence", 0)
            duplicate = sequence <= positions.get(spool, 0)
            positions[spool] = max(sequence, positions.get(spool, 0))
        self.answer(200, {"accepted": {"rows": 1, "values": 2}, "duplicate": duplicate, "rejected": [],
                          "config_version": 7})

    def register(self, body):
        with open(sys.argv[3], encoding="ascii") as f:
            ca = f.read()
        self.answer(201, {"collector_id": "11111111-2222-4333-8444-555555555555", "token": make_token(86400 * 365),
                          "certificate": sign(body["csr"]), "ca_certificate": ca,
                          "expires_at": "2030-01-01T00:00:00Z"})

    def respond(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith("/control/"):
            self.control(body)
            return
        batch, step = self.note(body)
        action = (step or {}).get("action")
        if action == "cut":
            self.close_connection = True
        elif action == "hang":
            ended.wait()
        elif step:
            self.answer(step["status"], step.get("body", {}), step.get("headers"))
        elif self.path == "/api/v1/metrics/push":
            self.accept(batch)
        elif self.path == "/api/v1/collectors/refresh-token":
            self.answer(200, {"token": make_token(86400 * 365), "expires_at": "2030-01-01T00:00:00Z"})
        elif self.path == "/api/v1/collectors/register":
            self.register(batch)
        elif self.path.endswith("/certificate"):
            self.answer(200, {"certificate": sign(batch["csr"]), "expires_at": "2030-01-01T00:00:00Z"})
        else:
            self.answer(404, {"error": {"code": "not_found", "message": "no such route"}})

    do_GET = do_POST = do_PUT = respond


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # clients that refuse us are tested too


date_offset = int(os.environ.get("DATE_OFFSET", "0"))
server = Server(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
if len(sys.argv) > 3:
    context.load_verify_locations(sys.argv[3])
    context.verify_mode = ssl.CERT_OPTIONAL
# The handshake is made by the thread of the connection, not by the one that accepts.
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(server.server_address[1], flush=True)
server.serve_forever()
