"""Whatever a value in the database is, the names made of it are safe in folders and buckets alike."""

import pathlib
import unicodedata

import pytest

from exporter import paths
from exporter.publish.gcs.bucket_store import GcsStore
from exporter.publish.local.folder_store import LocalStore
from exporter.publish.store import Store, is_path
from tests.support.emulator import Emulator, bucket, emulator  # noqa: F401

DOTS = ["", ".", "..", "...", ".hidden", "a.", "a..b", ". .", "..\\..", "%2e%2e", ".git", ".tmp", ".lock", "..;"]
SLASHES = ["/", "//", "/etc/passwd", "../../escaped", "a/../b", "a/./b", "a//b", "a/", "/a", "\\", "a\\b", "C:\\x", "∕"]
PERCENT = ["%", "%00", "%2F", "%2f..%2f", "%%", "%zz", "%25", "a%20b", "+", "a+b", "&amp;", "&#47;", "%c0%af"]
FORMS = [unicodedata.normalize(form, "Ａe\u0301ﬁ…Å") for form in ("NFC", "NFD", "NFKC", "NFKD")]
LETTERS = ["é", "e\u0301", "ß", "SS", "İ", "ı", "分支", "🙂", "\u202eevil", "\u200b", "\ufeff", "\u00a0", "\u2028", "١"]
CONTROL = ["\0", "a\0b", "\n", "a\nb", "a\r\nb", "\r", "\t", "\x1b[2J", "\x7f", "\x85", "\x9b", "a\n", "\n.json"]
LONG = ["x" * 80, "x" * 81, "x" * 255, "x" * 1024, "x" * 100_000, "é" * 512, "🙂" * 256, "/" * 1024, "." * 1024]
SIGNS = ["#", "a#b", "?", "a?b=c", "*", "[a]", "a|b", "<>", '"', "'", "`id`", "$(id)", ";", "&", "~", "~0123456789ab"]
SPACES = [" ", " a", "a ", "a b", "-rf", "--", "@", ":", "gs://other/x", "http://x/y", "file:///etc/passwd", "{}", "^"]
RESERVED = ["CON", "nul.json", "a.json", "manifest.json", "page", "archive", "by-branch", "index.html", "favicon.ico"]
WELL_KNOWN = [".well-known/acme-challenge/", ".well-known/acme-challenge/token", "/.well-known", "_state/plan.json"]
CASES = ["master", "Master", "MASTER", "v1.0", "V1.0", "\ud800", "\udcff", "__proto__", "null", "0", "-1", "1e9"]
VALUES = [
    *(*DOTS, *SLASHES, *PERCENT, *FORMS, *LETTERS, *CONTROL, *LONG),
    *(*SIGNS, *SPACES, *RESERVED, *WELL_KNOWN, *CASES),
]


def made_of(value: str) -> dict[str, str]:
    """Every path that is made of a value, and the folder in which it must stay."""
    lists = [
        *(("runs", facet) for facet in paths.RUN_FACETS),
        *(("samples", facet) for facet in paths.SAMPLE_FACETS),
        *(("regression-tests", facet) for facet in paths.REGRESSION_TEST_FACETS),
    ]
    made = {}
    for family, facet in lists:
        name, folder = paths.facet_list(family, facet, value), f"v1/{family}/by-{facet}/"
        for path in (paths.document(name), paths.page(name, 2), paths.archive(name, 93)):
            made[paths.API_ROOT + path] = folder
    made[paths.API_ROOT + paths.document(paths.runs_of_commit(value))] = "v1/runs/by-commit/"
    made[paths.API_ROOT + paths.sample_by_sha(value)] = "v1/samples/by-sha/"
    return made


def test_the_table_is_long() -> None:
    assert len(VALUES) >= 80
    assert any(len(value.encode("utf-8", "surrogatepass")) == 1024 for value in VALUES)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: ascii(value)[:40])
def test_a_name_stays_in_its_folder_and_needs_no_quoting(value: str) -> None:
    for path, folder in made_of(value).items():
        assert is_path(path)
        rest = path.removeprefix(folder)
        assert rest != path and rest.isascii() and not set(rest) - set(SAFE)
        assert not {"", ".", ".."} & set(rest.split("/"))


SAFE = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.~_-/"


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_all_names_together_are_kept_apart(
    kind: str,
    tmp_path: pathlib.Path,
    emulator: Emulator,  # noqa: F811
    bucket: str,  # noqa: F811
) -> None:
    store: Store = LocalStore(tmp_path / "store") if kind == "folder" else GcsStore(bucket, "api")
    documents = {
        path: ascii(value).encode()
        for value in VALUES
        for path, folder in made_of(value).items()
        if folder.endswith(("by-branch/", "by-sha/"))
    }
    assert len(documents) == 4 * len(set(VALUES))
    assert store.write(documents.items()) == len(documents)
    assert {entry.path for entry in store.list("")} == documents.keys()
    for path in list(documents)[::17]:
        found = store.get(path)
        assert found is not None and found.data == documents[path]
    if kind == "folder":
        files = {path for path in tmp_path.rglob("*") if path.is_file()}
        assert {str(path.relative_to(tmp_path / "store")) for path in files} - {".lock"} == documents.keys()
