"""The links in published documents: all that stand in one, and others in their place."""

from collections.abc import Callable
from typing import Any

import orjson

_PAGE_LINKS = ("first", "prev", "next", "last")
_SCHEMAS = {"openapi", "$schema"}
"""What tells a document about documents: it has the names of their fields, but no links."""
_LINKS = ("href", "reference_href", "diff")


def links_of(path: str, data: bytes) -> list[str]:
    """All links in a published document; those of a feed for people's readers are in its JSON twin as well."""
    return links(orjson.loads(data)) if path.endswith(".json") else []


def links(document: Any) -> list[str]:
    """All links in a decoded document: its link fields, and the values of `links` and `pagination`."""
    found: list[str] = []

    def unchanged(link: str) -> str:
        found.append(link)
        return link

    relink(document, unchanged)
    return found


def relink(document: Any, change: Callable[[str], str]) -> None:
    """Put another link in the place of each one in a decoded document."""
    if isinstance(document, list):
        for value in document:
            relink(value, change)
    elif isinstance(document, dict) and not _SCHEMAS.intersection(document):
        for key, value in document.items():
            if isinstance(value, str):
                if key in _LINKS:
                    document[key] = change(value)
            elif isinstance(value, dict) and key in ("pagination", "links"):
                for name, link in value.items():
                    if isinstance(link, str) and (key == "links" or name in _PAGE_LINKS):
                        value[name] = change(link)
            else:
                relink(value, change)
