#!/usr/bin/env python3
"""Carries out the Dockerfile's steps in chroots, for machines without a container engine, and tries what they make.

As root on Debian: `.ci/image.py`. A debootstrapped Debian stands for the base image; instructions that the Dockerfile
does not use are an error. The result is run as the image's user, with a read-only root and a tmpfs as /tmp.
"""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[1]
CACHE = pathlib.Path(os.environ.get("CACHE", "/var/cache/sample-platform-exporter"))
NETWORK = ("/etc/resolv.conf", "/etc/hosts", "/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")
"""How this machine reaches the network is how the chroots do."""

# $1 is the root, $2 the folder, the rest the command. Mounts end with the process.
BUILD = """
set -eu; root=$1; folder=$2; shift 2
mount --rbind /dev "$root/dev"; mount -t proc proc "$root/proc"
exec chroot "$root" env -C "$folder" "$@"
"""
RUN = """
set -eu; root=$1; user=$2; shift 2
mount --bind "$root" "$root"; mount --rbind /dev "$root/dev"; mount -t proc proc "$root/proc"
mount -t tmpfs -o "mode=1777,size=512m" tmpfs "$root/tmp"
[ -z "${SHM-}" ] || mount -t tmpfs -o "$SHM" tmpfs "$root/dev/shm"
mount -o remount,bind,ro "$root"
exec chroot "$root" setpriv \\
    --reuid "${user%:*}" --regid "${user#*:}" --clear-groups --no-new-privs --bounding-set=-all "$@"
"""


class Stage:
    """One stage: its root, and what ENV, ARG, WORKDIR and the like have said so far."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root, self.folder, self.user = root, "/", "0:0"
        self.environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        self.arguments: dict[str, str] = {}
        self.entrypoint: list[str] = []
        self.command: list[str] = []
        self.health: list[str] = []


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions: name and rest, continued lines joined."""
    lines = [line for line in (TOP / "Dockerfile").read_text().splitlines() if line and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(name, rest) for name, rest in (line.split(None, 1) for line in joined.splitlines())]


def base(name: str) -> pathlib.Path:
    """A debootstrapped Debian for `debian:SUITE-slim`."""
    suite = re.fullmatch(r"debian:(\w+)-slim", name)
    if suite is None:
        sys.exit(f"FROM {name}: only debian:SUITE-slim can be made here")
    root = CACHE / f"base-{suite[1]}"
    if not root.with_suffix(".made").exists():
        shutil.rmtree(root, ignore_errors=True)
        CACHE.mkdir(parents=True, exist_ok=True)
        sources = pathlib.Path("/etc/apt/sources.list.d/debian.sources")
        mirror = re.findall(r"^URIs: *(\S+)", sources.read_text(), re.MULTILINE)[:1] if sources.exists() else []
        subprocess.run(
            ["debootstrap", "--variant=minbase", suite[1], root, *mirror], check=True, stdout=subprocess.DEVNULL
        )
        root.with_suffix(".made").touch()
    return root


def context(sources: list[str]) -> list[pathlib.Path]:
    """What COPY takes of the working tree: what .dockerignore lets through."""
    allowed = [line[1:] for line in (TOP / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for source in sources:
        if source not in allowed:
            sys.exit(f"COPY {source}: .dockerignore keeps it out")
    return [TOP / source for source in sources]


def copy(stages: dict[str, Stage], stage: Stage, rest: str) -> None:
    """COPY [--from=STAGE] SOURCE… TARGET."""
    words = shlex.split(rest)
    if words[0].startswith("--from="):
        other = stages[words.pop(0).removeprefix("--from=")]
        found = [other.root / word.lstrip("/") for word in words[:-1]]
    else:
        found = context(words[:-1])
    target = stage.root / f"{pathlib.PurePosixPath(stage.folder, words[-1])}".lstrip("/")
    for source in found:
        into = target / source.name if words[-1].endswith("/") else target
        if source.is_dir():
            shutil.copytree(
                source, into, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, into)


def step(stages: dict[str, Stage], stage: Stage, name: str, rest: str) -> None:
    """Carry out one instruction but FROM."""
    match name:
        case "RUN":
            for file in filter(os.path.exists, NETWORK):  # before each step: one may have installed others
                into = stage.root / file.lstrip("/")
                into.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, into)
            variables = [f"{key}={value}" for key, value in (stage.environment | stage.arguments).items()]
            inside(BUILD, stage.root, stage.folder, "env", "-i", *variables, "/bin/sh", "-c", rest)
        case "COPY":
            copy(stages, stage, rest)
        case "ENV" | "ARG":
            values = dict(word.split("=", 1) for word in shlex.split(rest))
            (stage.environment if name == "ENV" else stage.arguments).update(values)
        case "WORKDIR":
            stage.folder = rest
            (stage.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        case "USER":
            stage.user = rest
        case "VOLUME":
            if rest != "/tmp":
                sys.exit(f"VOLUME {rest}: only /tmp is tried here")
        case "HEALTHCHECK":
            stage.health = eval(rest[rest.index("CMD ") + 4 :], {"__builtins__": {}})
        case "ENTRYPOINT":
            stage.entrypoint = eval(rest, {"__builtins__": {}})
        case "CMD":
            stage.command = eval(rest, {"__builtins__": {}})
        case _:
            sys.exit(f"{name}: this script does not know the instruction")


def inside(script: str, *arguments: object, shm: str = "") -> None:
    """Run a script with mounts of its own; end if it fails."""
    command = ["unshare", "--mount", "sh", "-c", script, "sh", *map(str, arguments)]
    subprocess.run(command, check=True, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SHM": shm})


def build(folder: pathlib.Path) -> Stage:
    """Carry out all instructions; the last stage."""
    stages: dict[str, Stage] = {}
    stage = None
    for number, (name, rest) in enumerate(instructions()):
        print(f"== {name} {rest[:100]}", flush=True)
        if name == "FROM":
            image, _, label = rest.partition(" AS ")
            stage = stages[label or str(number)] = Stage(folder / (label or str(number)))
            subprocess.run(["cp", "-a", "--reflink=auto", base(image), stage.root], check=True)
        else:
            assert stage is not None, "an instruction before FROM"
            step(stages, stage, name, rest)
    assert stage is not None, "no FROM"
    return stage


def attempt(image: Stage) -> None:
    """Run the image: its command on made-up data, its health, with and without a /dev/shm that it may write."""
    settings = {
        "HOME": "/tmp",
        "EXPORTER_DATABASE_URL": "sqlite:////tmp/platform.sqlite",
        "EXPORTER_STORE": "/tmp/store",
        "EXPORTER_WORKERS": "2",
    }
    variables = " ".join(f"{key}={shlex.quote(value)}" for key, value in (image.environment | settings).items())
    script = f"""
        set -eux; cd {shlex.quote(image.folder)}; export {variables}
        [ "$(id -u)" != 0 ]
        if touch /written || touch /opt/written; then exit 1; fi
        if {shlex.join(image.health)}; then exit 1; fi
        {shlex.join(image.entrypoint)} demo --runs 250 --database-url "$EXPORTER_DATABASE_URL"
        {shlex.join([*image.entrypoint, *image.command])}
        {shlex.join(image.health)}
        {shlex.join(image.entrypoint)} verify
    """
    for shm in ("mode=1777", "mode=0755"):
        print(f"== the image, /dev/shm with {shm}", flush=True)
        inside(RUN, image.root, image.user, "sh", "-c", script, shm=shm)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="image-", dir=CACHE if CACHE.exists() else None) as work:
        attempt(build(pathlib.Path(work)))
    print("The image's steps work.")
