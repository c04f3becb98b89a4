# SPDX-License-Identifier: PostgreSQL
"""The bad network that other tests rely on does what it says."""
import contextlib
import socket
import threading
import time

import pytest

from tcp_proxy import TcpProxy
from wait import eventually

PATIENCE = 60  # seconds until a test gives up


class Echo:
    """Sends back what it receives; .received is all of it."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.received = b""
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept(), which would keep it listening
        self.listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection:
            try:
                while data := connection.recv(65536):
                    self.received += data
                    connection.sendall(data)
            except OSError:
                pass


@pytest.fixture
def echo():
    server = Echo()
    yield server
    with contextlib.suppress(OSError):
        server.close()


@pytest.fixture
def proxy(echo):
    with TcpProxy(echo.address) as made:
        yield made


def connect(proxy):
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE)


def receive(client, count):
    data = b""
    while len(data) < count:
        piece = client.recv(count - len(data))
        if not piece:
            break
        data += piece
    return data


def test_bytes_pass_both_ways_and_are_counted(proxy):
    payload = bytes(range(256)) * 4096
    with connect(proxy) as client:
        sender = threading.Thread(target=client.sendall, args=(payload,))
        sender.start()
        assert receive(client, len(payload)) == payload
        sender.join()
    assert proxy.connections == 1
    assert proxy.bytes == {"up": len(payload), "down": len(payload)}


def test_half_closed_connection_still_answers(proxy):
    with connect(proxy) as client:
        client.sendall(b"last words")
        client.shutdown(socket.SHUT_WR)
        assert receive(client, 100) == b"last words"


def test_delay_holds_bytes_back_each_way(proxy):
    proxy.delay = 0.1
    with connect(proxy) as client:
        start = time.monotonic()
        client.sendall(b"x")
        assert receive(client, 1) == b"x"
        assert time.monotonic() - start >= 0.2


def test_refused_until_healed_on_the_same_port(proxy):
    with connect(proxy) as client:
        proxy.refuse()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    proxy.heal()
    with connect(proxy) as client:
        client.sendall(b"x")
        assert receive(client, 1) == b"x"


def test_dropped_bytes_arrive_after_healing(proxy, echo):
    with connect(proxy) as client:
        proxy.drop()
        client.sendall(b"held")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)
        assert echo.received == b""
        proxy.heal()
        client.settimeout(PATIENCE)
        assert receive(client, 4) == b"held"


@pytest.mark.parametrize("direction", ["up", "down"])
def test_cut_after_so_many_bytes(proxy, echo, direction):
    proxy.cut_after(10, direction)
    with connect(proxy) as client:
        client.sendall(b"0123456789abcdef")
        with pytest.raises(ConnectionResetError):
            while client.recv(100):
                pass
    assert proxy.bytes[direction] == 10
    expected = b"0123456789" if direction == "up" else b"0123456789abcdef"
    eventually(lambda: len(echo.received) >= len(expected))
    assert echo.received == expected


def test_cut_resets_connections_there_are(proxy):
    with connect(proxy) as old:
        old.sendall(b"x")
        assert receive(old, 1) == b"x"
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            old.recv(1)
    with connect(proxy) as fresh:
        fresh.sendall(b"y")
        assert receive(fresh, 1) == b"y"


def test_dead_target_looks_dead(proxy, echo):
    echo.close()
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        with connect(proxy) as client:
            client.sendall(b"x")
            client.recv(1)


def test_closing_twice_is_fine_and_gives_the_port_back(echo):
    made = TcpProxy(echo.address)
    port = made.port
    made.close()
    made.close()
    eventually(lambda: socket.create_server(("127.0.0.1", port)).close() or True)  # a connection may have got it meanwhile
