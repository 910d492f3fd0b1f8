"""The index in which the site looks up samples and tests: for search, for its lists, and to label the grid."""

from exporter import paths
from exporter.documents.encoding import Document, encode
from exporter.documents.search import SearchIndex
from exporter.rules.outcomes import category_names
from exporter.source.catalog import Catalog

_SHA_DIGITS = 12


def document(catalog: Catalog) -> Document:
    """`search.json`: every sample and regression test by id, in few words. It changes only with the catalogue."""
    index: SearchIndex = {
        "samples": [
            {
                "sample_id": sample.id,
                "name": sample.original_name,
                "sha": sample.sha[:_SHA_DIGITS] if sample.sha else None,
                "tags": catalog.tag_names(sample),
            }
            for sample in catalog.samples.values()
        ],
        "regression_tests": [
            {
                "regression_test_id": test.id,
                "sample_id": test.sample_id,
                "command": test.command,
                "categories": category_names(catalog, test),
                "active": test.active,
            }
            for test in catalog.tests.values()
        ],
    }
    return paths.document(paths.SEARCH), encode(index)
