#!/usr/bin/env python3
"""Runs every shell command of the documents, in their order: `.ci/documented.py USER`, as root of a chroot (.ci/fresh).

Commands are the lines of indented blocks and of blocks marked `sh`, the examples of README's table, and in deploy/ the
comments that are indented. An ordinary user runs them, or root where `sudo` or ROOT says so. The first that fails ends
it. NOT_RUN lists those that can't run in a chroot; one that neither is there nor begins with one of PROGRAMS is an
error. tests/deploy/test_documented.py reads all of them without running any.
"""

import contextlib
import dataclasses
import itertools
import pathlib
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator

TOP = pathlib.Path(__file__).resolve().parents[1]
PRELUDE = TOP / ".ci" / "session"
"""What the shell of each session begins with."""
FIRST = ("README.md", *(f"docs/{name}.md" for name in ("operating", "hook", "bucket", "scaling", "consumers")))
"""An operator's before a consumer's: what is read must be published. The others follow by name."""

NOT_RUN = {
    "docker ": "no container engine: .ci/image.py carries out the Dockerfile's steps",
    "kubectl ": "no cluster: tests/deploy/test_containers.py validates the file",
    "gcloud ": "Google Cloud",
    "exporter bucket ": "the emulator knows no settings: tests/publish/test_bucket.py has a server that does",
    "systemctl ": "systemd is not the first process: what the units start is run instead, see BEFORE",
    "make install": "what .ci/run does",
    "make test": "what .ci/run does; a part of it is run by .ci/fresh",
    "make lint": "what .ci/run does",
    ".venv/bin/pre-commit ": "needs make install, 1 GB",
}
"""How commands begin that can't run here, and why, or what stands for them."""

PROGRAMS = set(
    re.findall(
        r"\S+",
        """cd export while apt-get git make curl jq exporter python python3 pip openapi-python-client useradd runuser
        install cp ln nginx a2enmod a2ensite apache2ctl rsync openssl dask uvicorn""",
    )
)
"""What a chroot has; a command that begins otherwise must be in NOT_RUN."""

ROOT = {
    ("docs/operating.md", "Installing it"),
    ("docs/operating.md", "Starting over"),
    ("docs/operating.md", "Serving it"),
    ("docs/operating.md", "Copying it elsewhere"),
    ("docs/hook.md", "systemd"),
}
"""Sections that root runs."""

SERVERS = {"make demo": 8000, "exporter serve": 8080, "exporter live-api": 8080, "uvicorn": 8080}
SERVERS |= {"dask scheduler": 8786, "dask worker": 0}
"""Commands that do not end, and their ports: each runs until the port's next one, or until its session ends."""
PORTS = (3306, 4443, 8000, 8080, 8786)
"""Ports of the documents. A chroot shares those of its machine, so each becomes one that is free."""

URL = "mysql+pymysql://exporter:CHANGE-ME@127.0.0.1:3306/sample_platform"
DEMO = "http://127.0.0.1:8000"
PLACES = {
    r"URL-OF-THIS-REPOSITORY": "/srv/repository",
    r"--database-url URL\b": f"--database-url '{URL}'",
    r"--store STORE\b": "--store site",
    r"--sample-repository FOLDER\b": "--sample-repository files",
    r"\b9301\b": "290",
    r"--pr 123\b": "--pr $PULL_REQUEST",
    r"https://HOST\b": DEMO,
    r"https://storage\.googleapis\.com/BUCKET\b": DEMO,
    r"gs://BUCKET\b": "gs://$BUCKET",
    r"\b10\.0\.0\.1\b": "127.0.0.1",
    r"\bmirror\.example\.org:/srv/sample-platform-api/": "/srv/mirror/",
    r"…/": f"{DEMO}/v1/",
    r"\bmake demo\b": "make demo DEMO_PORT=8000",
    r"\bapt-get install\b": "apt-get install -yq",
}
"""What stands for a reader's own, and what it is here."""

