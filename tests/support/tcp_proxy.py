# SPDX-License-Identifier: PostgreSQL
"""A TCP proxy that behaves like a bad network.

    with TcpProxy(("127.0.0.1", api_port)) as proxy:
        collector = start_collector(f"https://localhost:{proxy.port}")
        proxy.delay = 0.2            # seconds, each way
        proxy.drop()                 # nothing passes any more, in either direction; connections stay open
        proxy.refuse()               # new connections are refused, those there are reset
        proxy.cut_after(1000, "up")  # each connection is reset once so many bytes went that way
        proxy.cut()                  # every connection there is now is reset
        proxy.heal()                 # all is well again; what was held back by drop() arrives

It listens on a free port of 127.0.0.1, which stays its own while it refuses. Faults act at once, on connections there are
and on new ones, from any thread. "up" is towards the target, "down" is back to the client. Counts: proxy.connections,
proxy.bytes["up"], proxy.bytes["down"] (delivered), proxy.turns (how often a client spoke again after an answer: its round
trips).
"""
import asyncio
import contextlib
import socket
import struct
import threading

CHUNK = 64 * 1024
WAITING_CHUNKS = 64  # of one direction of one connection while delayed; then its sender has to wait
CONNECT_SECONDS = 10
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class _Connection:
    """One client and its connection to the target."""

    def __init__(self, proxy):
        self.proxy = proxy
        self.writers = []
        self.dead = False
        self.passed = {"up": 0, "down": 0}
        self.last = "down"  # who spoke last

    def reset(self):
        self.dead = True
        for writer in self.writers:
            with contextlib.suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            writer.transport.abort()

    async def attach(self, opening):
        """Waits for the streams that @opening makes; a reset meanwhile holds for them too."""
        reader, writer = await asyncio.wait_for(opening, CONNECT_SECONDS)
        self.writers.append(writer)
        if self.dead:
            self.reset()
            raise ConnectionResetError("reset while connecting")
        return reader, writer

    async def run(self, client):
        """Until both directions of the accepted socket @client have ended."""
        try:
            near = await self.attach(asyncio.open_connection(sock=client, limit=CHUNK))
            far = await self.attach(self.proxy.connect_target())
            await asyncio.gather(self.pump("up", near[0], far[1]), self.pump("down", far[0], near[1]))
        except (OSError, asyncio.TimeoutError):
            self.reset()  # one side was reset, or never there: so is the other
        finally:
            for writer in self.writers:
                writer.close()

    async def pump(self, direction, reader, writer):
        """Carries one direction; what was read waits its delay in a queue, so that delay does not cost throughput."""
        queue = asyncio.Queue(WAITING_CHUNKS)
        delivery = asyncio.ensure_future(self.deliver(direction, queue, writer))
        try:
            while True:
                data = await reader.read(CHUNK)
                put = asyncio.ensure_future(queue.put((asyncio.get_running_loop().time(), data)))
                await asyncio.wait({put, delivery}, return_when=asyncio.FIRST_COMPLETED)
                if delivery.done():
                    put.cancel()
                    break
                if not data:
                    break
            await delivery
        finally:
            delivery.cancel()

    async def deliver(self, direction, queue, writer):
        while True:
            read_at, data = await queue.get()
            await asyncio.sleep(read_at + self.proxy.delay - asyncio.get_running_loop().time())
            await self.proxy.flowing.wait()
            limit = self.proxy.limits.get(direction)
            if limit is not None and self.passed[direction] + len(data) > limit:
                data = data[:max(0, limit - self.passed[direction])]
                await self.write(direction, writer, data)
                raise ConnectionResetError(f"cut after {limit} bytes")
            if not data:
                with contextlib.suppress(OSError):
                    writer.write_eof()  # half closed, as TCP allows
                return
            await self.write(direction, writer, data)

    async def write(self, direction, writer, data):
        self.passed[direction] += len(data)
        self.proxy.bytes[direction] += len(data)  # first: who has the bytes may look at the count
        self.proxy.turns += direction == "up" and self.last == "down"
        self.last = direction
        writer.write(data)
        await writer.drain()


class TcpProxy:
    """A listening proxy to @target: (host, port), or the path of a Unix socket."""

    def __init__(self, target):
        self.target = target
        self.delay = 0.0
        self.limits = {}
        self.connections = 0
        self.bytes = {"up": 0, "down": 0}
        self.turns = 0
        # Bound for as long as the proxy lives but never listening, so that the port is kept while the proxy refuses.
        self._reserved = self._bind(0)
        self.port = self._reserved.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcp_proxy", daemon=True)
        self._thread.start()
        self._live = {}
        self._listener = None
        self._call(self._start())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Resets what is connected and gives the port back. May be called again."""
        if self._loop.is_closed():
            return
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._reserved.close()

    def drop(self):
        """From now on nothing passes. TCP keeps what is on its way: it arrives after heal()."""
        self._call(self._run(self.flowing.clear))

    def refuse(self):
        """New connections are refused, those there are reset."""
        self._call(self._close_listener())

    def cut(self):
        """Resets every connection there is now."""
        self._call(self._run(self._reset_all))

    def cut_after(self, count, direction="up"):
        """Resets each connection, old or new, once @count bytes of it went in @direction."""
        assert direction in ("up", "down")
        self.limits[direction] = count

    def heal(self):
        """No fault is left; what drop() held back is delivered."""
        self.delay = 0.0
        self.limits.clear()
        self._call(self._heal())

    # What follows runs on the loop's thread.

    @staticmethod
    def _bind(port):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", port))
        return listener

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    @staticmethod
    async def _run(function):
        function()

    async def _start(self):
        self.flowing = asyncio.Event()
        self.flowing.set()
        await self._open_listener()

    async def _open_listener(self):
        if not self._listener:
            self._listener = self._bind(self.port)
            self._listener.listen(100)
            self._listener.setblocking(False)
            self._loop.add_reader(self._listener, self._accept)

    async def _close_listener(self):
        if self._listener:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        self._reset_all()

    async def _heal(self):
        self.flowing.set()
        await self._open_listener()

    async def _stop(self):
        await self._close_listener()
        for task in self._live.values():
            task.cancel()
        await asyncio.gather(*self._live.values(), return_exceptions=True)

    def _reset_all(self):
        for connection in self._live:
            connection.reset()

    async def connect_target(self):
        if isinstance(self.target, tuple):
            return await asyncio.open_connection(*self.target, limit=CHUNK)
        return await asyncio.open_unix_connection(str(self.target), limit=CHUNK)

    # Not asyncio.start_server() nor sock_accept(): stopping these loses a connection that they are just accepting.
    def _accept(self):
        with contextlib.suppress(BlockingIOError):
            client, _ = self._listener.accept()
            client.setblocking(False)
            connection = _Connection(self)
            self.connections += 1
            task = asyncio.ensure_future(connection.run(client))
            self._live[connection] = task
            task.add_done_callback(lambda _: self._live.pop(connection))
