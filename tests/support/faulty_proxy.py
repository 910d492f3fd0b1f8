"""A proxy before the emulator that treats requests as a bad network and a tired service would.

It runs in a thread of the test, so that processes under test reach it by its URL. Each request that comes in is put
before a plan, which names a fault or none. The proxy refuses a deletion that names another generation than the
object's, as Google does and the emulator does not.
"""

import asyncio
import contextlib
import json
import random
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args
from urllib.parse import parse_qs, urlsplit

_NAME = re.compile(rb'"name":"([^"]+)"')

Fault = Literal["429", "503", "reset before", "reset after", "truncate", "stall"]
"""What can happen to a request: an error status; the connection reset without the request's effect, or with it; half
of the reply lost; everything right, but late."""

ALL: tuple[Fault, ...] = get_args(Fault)


@dataclass(frozen=True)
class Refusal:
    """An answer that no repetition changes: an error as Google's JSON API tells it."""

    status: int
    reason: str
    message: str

    def answer(self) -> bytes:
        error = {"code": self.status, "message": self.message, "errors": [{"reason": self.reason}]}
        body = json.dumps({"error": error}).encode()
        head = f"HTTP/1.1 {self.status} No\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body


Plan = Callable[[str], "Fault | Refusal | None"]
"""Request line, such as `POST /upload/… HTTP/1.1` → what happens to the request."""


def some(share: float, kinds: tuple[Fault, ...] = ALL, seed: int = 0) -> Plan:
    """A plan by which this share of all requests fails, in all these ways."""
    dice = random.Random(seed)
    return lambda _: dice.choice(kinds) if dice.random() < share else None


def script(*faults: Fault | None, only: str = "") -> Plan:
    """A plan for the first requests whose line contains `only`, in their order; what follows goes well."""
    left = iter(faults)
    return lambda line: next(left, None) if only in line else None


class Request(NamedTuple):
    """A request that was answered.

    Args:
        line: its first line.
        uploaded: the name of the object that it uploads; empty if it uploads none.
        begun: when it came, in seconds of some clock.
        ended: when its answer went.
    """

    line: str
    uploaded: str
    begun: float
    ended: float


@dataclass
class Proxy:
    """A running proxy: its URL, the requests it saw, the faults it made."""

    url: str
    plan: Plan
    stall: float
    upstream: tuple[str, int]
    lines: list[str] = field(default_factory=list)
    answered: list[Request] = field(default_factory=list)
    made: Counter[Fault] = field(default_factory=Counter)
    connections: int = 0
    """Open ones. What a client that died has asked for is on its way as long as there is one of its."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        gone = (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError)
        self.connections += 1
        try:
            with contextlib.suppress(*gone):
                while await self._one(reader, writer):
                    pass
        finally:
            self.connections -= 1
        writer.close()
        with contextlib.suppress(*gone):
            await writer.wait_closed()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Treat one request; whether the connection goes on."""
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(_length(head))
        begun = time.monotonic()
        line = head.partition(b"\r\n")[0].decode()
        self.lines.append(line)
        fault = self.plan(line)
        if isinstance(fault, Refusal):
            writer.write(fault.answer())
            return True
        if fault:
            self.made[fault] += 1
        if fault in ("429", "503"):
            writer.write(b"HTTP/1.1 %s Not now\r\nContent-Length: 0\r\n\r\n" % fault.encode())
            return True
        if fault == "reset before":
            return _reset(writer)
        if fault == "stall":
            await asyncio.sleep(self.stall)
        if line.startswith("DELETE ") and await self._has_changed(line.split(" ")[1]):
            writer.write(Refusal(412, "conditionNotMet", "the generation is another one").answer())
            return True
        answer_head, answer = await self._ask(head, body)
        if fault == "reset after":
            return _reset(writer)
        if line.startswith("HEAD ") or b" 204 " in answer_head.partition(b"\r\n")[0]:
            writer.write(answer_head + b"\r\n\r\n")
        else:
            writer.write(answer_head + b"\r\nContent-Length: %d\r\n\r\n" % len(answer))
            writer.write(answer[: len(answer) // 2] if fault == "truncate" else answer)
        await writer.drain()
        uploaded = _NAME.search(body) if line.startswith("POST /upload/") else None
        self.answered.append(Request(line, uploaded[1].decode() if uploaded else "", begun, time.monotonic()))
        return fault != "truncate"

    async def _has_changed(self, target: str) -> bool:
        """Whether a request's target is an object at another generation than the request names."""
        path, query = urlsplit(target)[2:4]
        wanted = parse_qs(query).get("ifGenerationMatch")
        if wanted is None:
            return False
        head, answer = await self._ask(b"GET %s HTTP/1.1\r\nHost: bucket\r\n\r\n" % path.encode(), b"")
        return b" 200 " in head.partition(b"\r\n")[0] and json.loads(answer)["generation"] != wanted[0]

    async def _ask(self, head: bytes, body: bytes) -> tuple[bytes, bytes]:
        """The emulator's answer: head without its end and without lengths, and the whole body.

        HTTP/1.0, so that it comes in one piece and ends with the connection.
        """
        kept = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
        reader, writer = await asyncio.open_connection(*self.upstream)
        try:
            writer.write(b"\r\n".join(kept).replace(b" HTTP/1.1", b" HTTP/1.0", 1) + body)
            answer_head, _, answer = (await reader.read()).partition(b"\r\n\r\n")
        finally:
            writer.close()
            await writer.wait_closed()
        kept = [
            line
            for line in answer_head.split(b"\r\n")
            if not line.lower().startswith((b"content-length:", b"connection:"))
        ]
        return b"\r\n".join(kept).replace(b"HTTP/1.0", b"HTTP/1.1", 1), answer


@contextlib.contextmanager
def running(upstream: str, plan: Plan, stall: float = 0.5) -> Iterator[Proxy]:
    """Run a proxy before the server at the URL `upstream`; a stalled request waits `stall` seconds."""
    target = urlsplit(upstream)
    assert target.hostname
    assert target.port
    loop = asyncio.new_event_loop()
    proxy = Proxy("", plan, stall, (target.hostname, target.port))
    server = loop.run_until_complete(asyncio.start_server(proxy.serve, "127.0.0.1", 0, limit=1 << 20, backlog=1024))
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield proxy
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end(server: asyncio.Server) -> None:
    server.close()
    # A connection that was just accepted begins its task only now; one that ends closes its transport in the next turn.
    while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _reset(writer: asyncio.StreamWriter) -> bool:
    """End a connection so that the other side sees it reset, not closed."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    return False
