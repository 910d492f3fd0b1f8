"""A bucket that swallows: takes JSON-API uploads over TLS or plain HTTP, checks each body's CRC32C, keeps no document.

It runs in a process of its own, so that a client's CPU can be measured apart from it, and answers each request after
a configurable time, as a distant server would. It keeps the properties of all objects, and the bodies of those that an
export must find again, its manifests, lease and state, so that whole exports can go there. A body whose CRC32C is not
the one its metadata names gets 400, a write on a condition that does not hold 412.
"""

import argparse
import asyncio
import base64
import bisect
import contextlib
import datetime
import functools
import ipaddress
import os
import pathlib
import re
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import parse_qsl, unquote, urlsplit

import google_crc32c
import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Sink:
    """A running sink: its base URL and, for TLS, the file of the certificate to trust."""

    url: str
    certificate: pathlib.Path | None
    says: IO[str]

    def published(self) -> float:
        """When the next `manifest.json` came, by `time.monotonic`; waits for it."""
        return float(self.says.readline())

    def environment(self) -> dict[str, str]:
        """What makes both of the store's clients talk to this sink."""
        trust = {"REQUESTS_CA_BUNDLE": str(self.certificate)} if self.certificate else {}
        return {"STORAGE_EMULATOR_HOST": self.url, **trust}


@contextlib.contextmanager
def running(latency: float = 0.04, *, tls: bool = True) -> Iterator[Sink]:
    """Run a sink that answers after `latency` seconds, until the block ends."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--latency", str(latency)]
        certificate = None
        if tls:
            certificate = _certificate(pathlib.Path(folder))
            command += ["--certificate", str(certificate)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout
            port = int(process.stdout.readline())
            yield Sink(f"{'https' if tls else 'http'}://127.0.0.1:{port}", certificate, process.stdout)
        finally:
            process.terminate()
            process.communicate()


def _certificate(folder: pathlib.Path) -> pathlib.Path:
    """Make a key and a certificate for 127.0.0.1, both in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "sink.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return file


class _Connection(asyncio.Protocol):
    """One HTTP/1.1 connection with one request at a time, which is all that the clients send."""

    generation = 1

    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._received = bytearray()
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._received[:end])
        start = head.lower().find(b"content-length:")
        length = int(head[start + 15 : (head + b"\r").find(b"\r", start)]) if start >= 0 else 0
        if len(self._received) < end + 4 + length:
            return
        body = bytes(self._received[end + 4 : end + 4 + length])
        self._received.clear()
        status, answer = _answer(head, body)
        _Connection.generation += 1
        reply = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
            status,
            len(answer),
            answer,
        )
        self._loop.call_later(self._latency, self._transport.write, reply)
        if head.partition(b"\r\n")[0].endswith(b"HTTP/1.0"):
            self._loop.call_later(self._latency, self._transport.close)


_KEPT = re.compile(r"(^|/)(v1/(manifest|pending)|_state/)")
_objects: dict[str, tuple[dict[str, Any], bytes]] = {}
"""Name → properties, and the body of what an export must find again."""
_names: list[str] = []
_unsorted: list[str] = []
"""All names, those in order and those that came since."""


def _sorted() -> list[str]:
    if _unsorted:
        _names.extend(_unsorted)
        _unsorted.clear()
        _names.sort()
    return _names


@functools.lru_cache(maxsize=1024)
def _asked(target: bytes) -> dict[str, str]:
    """The parameters of a request."""
    return dict(parse_qsl(urlsplit(target.decode()).query))


def _answer(head: bytes, body: bytes) -> tuple[bytes, bytes]:
    if head.startswith(b"POST /upload/"):
        boundary = body[: body.index(b"\r\n")]
        _, metadata, media, _ = body.split(boundary)
        named = orjson.loads(metadata.partition(b"\r\n\r\n")[2])
        content = media.partition(b"\r\n\r\n")[2][:-2]
        if base64.b64encode(google_crc32c.value(content).to_bytes(4, "big")).decode() != named.get("crc32c"):
            return b"400 Bad Request", b'{"error": {"code": 400, "message": "CRC32C is wrong"}}'
        name, asked = named["name"], _asked(head.split(b" ", 2)[1])
        before = _objects[name][0]["generation"] if name in _objects else "0"
        if asked.get("ifGenerationMatch", before) != before:
            return b"412 Precondition Failed", b'{"error": {"code": 412, "message": "conditionNotMet"}}'
        found = {"name": name, "generation": str(_Connection.generation), "size": str(len(content))}
        if name not in _objects:
            _unsorted.append(name)
        _objects[name] = {**named, **found}, content if _KEPT.search(name) else b""
        if name.endswith("v1/manifest.json"):
            print(time.monotonic(), flush=True)
        return b"200 OK", orjson.dumps({**found, "crc32c": named["crc32c"]})
    target = urlsplit(head.split(b" ", 2)[1].decode())
    asked = dict(parse_qsl(target.query))
    if target.path.endswith("/o"):
        return b"200 OK", orjson.dumps(_listing(asked))
    name = unquote(target.path.partition("/o/")[2])
    if name not in _objects:
        return b"404 Not Found", b'{"error": {"code": 404, "message": "No such object"}}'
    if head.startswith(b"DELETE "):
        del _objects[name]
        names = _sorted()
        del names[bisect.bisect_left(names, name)]
        return b"204 No Content", b""
    kept, content = _objects[name]
    if asked.get("alt") != "media":
        return b"200 OK", orjson.dumps(kept)
    headers = f"x-goog-generation: {kept['generation']}\r\nx-goog-hash: crc32c={kept['crc32c']}"
    if kept.get("contentEncoding"):
        headers += "\r\nContent-Encoding: gzip\r\nx-goog-stored-content-encoding: gzip"
    return b"200 OK\r\n" + headers.encode(), content


def _listing(asked: dict[str, str]) -> dict[str, Any]:
    """A page of names, which the next one goes on from."""
    begins = asked.get("prefix", "")
    start = max(begins, asked.get("startOffset", ""), asked.get("pageToken", ""))
    end = min(begins + "\U0010ffff", asked.get("endOffset") or "\U0010ffff")
    names = _sorted()
    first, last = bisect.bisect_left(names, start), bisect.bisect_left(names, end)
    size = int(asked.get("maxResults", "1000"))
    found: dict[str, Any] = {
        "kind": "storage#objects",
        "items": [_objects[name][0] for name in names[first : min(last, first + size)]],
    }
    return found | ({"nextPageToken": names[first + size]} if first + size < last else {})


async def _serve(latency: float, certificate: str | None) -> None:
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    server = await asyncio.get_running_loop().create_server(
        lambda: _Connection(latency), "127.0.0.1", 0, ssl=context, backlog=1024
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=0.04)
    parser.add_argument("--certificate")
    options = parser.parse_args()
    if os.environ.get("SINK_LOOP") != "asyncio":
        with contextlib.suppress(ImportError):
            import uvloop

            uvloop.install()
    asyncio.run(_serve(options.latency, options.certificate))
