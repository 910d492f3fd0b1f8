"""Commands in processes of their own that begin at once: each is forked off one that has loaded everything."""

import contextlib
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# Each line asks for one command; answered are its process and, when it has ended, its exit code.
_SERVER = """
import json, os, resource, signal, sys
from exporter.cli import main
from exporter.export import executor
from exporter.export import pipeline
from exporter.publish import verify
from exporter.publish.gcs import bucket_store
from exporter.publish.local import folder_store
for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if child == 0:
        os.setsid()
        for stream, path in enumerate((os.devnull, asked["stdout"], asked["stderr"])):
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND), stream)
        for name, limit in asked["limits"].items():
            resource.setrlimit(getattr(resource, name), (limit, limit))
        signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever began the tests may ignore it
        for name in asked["ignored"]:
            signal.signal(getattr(signal, name), signal.SIG_IGN)
        os.environ.update(asked["environment"])
        sys.argv = ["exporter", *asked["arguments"]]
        main.main()
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Commands:
    """Begins commands, one at a time; `folder` is where their output goes and, below `tmp`, their TMPDIR."""

    def __init__(self, server: "subprocess.Popen[bytes]", folder: pathlib.Path) -> None:
        assert server.stdin and server.stdout
        self._stdin, self._stdout = server.stdin, server.stdout
        self.stdout, self.stderr, self.temporary = folder / "stdout", folder / "stderr", folder / "tmp"
        self.temporary.mkdir()
        self.process = 0
        self._running = False

    def begin(
        self,
        *arguments: object,
        stderr: str | None = None,
        limits: Mapping[str, int] | None = None,
        ignored: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Begin a command in a session of its own, with limits on resources, ignoring some signals.

        One that a test has left behind, because it failed, is killed. So are the temporary files removed of one that
        was killed itself: the next export would remove them only a minute later.
        """
        self.end()
        shutil.rmtree(self.temporary)
        self.temporary.mkdir()
        for file in (self.stdout, self.stderr):
            file.write_text("")
        asked: dict[str, Any] = {
            "arguments": list(map(str, arguments)),
            "stdout": str(self.stdout),
            "stderr": stderr or str(self.stderr),
            "limits": limits or {},
            "ignored": ignored,
            "environment": {"TMPDIR": str(self.temporary), **(environment or {})},
        }
        self._stdin.write(json.dumps(asked).encode() + b"\n")
        self.process = int(self._stdout.readline())
        self._running = True

    def end(self) -> None:
        """Kill the command if it runs, or sleeps."""
        if self._running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process, signal.SIGKILL)
            self.exit_code()

    def ended(self, within: float) -> bool:
        """Wait a while for the command to end; whether it has."""
        return bool(select.select([self._stdout], [], [], within)[0])

    def exit_code(self) -> int:
        """Wait for the command to end."""
        code = int(self._stdout.readline())
        self._running = False
        return code

    def run(self, *arguments: object, **how: Any) -> int:
        """Begin a command and wait for its end."""
        self.begin(*arguments, **how)
        return self.exit_code()

    def workers(self) -> list[int]:
        """The processes that the command has begun, each from when it runs a program of its own."""
        with contextlib.suppress(OSError):
            children = pathlib.Path(f"/proc/{self.process}/task/{self.process}/children").read_text().split()
            programs = {child: pathlib.Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
            return [int(child) for child, program in programs.items() if b"multiprocessing" in program]
        return []

    def spent(self) -> float:
        """Seconds of processors that the command and its workers have taken."""
        spent = 0.0
        for one in (self.process, *self.workers()):
            with contextlib.suppress(OSError):
                spent += time.clock_gettime((~one << 3) | 2)  # another process's clock: clock_getcpuclockid(3)
        return spent

    def orphans(self) -> list[int]:
        """Processes that the command has begun and that go on when it has ended.

        Mostly they see at once that it has; one that has just begun sees nothing yet, and does nothing either.
        """
        ended = time.monotonic()
        while (alive := self._session()) and time.monotonic() - ended < 5:
            time.sleep(0.01)
        return alive

    def _session(self) -> list[int]:
        """Living processes of the command's session."""
        found = []
        for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                state, _, _, session = status.read_text().rpartition(")")[2].split()[:4]
                if int(session) == self.process and state != "Z":
                    found.append(int(status.parent.name))
        return found


@contextlib.contextmanager
def commands(folder: pathlib.Path) -> Iterator[Commands]:
    """Commands while the context lasts."""
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER],
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if not name.startswith("EXPORTER_")},
    ) as server:
        one = Commands(server, folder)
        try:
            yield one
        finally:
            one.end()
