"""What the store may hold, by the published manifest and those that dead exports left pending."""

import pytest

from exporter.paths import stored
from exporter.publish.manifest import CATALOG, Manifest, Pending, encode_part
from exporter.publish.published_state import PartContents, PartManifests, PublishedState, read_contents, read_parts
from exporter.publish.store import ABSENT
from tests.support.memory_store import MemoryStore

A, B, C = (["abc"[n] * 64, n] for n in range(3))
CATALOG_PART, CATALOG_DATA = encode_part(CATALOG, {"index.json": A})
OLD, OLD_DATA = encode_part("3", {"runs/300.json": A, "runs/301.json": A})
NEW, NEW_DATA = encode_part("3", {"runs/300.json": B})
OTHER, _ = encode_part("4", {"runs/400.json": A})
MANIFEST = Manifest(CATALOG_PART, None, (OLD,), 301, {})


def state(*pending: str, manifest: Manifest | None = MANIFEST) -> PublishedState:
    return PublishedState(manifest, "1", Pending("x", "2026-01-01T00:00:00Z", pending) if pending else None, "2")


@pytest.mark.parametrize(
    ("found", "names", "of_three"),
    [
        (state(), {"catalog", "3"}, PartManifests(OLD.href, ())),
        (state(NEW.href), {"catalog", "3"}, PartManifests(OLD.href, (NEW.href,))),
        (state(OLD.href), {"catalog", "3"}, PartManifests(OLD.href, ())),
        (state(OLD.href, NEW.href), {"catalog", "3"}, PartManifests(OLD.href, (OLD.href, NEW.href))),
        (state(OTHER.href), {"catalog", "3", "4"}, PartManifests(OLD.href, ())),
        (state(NEW.href, OTHER.href, manifest=None), {"3", "4"}, PartManifests(None, (NEW.href,))),
        (state(manifest=None), set(), PartManifests(None, ())),
    ],
)
def test_the_manifests_of_a_part(found: PublishedState, names: set[str], of_three: PartManifests) -> None:
    assert found.names() == names
    assert found.part_manifests("3") == of_three
    assert found.part_manifests("99") == PartManifests(None, ())


def test_parts_are_read_unless_they_are_lost_or_damaged() -> None:
    store = MemoryStore()
    store.write([(stored(OLD.href), OLD_DATA), (stored(NEW.href), NEW_DATA + b" ")])
    old = {"runs/300.json": A, "runs/301.json": A}
    assert read_parts(store, [OLD.href, NEW.href, CATALOG_PART.href]) == [old]
    assert read_contents(store, PartManifests(OLD.href, (NEW.href,))) == PartContents(old, ())
    assert read_contents(store, PartManifests(None, (OLD.href,))) == PartContents({}, (old,))
    assert read_contents(store, PartManifests(NEW.href, (OLD.href,))) == PartContents({}, (old,))
    store.replace(stored(NEW.href), NEW_DATA, store.objects[stored(NEW.href)].version or ABSENT)
    assert read_contents(store, PartManifests(OLD.href, (NEW.href,))) == PartContents(old, ({"runs/300.json": B},))


@pytest.mark.parametrize(
    ("published", "pending", "held"),
    [
        ({}, (), False),
        ({"p": A}, (), True),
        ({"p": B}, (), False),
        ({"p": ["a" * 64, 99]}, (), False),
        ({"p": A}, ({},), True),
        ({"p": A}, ({"p": A},), True),
        ({"p": A}, ({"p": B},), False),
        ({"p": A}, ({"p": A}, {"p": B}), False),
        ({"p": A}, ({"p": B}, {"p": A}), False),
        ({"p": A}, ({"q": B},), True),
        ({}, ({"p": A},), False),
    ],
)
def test_a_document_is_held_for_sure_unless_a_dead_export_may_have_replaced_it(
    published: dict[str, list[object]], pending: tuple[dict[str, list[object]], ...], held: bool
) -> None:
    assert PartContents(published, pending).holds("p", A) is held


@pytest.mark.parametrize(
    ("published", "pending", "noted", "contested"),
    [
        ({"p": A}, (), (), False),
        ({"p": B}, (), (), False),
        ({"p": B}, ({"p": A},), (), False),
        ({"p": A}, ({"p": B},), (), True),
        ({}, ({"p": B},), (), True),
        ({}, ({"p": A}, {"p": B}), (), True),
        ({"p": A}, ({"q": B},), (), False),
        ({}, (), ("p", "q"), True),
        ({}, ({"p": A},), ("p",), True),
        ({}, (), ("q",), False),
    ],
)
def test_a_document_is_contested_if_a_sleeper_may_replace_or_delete_it(
    published: dict[str, list[object]],
    pending: tuple[dict[str, list[object]], ...],
    noted: tuple[str, ...],
    contested: bool,
) -> None:
    assert PartContents(published, pending, frozenset(noted)).contested("p", A) is contested


def test_what_new_documents_do_without() -> None:
    contents = PartContents({"b": A, "a": A}, ({"c": A, "a": B}, {"d": C}))
    assert contents.gone(["a", "x"]) == ["b", "c", "d"]
    assert contents.gone([]) == ["a", "b", "c", "d"]
    assert PartContents({}, ()).gone(["a"]) == []
