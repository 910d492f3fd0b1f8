"""Numbered lists, feeds and facets: the envelopes of all lists."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Generic, NotRequired, TypedDict, TypeVar

from exporter.documents.fields import Count, Keywords, Link

if TYPE_CHECKING:
    from exporter.documents.results import ErrorGroup

Item = TypeVar("Item")


class ListPagination(TypedDict):
    """Where a page of a numbered list stands in it."""

    page: Annotated[int, "This page's number, from 1.", Keywords(minimum=1)]
    pages: Annotated[int, "Number of pages; an empty list has one.", Keywords(minimum=1)]
    per_page: Annotated[int, "Items of a full page.", Keywords(examples=[100])]
    total: Annotated[Count, "Items of the whole list."]
    first: Annotated[Link, "The first page."]
    prev: Annotated[Link | None, "The page before this one."]
    next: Annotated[Link | None, "The page after this one."]
    last: Annotated[Link, "The last page."]


class ListPage(TypedDict, Generic[Item]):
    """A page of a numbered list."""

    data: Annotated[list[Item], "The items, in the list's order."]
    pagination: ListPagination
    meta: Annotated[dict[str, Any], "Empty as yet."]


class HeadPagination(TypedDict):
    """How to go on from a feed's head."""

    total: Annotated[Count, "Items of the whole feed."]
    next: Annotated[Link | None, "The newest archive page whose items the head does not hold."]


class FeedHead(TypedDict, Generic[Item]):
    """The head of a feed: its newest items, at least 100 or all."""

    data: Annotated[list[Item], "The newest items, newest first."]
    pagination: HeadPagination
    meta: Annotated[dict[str, Any], "Empty as yet."]


class ArchivePagination(TypedDict):
    """How to go on from a feed's archive page."""

    next: Annotated[Link | None, "The next older archive page."]


class FeedPage(TypedDict, Generic[Item]):
    """An archive page of a feed: all items of the runs with ids 100·K to 100·K + 99."""

    data: Annotated[list[Item], "The items, newest first.", Keywords(minItems=1)]
    pagination: ArchivePagination
    meta: Annotated[dict[str, Any], "Empty as yet."]


class FeedPagination(TypedDict):
    """How to go on from a feed's head (which has the total) or archive page (which has not)."""

    total: NotRequired[int]
    next: str | None


class ListDocument(TypedDict):
    """The envelope of every list as it is made. `summary` stands in `errors.json` alone."""

    data: Any
    pagination: Mapping[str, int | str | None] | FeedPagination
    meta: dict[str, Any]
    summary: NotRequired[dict[str, list["ErrorGroup"]]]


def listing(data: Any, pagination: Mapping[str, int | str | None] | FeedPagination) -> ListDocument:
    """A list's envelope around its items."""
    return {"data": data, "pagination": pagination, "meta": {}}


class FacetValue(TypedDict):
    """A value of a facet."""

    value: Annotated[str, "The value."]
    total: Annotated[Count, "How many items have it."]
    href: Annotated[Link, "Their list."]
