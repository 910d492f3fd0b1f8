"""Values in XML that is written without a library: an export of one run has no time to load one."""

import functools
import html
from collections.abc import Mapping

from exporter.templating import printable

NO_TIME = "1970-01-01T00:00:00Z"
"""Stands for a time that no row has: Atom, and Ant's schema of JUnit, demand one."""


def text(value: object) -> str:
    """A value as the text of an element or the value of an attribute."""
    found = str(value)
    return found if found.isalnum() else _escaped(found)  # most are numbers and words


@functools.lru_cache(maxsize=4096)  # the failures of many runs are of the same tests
def _escaped(value: str) -> str:
    return html.escape(printable(value))


def attributes(values: Mapping[str, object]) -> str:
    """Attributes, each with a space before it."""
    return "".join([f' {name}="{text(value)}"' for name, value in values.items()])
