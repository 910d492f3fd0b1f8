"""Links in documents: those that are found are those that are replaced."""

import orjson

from exporter.documents.links import links, links_of, relink
from tests.support.memory_store import MemoryStore, published
from tests.support.platform import HASH, Platform, export, files


def test_each_link_of_each_document_is_replaced(small: Platform) -> None:
    for run, code in ((7, 0), (8, 1), (108, 1)):
        small.run(run, "testing", "completed", results={1: code, 2: 0}, fork_id=1, test_type="commit")
        files(small, run, {10: HASH["d"] if code else None, 20: None})
    store = MemoryStore()
    export(small.url, store)
    kinds = set()
    for path, data in published(store).items():
        if path.startswith("v1/") and path.endswith(".json") and data:
            document = orjson.loads(data)
            found, replaced = list(links(document)), list[str]()
            relink(document, lambda link, replaced=replaced: replaced.append(link) or f"new/{link}")  # type: ignore[misc]
            assert sorted(replaced) == sorted(found) == sorted(links_of(path, data))
            assert sorted(links(document)) == sorted(f"new/{link}" for link in found)
            kinds |= {kind for kind in (b'"reference_href":"', b'"href":"', b'"next":"') if kind in data}
    assert len(kinds) == 3
