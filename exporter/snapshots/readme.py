"""`README.txt` of a snapshot."""

from exporter import paths
from exporter.documents.snapshots import SnapshotCounts
from exporter.rules.lineage import MainLine
from exporter.snapshots.columns import DOCUMENTED, TABLES

_HEAD = """CCExtractor Sample Platform: a snapshot of its data
===================================================

All files come from one consistent read of the platform's database, and hold the same rows in three formats:

  TABLE.ndjson.gz     a JSON object a line, gzipped
  TABLE.parquet       typed columns, nested as the JSON is
  platform.sqlite.gz  one database; its table "documentation" says what each column means

NDJSON and Parquet have a file for each table:

{files}

Rows are sorted by id. Results are sorted by run in Parquet; the NDJSON file has about a thousand runs at a time, sorted
by regression test, then by run. Times are UTC, durations milliseconds, null is unknown. In SQLite an object's fields
are columns (summary_pass_count) and a list is a table of its own (runs_progress); results and their outputs are the
views "results" and "results_outputs". To read many histories there, first run:

  CREATE INDEX by_test ON run_results (regression_test_id, run_id);

SHA256SUMS has the digests: sha256sum --check SHA256SUMS

Verdicts hold failures against the main line: commits of branch {branch} of {repository}.

Version {version} of the API; its contract says what the values mean.
"""


def readme(counts: SnapshotCounts, main: MainLine) -> str:
    """The text, from the number of rows by table. It has no time: equal rows make an equal snapshot."""
    files = [f"  {table.file:<18}{counts[table.name]:>10} rows. {table.about}" for table in TABLES]
    text = _HEAD.format(
        files="\n".join(files), version=paths.API_VERSION, branch=main.branch, repository=main.repository
    )
    for table in TABLES:
        text += f"\n{table.file}\n{'-' * len(table.file)}\n\n"
        text += "".join(f"  {name:<34}{about}\n" for name, about in DOCUMENTED[table.name].items())
    return text
