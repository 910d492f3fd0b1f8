"""A variant is accepted for one test: what is built, what is written."""

import pathlib
import re

import orjson
import sqlalchemy as sa

from exporter.publish.manifest import Documents, decode_manifest
from tests.benchmarks import measure
from tests.benchmarks.measure import Demand, Figure

_HELD = """
SELECT regression_test_id, COUNT(DISTINCT test_id DIV 100) FROM test_result GROUP BY regression_test_id
"""
_WRONG = """
SELECT regression_test_id, regression_test_output_id, got FROM test_result_file AS file
WHERE got IS NOT NULL AND regression_test_output_id > 0 AND NOT EXISTS (
    SELECT 1 FROM regression_test_output_files AS variant
    WHERE variant.regression_test_output_id = file.regression_test_output_id AND variant.file_hashes = file.got
) GROUP BY 1, 2, 3
"""
_ACCEPT = "INSERT INTO regression_test_output_files (file_hashes, regression_test_output_id) VALUES (:got, :output)"
_FORGET = "DELETE FROM regression_test_output_files WHERE file_hashes = :got AND regression_test_output_id = :output"


def measured(url: str, store: pathlib.Path, export: tuple[str, ...]) -> tuple[Figure, list[Demand]]:
    """Accept what a test has written; the test that is nearest to standing in a quarter of all partitions."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        held = {int(test): int(partitions) for test, partitions in connection.execute(sa.text(_HELD))}
        wrong = [(int(test), int(output), str(got)) for test, output, got in connection.execute(sa.text(_WRONG))]
        quarter = max(held.values()) / 4
        test, output, got = min(wrong, key=lambda one: (abs(held[one[0]] - quarter), *one))
        holds = "SELECT DISTINCT test_id DIV 100 FROM test_result WHERE regression_test_id = :test"
        partitions = {int(number) for (number,) in connection.execute(sa.text(holds), {"test": test})}
    values = {"got": got, "output": output}
    before = _documents(store)
    try:
        with engine.begin() as connection:
            connection.execute(sa.text(_ACCEPT), values)
        said = measure.exporter(*export, "--dry-run", "--verbose").lines
        figure = measure.exporter(*export)
    finally:
        with engine.begin() as connection:
            connection.execute(sa.text(_FORGET), values)
    built = {int(found[1]) for line in said if (found := re.match(r"build partition (-?\d+):", line))}
    written = measure.documents_written(figure)
    differ = sum(before.get(path) != entry for path, entry in _documents(store).items())
    return figure, [
        Demand(
            f"a variant accepted for one test (of {max(held.values())} partitions)",
            f"only partitions with that test are built: {len(partitions)}",
            f"{len(built)}, of which {len(built - partitions)} are without",
            built <= partitions,
        ),
        Demand(
            "the same",
            f"only documents that differ are written: {differ:,}",
            f"{written:,}",
            written == differ,
        ),
    ]


def _documents(store: pathlib.Path) -> Documents:
    """All documents that are published, with their digests."""
    manifest = decode_manifest((store / "v1/manifest.json").read_bytes())
    found: Documents = {}
    for part in manifest.parts.values():
        found |= orjson.loads((store / "v1" / part.href).read_bytes())["documents"]
    return found
