"""Runs an app on a port until a signal ends it."""

import contextlib
import errno
import logging
import os
import socket

import uvicorn
from starlette.applications import Starlette

from exporter.errors import UsageError

logger = logging.getLogger(__name__)


def run_app(app: Starlette, what: str, host: str, port: int) -> None:
    """Run an app until Ctrl-C or SIGTERM; log what it serves and its URL.

    Raises:
        UsageError: there is no listening on `host` and `port`.
    """
    with listen(host, port) as listener:
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level="warning",
            lifespan="off",
            ws="none",
            server_header=False,
            # Seconds that Ctrl-C leaves to a download that is under way.
            timeout_graceful_shutdown=2,
        )
        shown = f"[{host}]" if ":" in host else host
        logger.info("serving %s at http://%s:%d/", what, shown, listener.getsockname()[1])
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0: a free one.

    Raises:
        UsageError: nobody may listen there, or somebody does already.
    """
    # getaddrinfo would make port 4464 of 70000 without a word.
    if not 0 <= port <= 65535:
        raise UsageError(f"{port} is no port: it must be 0 to 65535")
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address, family=family)
        # asyncio does so for its own sockets alone; without it each body waits 40 ms for an acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except (OSError, UnicodeError) as error:
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            message = f"port {port} of {host} is taken: choose another one, or 0 for any that is free"
        else:
            code = getattr(error, "errno", None) or 0
            why = os.strerror(code) if code > 0 else error
            message = f"cannot listen on port {port} of {host}: {why}"
        raise UsageError(message) from error