BEFORE = {
    ("README.md", "With the platform's database"): """root:
        echo "   after make demo .venv has $(du -sm .venv | cut -f1) MB" >&4
        apt-get update -q
        apt-get install -yq mariadb-server nginx-light apache2 systemd logrotate rsync openssl patch
        install -d -o mysql /srv/mysql
        mariadb-install-db --user=mysql --datadir=/srv/mysql --auth-root-authentication-method=normal
        background mariadbd --no-defaults --user=mysql --datadir=/srv/mysql --bind-address=127.0.0.1 --port=3306 \\
            --socket=/srv/mysql/socket
        answers 3306
        runuser -u $ordinary -- .venv/bin/exporter demo --sample-repository files \\
            --database-url mysql+pymysql://root@127.0.0.1:3306/sample_platform
        mariadb --socket=/srv/mysql/socket </srv/blocks/README.sql""",
    ("README.md", "Commands"): """
        serve 8000 exporter serve build/demo/site --port 8000
        pip install -q pyarrow
        exporter snapshot --database-url sqlite:///build/demo/platform.sqlite --store build/demo/site
        PULL_REQUEST=$(basename -s .json build/demo/site/v1/runs/by-pr/*.json | tail -1)
        emulated
        exporter export --store gs://$BUCKET""",
    ("docs/operating.md", "Running it"): """root:
        cat /srv/blocks/README.toml >/etc/exporter/exporter.toml""",
    ("docs/operating.md", "Starting over"): """root:
        mv /srv/sample-platform-api /srv/api-old
        ln -s api-old /srv/sample-platform-api""",
    # Both servers with the files as they were put there, at a port that is free.
    ("docs/operating.md", "`exporter serve`"): """root:
        rm /etc/nginx/sites-enabled/default
        sed -i 's/listen 80;/listen 127.0.0.1:8080;/' /etc/nginx/sites-available/sample-platform-api
        serve 8080 nginx -g 'daemon off;'
        .venv/bin/exporter mirror http://127.0.0.1:8080/v1/ /srv/from-nginx
        rm /etc/apache2/sites-enabled/000-default.conf
        echo 'Listen 127.0.0.1:8080' >/etc/apache2/ports.conf
        sed -i 's/VirtualHost \\*:80>/VirtualHost *:8080>/' /etc/apache2/sites-available/sample-platform-api.conf
        serve 8080 apache2ctl -D FOREGROUND
        .venv/bin/exporter mirror http://127.0.0.1:8080/v1/ /srv/from-apache
        diff -r /srv/from-nginx/v1 /srv/from-apache/v1""",
    ("docs/operating.md", "Copying it elsewhere"): """root:
        install -d /srv/mirror/v1""",
    # The units' commands with their settings, as their user; the platform's code; what rotates the log.
    ("docs/hook.md", "cron"): """root:
        systemd-analyze verify /etc/systemd/system/exporter-*
        sed -i 's/:33[0-9]*/:3306/' /etc/exporter/exporter.env
        as_unit() { runuser -u exporter -- sh -c "set -ae; . /etc/exporter/exporter.env; $1"; }
        sed -n 's/^ExecStart=//p' deploy/*.service | sed s/%i/290/ >/srv/started
        while read -r line; do as_unit "$line </dev/null"; done </srv/started
        { cat /srv/blocks/hook.python; echo 'publish(290)'; } >/srv/platform.py
        as_unit 'python3 /srv/platform.py' >/srv/warned 2>&1
        [ ! -s /srv/warned ]
        as_unit '/opt/exporter/.venv/bin/exporter hook --wait'
        logrotate --debug /etc/logrotate.d/exporter""",
    ("docs/hook.md", "How fresh"): """root:
        install -d -o exporter /var/lib/node_exporter""",
    ("docs/bucket.md", "Setting one up"): "emulated",
    ("docs/scaling.md", "On a Dask cluster"): """
        emulated
        mkdir -p ~/.config/dask
        sed "s,/etc/dask,$PWD,g" /srv/blocks/scaling.yaml >~/.config/dask/tls.yaml""",
    ("docs/consumers.md", "In Python"): """
        serve 8000 exporter serve build/demo/site --port 8000
        pip install -q pandas pyarrow duckdb
        mkdir ../consumer; cd ../consumer""",
    # A difference of the demo that `patch` applies, under the names of the text.
    ("docs/contract.md", "What `patch` applies"): """
        mkdir -p ../patch/v1/diffs; cd ../patch
        found=$(grep -l '"patch":"' ../sample-platform-exporter/build/demo/site/v1/diffs/*.json | tail -1)
        cp "$found" v1/diffs/EXPECTED-GOT.json
        expected=$(basename "$found")
        cp ../sample-platform-exporter/files/TestResults/${expected%%-*}.* EXPECTED-FILE
        serve 8000 python3 -m http.server --bind 127.0.0.1 8000""",
}
"""What comes before the first command of a section: what its text says that a reader has by then. Root runs `root:`."""


