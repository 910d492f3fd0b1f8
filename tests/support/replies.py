"""A server that answers as a test says: for what the emulator does not do, such as refusing."""

import contextlib
import http.server
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Asked:
    """A request: `METHOD /path?query`, its headers (lower case) and its body."""

    line: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[Asked], tuple[int, bytes]]


@dataclass
class Server:
    """A running server: its URL and what it was asked."""

    url: str
    answer: Answer
    asked: list[Asked] = field(default_factory=list)
    ended: bool = False


@contextlib.contextmanager
def running(answer: Answer) -> Iterator[Server]:
    """Run a server on 127.0.0.1 that gives each request's status and body by `answer`."""
    found = Server("", answer)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked = Asked(
                f"{self.command} {self.path}", {key.lower(): value for key, value in self.headers.items()}, body
            )
            if found.ended:  # a connection outlives the server that took it
                self.close_connection = True
                return
            found.asked.append(asked)
            status, reply = found.answer(asked)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        do_DELETE = do_GET = do_PATCH = do_POST = do_PUT = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    class Listener(http.server.ThreadingHTTPServer):
        request_queue_size = 1024

        def handle_error(self, *_: object) -> None:
            """Say nothing: a client that got an error hangs up on its other requests."""

    server = Listener(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield found
    finally:
        found.ended = True
        server.shutdown()
        thread.join()
        server.server_close()
