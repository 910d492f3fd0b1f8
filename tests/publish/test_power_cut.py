"""A machine that loses power while documents are published: no published path is ever empty or torn.

Real file systems, XFS and ext4, are mounted from images, and shut down at many moments while another process publishes
version after version of the same documents. After the remount a reader looks at every path.
"""

import contextlib
import hashlib
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from exporter.publish.local.folder_store import LocalStore

pytestmark = pytest.mark.soak

ROUNDS = 8
DOCUMENTS = 600

# Publishes version after version, all documents and then a manifest, and says which manifest the disk has for sure.
PROGRAM = """
import pathlib, sys
from exporter.publish.local import folder_store
from exporter.publish.local.folder_store import LocalStore
from tests.publish.test_power_cut import DOCUMENTS, document

folder_store._BATCH = 150
store = LocalStore(pathlib.Path(sys.argv[1]) / "site")
version = int(sys.argv[2])
while True:
    version += 1
    store.write((f"v1/runs/{n % 30}/{n}.json", document(n, version)) for n in range(DOCUMENTS))
    store.write([(f"v1/new/{version}.json", document(0, version))])
    found = store.get("v1/manifest.json")
    store.replace("v1/manifest.json", document(0, version), found.version if found else "")
    print(version, flush=True)
"""

FIRST = """
import pathlib, sys, time
from exporter.publish.local.folder_store import LocalStore
from tests.publish.test_power_cut import DOCUMENTS, document

store = LocalStore(pathlib.Path(sys.argv[1]))
store.write((f"v1/runs/{n % 30}/{n}.json", document(n, 1)) for n in range(DOCUMENTS))
print(1, flush=True)
store.replace("v1/manifest.json", document(0, 1), "")
time.sleep(60)
"""


def document(number: int, version: int) -> bytes:
    """A document that shows whether it is whole: its first line is the digest of the rest."""
    body = b"%d %d " % (number, version) * (1 + number % 400)
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def version_of(data: bytes) -> int:
    """The version of a document, which must be whole."""
    digest, _, body = data.partition(b"\n")
    assert hashlib.sha256(body).hexdigest().encode() == digest, f"torn: {data[:100]!r}, {len(data)} bytes"
    return int(body.split()[1])


@contextlib.contextmanager
def image(kind: str, folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """An image with a new file system, and a folder to mount it at. Skips where that is not possible."""
    needed = [f"mkfs.{kind}", "xfs_io", "mount"]
    if os.geteuid() or not all(map(shutil.which, needed)):
        if os.environ.get("CI") and not os.geteuid():
            pytest.fail(f"needs {', '.join(needed)}: install xfsprogs and e2fsprogs")
        pytest.skip("needs root, xfsprogs and e2fsprogs")
    file, place = folder / "image", folder / "mounted"
    place.mkdir()
    with file.open("wb") as made:
        made.truncate(400 << 20)
    subprocess.run([f"mkfs.{kind}", "-q", file], check=True)
    if subprocess.run(["mount", "-o", "loop", file, place], capture_output=True, check=False).returncode:
        pytest.skip("needs to mount a file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def cut(place: pathlib.Path, *, flush_log: bool) -> None:
    """Shut a mounted file system down, as a loss of power does, and mount it again."""
    command = ["xfs_io", "-x", "-c", "shutdown -f" if flush_log else "shutdown", place]
    subprocess.run(command, check=True)


def remount(kind: str, place: pathlib.Path) -> None:
    """Mount a copy of what is on the disk: the shut down file system may live on in another mount namespace."""
    subprocess.run(["umount", place], check=True)
    file, copy = place.parent / "image", place.parent / "copy"
    subprocess.run(["cp", "--sparse=always", file, copy], check=True)
    copy.replace(file)
    options = "loop,nouuid" if kind == "xfs" else "loop"
    subprocess.run(["mount", "-o", options, file, place], check=True)


@pytest.mark.parametrize("kind", ["xfs", "ext4"])
def test_no_published_document_is_ever_empty_or_torn(kind: str, tmp_path: pathlib.Path) -> None:
    dice = random.Random(kind)
    durable = 0
    with image(kind, tmp_path) as place:
        for round_ in range(ROUNDS):
            process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, place, str(durable)],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            assert process.stdout
            durable = int(process.stdout.readline())
            time.sleep(dice.random())
            cut(place, flush_log=round_ % 2 == 0)
            durable = max([durable, *map(int, process.stdout.read().split())])
            process.wait(30)
            process.stdout.close()
            remount(kind, place)
            durable = walk(LocalStore(place / "site"), durable)


@pytest.mark.parametrize("kind", ["xfs", "ext4"])
def test_a_first_manifest_names_whole_documents(kind: str, tmp_path: pathlib.Path) -> None:
    """Before it, the store waits for no document; all of them are on the disk when it is there."""
    dice = random.Random(kind)
    published = 0
    with image(kind, tmp_path) as place:
        for round_ in range(ROUNDS):
            root = place / str(round_)
            process = subprocess.Popen([sys.executable, "-c", FIRST, root], stdout=subprocess.PIPE, text=True)
            assert process.stdout
            process.stdout.readline()
            time.sleep(dice.random() * 0.3)
            cut(place, flush_log=round_ % 2 == 0)
            process.kill()
            process.wait(30)
            process.stdout.close()
            remount(kind, place)
            store = LocalStore(root)
            if store.get("v1/manifest.json"):
                published += 1
                for number in range(DOCUMENTS):
                    found = store.get(f"v1/runs/{number % 30}/{number}.json")
                    assert found is not None
                    version_of(found.data)
    assert published


def walk(store: LocalStore, durable: int) -> int:
    """Look at all that is published, of which at least version `durable` is; return the manifest's version."""
    manifest = store.get("v1/manifest.json")
    assert manifest is not None
    published = version_of(manifest.data)
    assert published >= durable, "a manifest that was said to be durable is lost"
    for number in range(DOCUMENTS):
        found = store.get(f"v1/runs/{number % 30}/{number}.json")
        assert found is not None
        assert published <= version_of(found.data) <= published + 1
    for entry in store.list("v1/new/"):
        found = store.get(entry.path)
        assert found is not None and f"v1/new/{version_of(found.data)}.json" == entry.path
    assert store.get(f"v1/new/{published}.json") is not None
    store.sweep()
    return published