@dataclasses.dataclass(frozen=True)
class Command:
    """One command of a document: where it stands, its section's heading, and its lines."""

    document: str
    line: int
    section: str
    text: str

    @property
    def reason(self) -> str:
        """Why it is not run; else empty."""
        return next((why for start, why in NOT_RUN.items() if self.text.startswith(start)), "")

    @property
    def program(self) -> str:
        """What it calls first, after variables; empty if it sets variables alone."""
        words = (word for word in self.text.removeprefix("sudo ").split() if not re.match(r"\w+=", word))
        return next(words, "").rpartition("/")[2]

    @property
    def port(self) -> int | None:
        """Of a command that does not end by itself, else None."""
        return next((port for part, port in SERVERS.items() if part in self.text), None)

    @property
    def root(self) -> bool:
        """Whether root runs it."""
        return self.text.startswith(("sudo ", "runuser ")) or (self.document, self.section) in ROOT

    @property
    def concrete(self) -> str:
        """As it is run: what stands for a reader's own is replaced."""
        text = self.text.removeprefix("sudo ")
        for pattern, value in PLACES.items():
            text = re.sub(pattern, lambda _, value=value: value, text)
        return text


@dataclasses.dataclass(frozen=True)
class Block:
    """A block of code: its language (empty if it is indented), the number of its first line, its section and lines."""

    language: str
    line: int
    section: str
    lines: tuple[str, ...]


def blocks(page: str) -> Iterator[Block]:
    """The blocks of a Markdown page: those between fences, and indented ones that follow an empty line."""
    section, lines, number = "", page.splitlines(), 0
    while number < len(lines):
        line, end = lines[number], number + 1
        if fence := re.fullmatch(r"```(\w*)", line):
            end = lines.index("```", end)
            yield Block(fence[1] or "text", number + 2, section, tuple(lines[number + 1 : end]))
            end += 1
        elif line.startswith("    ") and not lines[number - 1]:
            while end < len(lines) and lines[end].startswith("    "):
                end += 1
            yield Block("", number + 1, section, tuple(one[4:] for one in lines[number:end]))
        elif heading := re.fullmatch(r"#+ (.*)", line):
            section = heading[1]
        number = end


def whole(lines: tuple[str, ...], first: int) -> Iterator[tuple[int, str]]:
    """Commands of a shell's lines, each with the number of its first line: as many lines as bash takes for complete."""
    start = 0
    for end in range(1, len(lines) + 1):
        text = "\n".join(lines[start:end])
        if lines[end - 1].endswith("\\") or subprocess.run(["bash", "-n"], input=text, text=True, stderr=-3).returncode:
            continue
        if not all(line.startswith("#") or not line for line in lines[start:end]):
            yield first + start, text
        start = end
    if start < len(lines):
        yield first + start, "\n".join(lines[start:])


def cron(lines: tuple[str, ...]) -> tuple[str, ...]:
    """Lines of a file of /etc/cron.d as cron runs them: by their user, in that user's home."""
    found = [re.fullmatch(r"(?:\S+ ){5} *(\w+)  +(.*)", line) for line in lines]
    return tuple(f"runuser -l {one[1]} -s /bin/sh -c {shlex.quote(one[2])}" if one else "#" for one in found)


