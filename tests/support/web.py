"""A web server that answers readers as a test says: right, late, broken off, or with malice."""

import contextlib
import gzip
import http.server
import pathlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Reply:
    """What is answered. `cut` of the body's last bytes are promised but not sent."""

    body: bytes | Iterable[bytes] = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int = 0


RESET = None
"""In the place of a reply: the connection ends without one."""


@dataclass
class Asked:
    """A request: path, and headers in lower case."""

    path: str
    headers: dict[str, str]


Answer = Callable[[Asked], Reply | None]


@dataclass
class Server:
    """A running server: its URL, what it answers, and what it was asked."""

    url: str
    answer: Answer
    asked: list[Asked] = field(default_factory=list)


def files(root: pathlib.Path) -> Answer:
    """Answer with the files below a folder, as a bucket does."""

    def answer(asked: Asked) -> Reply:
        file = root / asked.path.lstrip("/")
        if not file.is_file():
            return Reply(b"<Error>NoSuchKey</Error>", 404)
        body = file.read_bytes()
        etag = f'"{hash(body)}"'
        if asked.headers.get("if-none-match") == etag:
            return Reply(status=304, headers={"ETag": etag})
        if "gzip" not in asked.headers.get("accept-encoding", ""):
            return Reply(body, headers={"ETag": etag})
        return Reply(gzip.compress(body, 1), headers={"ETag": etag, "Content-Encoding": "gzip"})

    return answer


class HttpServer(http.server.ThreadingHTTPServer):
    """One that many can connect to at once: whoever finds no place in the queue tries again a second later."""

    request_queue_size = 128


@contextlib.contextmanager
def running(answer: Answer, hold: threading.Event | None = None) -> Iterator[Server]:
    """Run a server on 127.0.0.1 while the block lasts. A connection with a cut reply stays open until `hold` is set."""
    found = Server("", answer)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = Asked(self.path, {name.lower(): value for name, value in self.headers.items()})
            found.asked.append(asked)
            reply = found.answer(asked)
            if reply is RESET:
                return
            self.send_response(reply.status)
            body = reply.body
            length = {"Content-Length": str(len(body))} if isinstance(body, bytes) else {}
            for name, value in {**length, **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):  # the reader has had enough
                for part in [body[: len(body) - reply.cut]] if isinstance(body, bytes) else body:
                    self.wfile.write(part)
                if hold and reply.cut:
                    hold.wait(20)

        def log_message(self, *_: object) -> None:
            pass

    with HttpServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
