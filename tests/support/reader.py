"""What the contract promises to readers at every moment, and a check of it."""

import posixpath
from collections.abc import Mapping

import orjson

from exporter.documents.encoding import digest
from exporter.documents.links import links_of

ROOTS = ("runs.json", "samples.json", "manifest.json")
_CONTROL = ("manifest.json", "pending.json")


def look(objects: Mapping[str, bytes]) -> None:
    """See that every document is as a manifest says, and that whatever links lead to exists.

    Args:
        objects: path in the store, `v1/…`, and bytes. Others than those below `v1/` are not looked at.
    """
    api = {path.removeprefix("v1/"): data for path, data in objects.items() if path.startswith("v1/")}
    manifests = [
        orjson.loads(api[href])["documents"]
        for control in _CONTROL
        if control in api
        for href in _hrefs(orjson.loads(api[control]))
    ]
    for path, data in api.items():
        if path not in _CONTROL and not path.startswith("manifests/"):
            entry = [digest(data), len(data)]
            said = [documents[path] for documents in manifests if path in documents]
            assert entry in said or not said, f"{path} is in a third state"
    seen = {root for root in ROOTS if root in api}
    queue = list(seen)
    while queue:
        path = queue.pop()
        assert path in api, f"a link leads to {path}, which is not there"
        for link in links_of(path, api[path]):
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), link))
            if target not in seen:
                seen.add(target)
                queue.append(target)


def _hrefs(control: dict[str, object]) -> list[str]:
    """The manifests that `manifest.json` or `pending.json` names."""
    match control:
        case {"manifests": list(hrefs)}:
            return hrefs
        case {"catalog": {"href": str(catalog)}, "partitions": list(parts)}:
            return [catalog, *(part["href"] for part in parts)]
    raise AssertionError(f"neither a manifest nor a lease: {control}")
