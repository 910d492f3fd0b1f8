"""A TCP proxy before a database server that loses connections as networks and restarting servers do."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

Mode = Literal["pass", "silent", "cut"]
"""What happens to a connection: all passes; after the handshake nothing passes any more, and nobody closes; it is
closed at once."""


@dataclass
class TcpProxy:
    """A running proxy. `mode` returns what happens to the connection of a number, from 1; `after` is how many bytes a
    silent connection passes from the server first."""

    port: int
    upstream: tuple[str, int]
    mode: Callable[[int], Mode]
    after: int
    connections: int = 0
    _open: list[socket.socket] = field(default_factory=list)

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            mode = self.mode(self.connections)
            if mode == "cut":
                client.close()
                continue
            server = socket.create_connection(self.upstream)
            self._open += [client, server]
            limit = self.after if mode == "silent" else None
            for source, target, most in ((client, server, None), (server, client, limit)):
                threading.Thread(target=self._copy, args=(source, target, most), daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket, most: int | None) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if most is not None and (most := most - len(data)) < 0:
                    continue  # read and thrown away
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        for one in self._open:
            one.close()


@contextlib.contextmanager
def running(
    upstream: tuple[str, int], mode: Callable[[int], Mode], after: int = 2_000, host: str = "127.0.0.1"
) -> Iterator[TcpProxy]:
    """Run a proxy before a server, on a free port of an address of this machine."""
    with socket.create_server((host, 0)) as listener:
        proxy = TcpProxy(listener.getsockname()[1], upstream, mode, after)
        thread = threading.Thread(target=proxy.serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            proxy.close()
            thread.join(10)
