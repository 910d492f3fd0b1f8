"""Round trips in sequence: the longest chain of requests that do not overlap in time.

Uploads that overlap count as one, and so do looks at single objects and deletions: as many are under way at once as the
bucket takes, so their number costs throughput, but no round trip.
"""

import re
from collections.abc import Iterable

from tests.support.faulty_proxy import Request

MANY = {
    "upload": re.compile(r"POST /upload/"),
    "look": re.compile(r"GET /storage/v1/b/[^/]+/o/"),
    "deletion": re.compile(r"DELETE "),
}
"""The kinds of request of which many are made together."""


def kind(line: str) -> str | None:
    """The kind of a request of which many are made together, by its line."""
    return next((name for name, pattern in MANY.items() if pattern.match(line)), None)


def chain(requests: Iterable[Request]) -> list[Request]:
    """The longest chain, earliest first."""
    found: list[Request] = []
    for one in sorted(_joined(requests), key=lambda one: one.ended):
        if not found or one.begun >= found[-1].ended:
            found.append(one)
    return found


def _joined(requests: Iterable[Request]) -> list[Request]:
    """The requests, those of `MANY` that overlap joined to one."""
    found: list[Request] = []
    last: dict[str, int] = {}
    for one in sorted(requests, key=lambda one: one.begun):
        name = kind(one.line)
        if name is not None and name in last and one.begun < found[last[name]].ended:
            before = found[last[name]]
            found[last[name]] = before._replace(ended=max(before.ended, one.ended))
            continue
        if name is not None:
            last[name] = len(found)
        found.append(one)
    return found
