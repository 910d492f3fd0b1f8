"""A network of its own for tests that run as root: a bridge of this machine, and network namespaces behind it."""

import contextlib
import pathlib
import secrets
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from tests.support import needs


@dataclass(frozen=True)
class Network:
    """A network: this machine's address in it, and the names of its namespaces, each with an address of its own."""

    address: str
    namespaces: Sequence[str]

    def inside(self, number: int, hidden: pathlib.Path) -> list[str]:
        """The beginning of a command line that runs in a namespace, and sees a tmpfs of its own at the folder `hidden`.

        The command begins in its `TMPDIR`, which is made.
        """
        script = 'mount -t tmpfs tmpfs "$0" && mkdir -p "$TMPDIR" && cd "$TMPDIR" && exec "$@"'
        namespace = ["ip", "netns", "exec", self.namespaces[number]]
        return [*namespace, "unshare", "--mount", "sh", "-c", script, str(hidden)]

    def cut(self, number: int) -> None:
        """Let no packet to or from a namespace pass: nobody is told."""
        _ip("link", "set", f"{self.namespaces[number]}h", "down")


@contextlib.contextmanager
def running(count: int) -> Iterator[Network]:
    """A network with so many namespaces until the block ends; in most containers not even root may make one.

    Its addresses are of 198.18.0.0/15, which RFC 2544 keeps for tests of networks.
    """
    needs.program("ip", "iproute2")
    name, third = f"ex{secrets.token_hex(3)}", secrets.randbelow(256)
    namespaces = [f"{name}-{number}" for number in range(count)]
    with contextlib.ExitStack() as made:
        if _refused(made, ["link", "del", name], "link", "add", name, "type", "bridge"):
            pytest.skip("needs to make a network")
        _ip("addr", "add", f"198.18.{third}.1/24", "dev", name)
        _ip("link", "set", name, "up")
        for number, namespace in enumerate(namespaces):
            if _refused(made, ["netns", "del", namespace], "netns", "add", namespace):
                pytest.skip("needs to make network namespaces")
            # A namespace outlives its name as long as connections wait for answers; the cable must not.
            _ip("link", "add", f"{namespace}h", "type", "veth", "peer", "name", "eth0", "netns", namespace)
            made.callback(_ip, "link", "del", f"{namespace}h")
            _ip("link", "set", f"{namespace}h", "master", name, "up")
            _ip("-n", namespace, "addr", "add", f"198.18.{third}.{number + 2}/24", "dev", "eth0")
            _ip("-n", namespace, "link", "set", "eth0", "up")
            _ip("-n", namespace, "link", "set", "lo", "up")
        yield Network(f"198.18.{third}.1", namespaces)


def _refused(made: contextlib.ExitStack, undo: Sequence[str], *command: str) -> bool:
    """Carry out a command of `ip` that `undo` takes back in the end; whether this machine refuses it."""
    if subprocess.run(["ip", *command], capture_output=True, check=False).returncode:
        return True
    made.callback(_ip, *undo)
    return False


def _ip(*command: str) -> None:
    done = subprocess.run(["ip", *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(command)}: {done.stderr}"
