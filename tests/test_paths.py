"""Paths, links and keys."""

import hashlib
import re
from urllib.parse import urljoin

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter import paths
from exporter.facet_keys import facet_key

SEGMENTS = st.lists(
    st.from_regex(r"[a-z0-9.~_-]{1,6}", fullmatch=True).filter(lambda s: s not in (".", "..")), min_size=1, max_size=5
)


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("master", "master"),
        ("Master", "Master~"),
        ("CON", "CON~"),
        ("con", "con~"),
        ("aux.c", "aux.c~"),
        ("com1", "com1~"),
        ("com", "com"),
        ("console", "console"),
        ("x.", "x.~"),
        ("v0.94-rc_1", "v0.94-rc_1"),
        ("a" * 80, "a" * 80),
        ("a" * 81, "a" * 40 + "~"),
        ("", "~"),
        (".", ".~"),
        (".hidden", ".hidden~"),
        ("..", "..~"),
        ("feature/a/b", "feature-a-b~"),
        ("../../etc/passwd", "..-..-etc-passwd~"),
        ("naïve 分支", "na-ve---~"),
        ("a.json", "a.json~"),
        ("a\n", "a-~"),
        ("١", "-~"),
    ],
)
def test_facet_key_is_the_contracts(value: str, key: str) -> None:
    digest = hashlib.sha256(value.encode()).hexdigest()[:12]
    assert facet_key(value) == (key + digest if key.endswith("~") else key)


@given(st.text(max_size=120), st.text(max_size=120))
def test_facet_keys_are_safe_and_distinct(one: str, other: str) -> None:
    key = facet_key(one)
    assert re.fullmatch(r"[A-Za-z0-9._~-]{1,80}", key) and key not in (".", "..") and not key.endswith(".json")
    assert (key == facet_key(other)) == (one == other)


@given(st.text("aAbB.", min_size=1, max_size=4), st.text("aAbB.", min_size=1, max_size=4))
def test_facet_keys_differ_in_more_than_case_and_a_final_dot(one: str, other: str) -> None:
    keys = {facet_key(value).lower().rstrip(".") for value in (one, other)}
    assert len(keys) == len({one, other})


TEXT = st.text("ab-.~/", max_size=3)
PARTS = st.tuples(TEXT, TEXT | st.sampled_from([None, "nothing", "-nothing"]), TEXT)
Parts = tuple[str, str | None, str]


@given(PARTS, PARTS)
@example(("a", "b-c", ""), ("a-b", "c", ""))
@example(("a", "b", "c"), ("a", "bc", ""))
@example(("a", "b", ".c"), ("a", "b.c", ""))
def test_two_comparisons_never_share_a_path(one: Parts, other: Parts) -> None:
    assert re.fullmatch(r"diffs/[A-Za-z0-9._~-]{1,166}\.json", paths.diff(*one))
    assert (paths.diff(*one) == paths.diff(*other)) == (one == other)


def test_a_comparison_is_named_by_the_hashes() -> None:
    assert paths.diff("a" * 64, "b" * 64, ".srt") == f"diffs/{'a' * 64}-{'b' * 64}.srt.json"


@given(SEGMENTS, SEGMENTS)
def test_relative_links_resolve(source: list[str], target: list[str]) -> None:
    here, there = "/".join(source), "/".join(target)
    assert urljoin(f"http://host/{here}", paths.relative(here, there)) == f"http://host/{there}"


@given(st.integers(0, 1234))
def test_pages_hold_every_item_once_and_link_both_ways(total: int) -> None:
    pages = list(paths.pages("runs/7/samples", total))
    assert [i for page in pages for i in range(total)[page.items]] == list(range(total))
    hrefs = [page.path for page in pages]
    for number, page in enumerate(pages, 1):
        found = {
            name: link and urljoin(f"/{page.path}", str(link))[1:]
            for name, link in page.pagination.items()
            if name in ("first", "prev", "next", "last")
        }
        assert found == {
            "first": hrefs[0],
            "prev": hrefs[number - 2] if number > 1 else None,
            "next": hrefs[number] if number < len(hrefs) else None,
            "last": hrefs[-1],
        }
        assert (page.pagination["page"], page.pagination["pages"], page.pagination["total"]) == (
            number,
            len(hrefs),
            total,
        )


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("runs/7412.json", "74"),
        ("runs/99/samples/3.json", "0"),
        ("runs/100/samples/page/2.json", "1"),
        ("runs/archive/12.json", "12"),
        ("runs/by-branch/archive/archive/3.json", "3"),
        ("samples/3/history/archive/5.json", "5"),
        ("samples/3/history.json", "catalog"),
        ("runs/by-commit/12.json", "catalog"),
        ("runs/by-pr/12/page/2.json", "catalog"),
        ("runs.json", "catalog"),
        ("samples/12.json", "catalog"),
        ("manifests/12-0123456789ab.json", "catalog"),
    ],
)
def test_each_document_belongs_to_one_part(path: str, part: str) -> None:
    assert paths.part_of_document(path) == part
