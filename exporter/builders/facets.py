"""Numbered lists and facets: the catalogue's and the indexes of all."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from exporter import paths
from exporter.documents.encoding import Document, encode
from exporter.documents.lists import FacetValue, listing

T = TypeVar("T")


def numbered(
    name: str, items: list[T], show: Callable[[T, str], Any], meta: Mapping[str, Any] | None = None
) -> Iterator[Document]:
    """The pages of a numbered list; `show` turns an item into what stands in the page at a path."""
    for page in paths.pages(name, len(items)):
        found = listing([show(item, page.path) for item in items[page.items]], page.pagination)
        yield page.path, encode({**found, "meta": meta or {}})


def index(family: str, facet: str, totals: Mapping[str, int]) -> Iterator[Document]:
    """A facet's index: its values in code point order."""

    def show(value: str, path: str) -> FacetValue:
        target = paths.document(paths.facet_list(family, facet, value))
        return {"value": value, "total": totals[value], "href": paths.relative(path, target)}

    yield from numbered(paths.facet(family, facet), sorted(totals), show)


class Facet(NamedTuple, Generic[T]):
    """A facet of a family of lists.

    Args:
        family: what is listed, such as `samples`.
        values: an item's values of this facet; it is listed once under each, and under none for None.
        always: values that have a list even if it is empty.
    """

    family: str
    name: str
    values: Callable[[T], Iterable[str | None]]
    always: Sequence[str] = ()


def lists(facet: Facet[T], items: Iterable[T], show: Callable[[T, str], Any]) -> Iterator[Document]:
    """A facet's numbered lists, in the order of the items, and its index; `show` as in `numbered`."""
    found: dict[str, list[T]] = {value: [] for value in facet.always}
    for item in items:
        for value in dict.fromkeys(facet.values(item)):
            if value is not None:
                found.setdefault(value, []).append(item)
    for value, listed in found.items():
        yield from numbered(paths.facet_list(facet.family, facet.name, value), listed, show)
    yield from index(facet.family, facet.name, {value: len(listed) for value, listed in found.items()})