def commands(document: str) -> Iterator[Command]:
    """The commands of one document, in its order."""
    page = (TOP / document).read_text()
    if not document.endswith(".md"):
        for number, line in enumerate(page.splitlines(), 1):
            if line.startswith("#     "):
                yield Command(document, number, "", line[6:])
        return
    for block in blocks(page):
        lines = block.lines
        if block.language == "python" and document == "docs/consumers.md":
            yield Command(document, block.line, block.section, "\n".join(["python - <<'PYTHON'", *lines, "PYTHON"]))
        if block.language not in ("", "sh"):
            continue
        if any(re.match(r"\S+ \* \* \* \* ", line) for line in lines):
            lines = cron(lines)
        for line, text in whole(lines, block.line):
            yield Command(document, line, block.section, text)
    for number, line in enumerate(page.splitlines(), 1):
        if example := re.fullmatch(r"\| `exporter .*\| `(exporter .*)` \|", line):
            yield Command(document, number, "Commands", example[1])


def documents() -> list[str]:
    """All that hold commands, in the order in which they are run."""
    found = itertools.chain.from_iterable(map(TOP.glob, ("*.md", "docs/**/*.md", "deploy/*")))
    pages = sorted(str(page.relative_to(TOP)) for page in found)
    return [*FIRST, *(page for page in pages if page not in FIRST)]


def sessions() -> Iterator[tuple[bool, list[str]]]:
    """All that is run, as one shell runs it after another: whether as root, and the lines of its script."""
    begun = set()
    for document in documents():
        steps = []
        for command in commands(document):
            if command.reason:
                continue
            if command.program not in PROGRAMS | {""}:
                sys.exit(f"{document}:{command.line}: {command.program} is in neither PROGRAMS nor NOT_RUN")
            place = (document, command.section)
            if place in BEFORE and place not in begun:
                text = BEFORE[place].removeprefix("root:")
                steps.append((text != BEFORE[place], f"{document}: before {command.section}", text))
            begun.add(place)
            text = command.concrete
            if command.port is not None:
                text = f"serve {command.port} bash -c {shlex.quote(text)}"
            steps.append((command.root, f"{document}:{command.line}: {command.text.splitlines()[0][:100]}", text))
        for root, group in itertools.groupby(steps, lambda step: step[0]):
            lines = []
            for _, title, text in group:
                lines += [f"begins {shlex.quote(title)}", "{", text, '} >"$out" 2>&1 </dev/null']
                lines.append(f"ended $? {shlex.quote(text)}")
            yield root, lines


def free_ports() -> dict[str, str]:
    """For each port of the documents one of this machine that is free."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in PORTS]
        return {str(port): str(probe.getsockname()[1]) for port, probe in zip(PORTS, probes, strict=True)}


def main(user: str) -> None:
    """Run all; end at the first that fails."""
    ports = free_ports()

    def here(text: str) -> str:
        return re.sub(rf"\b({'|'.join(ports)})\b", lambda found: ports[found[1]], text)

    for name, language, lines in itertools.chain.from_iterable(
        ((pathlib.Path(document).stem, block.language, block.lines) for block in blocks((TOP / document).read_text()))
        for document in FIRST
    ):
        file = pathlib.Path(f"/srv/blocks/{name}.{language}")
        if not file.exists():
            file.parent.mkdir(exist_ok=True)
            file.write_text(here("\n".join(lines)) + "\n")
    for root, lines in list(sessions()):  # all, so that a mistake shows at once
        script = pathlib.Path("/srv/session")
        script.write_text(here("\n".join([PRELUDE.read_text(), *lines, ""])))
        name = "root" if root else user
        environment = {
            "HOME": pathlib.Path(f"~{name}").expanduser(),
            "PATH": "/usr/local/bin:/usr/bin:/bin" + ":/usr/local/sbin:/usr/sbin:/sbin" * root,
            "LC_ALL": "C.UTF-8",
            "DEBIAN_FRONTEND": "noninteractive",
            "PLATFORM_DATABASE_URL": here(URL),
            "STORE": "site",
            "RUN_ID": "290",
        }
        variables = [f"{key}={value}" for key, value in environment.items()]
        command: list[str | pathlib.Path] = ["runuser", "-u", name, "--", "env", "-i", *variables, "bash", script, user]
        if code := subprocess.run(command, check=False).returncode:
            sys.exit(code)


if __name__ == "__main__":
    main(sys.argv[1])
