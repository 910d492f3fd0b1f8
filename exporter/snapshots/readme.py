"""`README.txt` of a snapshot."""

from exporter import paths
from exporter.documents.snapshots import SnapshotCounts
from exporter.snapshots.columns import DOCUMENTED, TABLES

_HEAD = """CCExtractor Sample Platform: a snapshot of what it publishes
==========================================================

Everything here was read from the platform's database at one moment. The same rows stand here three times:

  TABLE.ndjson.gz     a JSON object a line, gzipped
  TABLE.parquet       typed columns, nested as the JSON is
  platform.sqlite.gz  one database; its table "documentation" says what each column means

NDJSON and Parquet have a file for each table:

{files}

Rows stand by id. Results stand by run in Parquet; in the NDJSON file about a thousand runs each are sorted by
regression test, then by run. Times are UTC, durations milliseconds, null is unknown. In SQLite an object's
fields are columns (summary_pass_count) and a list is a table of its own (runs_progress); results and their outputs are
the views "results" and "results_outputs". To read many histories there, first say:

  CREATE INDEX by_test ON run_results (regression_test_id, run_id);

SHA256SUMS has the digests: sha256sum --check SHA256SUMS

Version {version} of the API; its contract says what the values mean.
"""


def readme(counts: SnapshotCounts) -> str:
    """The text, from the number of rows by table. It tells no time: equal rows make an equal snapshot."""
    files = [f"  {table.file:<18}{counts[table.name]:>10} rows. {table.about}" for table in TABLES]
    text = _HEAD.format(files="\n".join(files), version=paths.API_VERSION)
    for table in TABLES:
        text += f"\n{table.file}\n{'-' * len(table.file)}\n\n"
        text += "".join(f"  {name:<34}{about}\n" for name, about in DOCUMENTED[table.name].items())
    return text
