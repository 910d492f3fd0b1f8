"""How long readers and caches may keep what is published."""

import re

from exporter.paths import API_ROOT, GRID, REGRESSIONS, RUN_FACETS, STATE_ROOT, is_as_it_is

_SHORT_LIVED = re.compile(
    rf"{API_ROOT}(manifest|pending|snapshots|snapshots/latest|runs|{REGRESSIONS}|{GRID}/[^/]+"
    rf"|runs/by-({'|'.join(RUN_FACETS)})/[^/]+|samples/\d+/history)\.json"
    r"|index\.html"
)
_IMMUTABLE = re.compile(rf"{API_ROOT}manifests/.+|site/[0-9a-f]+/.+", re.DOTALL)


def cache_control(path: str) -> str:
    """Return the Cache-Control of a stored file, by its path relative to the store's root (`v1/runs.json`).

    Some seconds for documents by which readers notice a change (manifest, lease, heads of feeds), a year for files that
    are named by their content, minutes for the others; the exporter's own state is not to be kept.
    """
    if path.startswith(STATE_ROOT):
        return "private, no-store"
    if _SHORT_LIVED.fullmatch(path):
        return "public, max-age=15"
    if _IMMUTABLE.fullmatch(path) or is_as_it_is(path):
        return "public, max-age=31536000, immutable"
    return "public, max-age=300"
