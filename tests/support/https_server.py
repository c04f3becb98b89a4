# SPDX-License-Identifier: PostgreSQL
"""An HTTP(S) server that behaves as the path says, for tests of clients.

usage: https_server.py [CERTIFICATE KEY [CLIENT_CA]]

Prints its port (chosen by the kernel) as its first line, then serves until its input or its parent ends it. With a
client CA every client must show a certificate of it. Each connection has a number, told in X-Connection.
"""
import http.server
import itertools
import json
import os
import socket
import ssl
import sys
import threading
import time
from email.utils import formatdate

numbers = itertools.count(1)
ended = threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def setup(self):
        if isinstance(self.request, ssl.SSLSocket):
            self.shake_hands()
        super().setup()
        self.number = next(numbers)

    def shake_hands(self):
        """Closing while the client still sends would be a reset, which can overtake our alert: let it close first."""
        try:
            self.request.do_handshake()
        except ssl.SSLError:
            with socket.socket(fileno=os.dup(self.request.fileno())) as raw:
                raw.settimeout(self.timeout)
                while raw.recv(4096):
                    pass
            raise

    def log_message(self, *_):
        pass

    def answer(self, status=200, body=b"", **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Connection", str(self.number))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def echo(self):
        length = self.headers.get("Content-Length")
        body = self.rfile.read(int(length)) if length else b""
        told = {"method": self.command, "path": self.path, "length": length, "body": body.decode(),
                "connection": self.number, "headers": {k.lower(): v for k, v in self.headers.items()}}
        self.answer(body=json.dumps(told).encode(), ETag='"v1"', Content_Type="application/json")

    def respond(self):
        kind, _, argument = self.path.strip("/").partition("/")
        if kind == "echo":
            self.echo()
        elif kind == "status":
            self.answer(int(argument))
        elif kind == "large":
            self.answer(body=b"x" * int(argument))
        elif kind == "retry":
            self.answer(429, Retry_After=argument)
        elif kind == "retry-date":
            self.answer(503, Retry_After=formatdate(time.time() + int(argument), usegmt=True))
        elif kind == "etag":
            self.answer(ETag="x" * int(argument))
        elif kind == "redirect":
            self.answer(302, Location="/echo")
        elif kind == "cut":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
            self.close_connection = True
        elif kind == "silent":
            sys.stdout.write("silent\n")
            sys.stdout.flush()
            ended.wait()
        elif kind == "nothing":
            self.close_connection = True
        else:
            self.answer(404)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = respond


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # clients that refuse us are what is tested


def main():
    server = Server(("127.0.0.1", 0), Handler)
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1], sys.argv[2])
        if os.environ.get("TLS_MOST") == "1.2":
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        if len(sys.argv) > 3:
            context.load_verify_locations(sys.argv[3])
            context.verify_mode = ssl.CERT_REQUIRED
        # The handshake is made by the thread of the connection, not by the one that accepts.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    print(server.server_address[1], flush=True)
    server.serve_forever()


main()
