"""A server that answers as a test says: for what the emulator does not do, such as refusing."""

import base64
import contextlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import google_crc32c


@dataclass(frozen=True)
class Asked:
    """A request: `METHOD /path?query`, its headers (lower case) and its body."""

    line: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[Asked], tuple[int, bytes] | tuple[int, bytes, dict[str, str]]]
"""Request → status, body and, if need be, headers."""


def stored(asked: Asked) -> bytes:
    """What Google Cloud Storage answers to a one-request upload: the properties of what it received."""
    boundary = asked.body[: asked.body.index(b"\r\n")]
    _, resource, media, _ = asked.body.split(boundary)
    content = media.partition(b"\r\n\r\n")[2][:-2]
    found = {
        "kind": "storage#object",
        "name": json.loads(resource.partition(b"\r\n\r\n")[2])["name"],
        "generation": "1",
        "size": str(len(content)),
        "crc32c": base64.b64encode(google_crc32c.Checksum(content).digest()).decode(),
    }
    return json.dumps(found).encode()


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
            status, reply, *more = found.answer(asked)
            self.send_response(status)
            headers = {"Content-Type": "application/json", "Content-Length": str(len(reply))}
            for name, value in {**headers, **(more[0] if more else {})}.items():
                self.send_header(name, value)
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
