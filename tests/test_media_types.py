"""Media types by the last suffix alone, and what gzip is used for."""

import pytest

from exporter.media_types import MEDIA_TYPES, is_compressible, media_type


@pytest.mark.parametrize(
    ("path", "type_", "compressible"),
    [
        ("v1/runs.json", "application/json", True),
        ("v1/regressions.xml", "application/xml", True),
        ("v1/runs/by-branch/release.gz.json", "application/json", True),
        ("v1/runs/by-branch/.x~0123456789ab.json", "application/json", True),
        ("index.html", "text/html; charset=utf-8", True),
        ("site/0123/app.css", "text/css; charset=utf-8", True),
        ("site/0123/main.js", "text/javascript; charset=utf-8", True),
        ("favicon.svg", "image/svg+xml", True),
        ("robots.txt", "text/plain; charset=utf-8", True),
        ("v1/snapshots/x/SHA256SUMS", "text/plain; charset=utf-8", True),
        ("v1/snapshots/x/runs.ndjson", "application/x-ndjson", True),
        ("v1/snapshots/x/runs.ndjson.gz", "application/gzip", False),
        ("api-catalog.linkset", MEDIA_TYPES[".linkset"], False),
        ("v1/snapshots/x/runs.parquet", "application/vnd.apache.parquet", False),
        ("a.png", "image/png", False),
        ("a.JSON", "application/octet-stream", False),
        ("a.json.bak", "application/octet-stream", False),
        ("a.json/b", "text/plain; charset=utf-8", True),
    ],
)
def test_the_type_of_a_path(path: str, type_: str, compressible: bool) -> None:
    assert (media_type(path), is_compressible(path)) == (type_, compressible)


def test_every_type_of_text_names_its_encoding() -> None:
    assert all(type_.endswith("; charset=utf-8") for type_ in MEDIA_TYPES.values() if type_.startswith("text/"))
