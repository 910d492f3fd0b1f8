"""The command `history`."""

import re
from typing import TYPE_CHECKING

import click

from exporter.cli import options, reader_options
from exporter.cli.help import Command
from exporter.cli.output import Column, Shown, minute, show
from exporter.errors import ExporterError, UsageError

if TYPE_CHECKING:  # httpx takes a tenth of a second
    from exporter.client.api import Api

_COLUMNS = (
    Column("run", lambda entry: entry["run_id"], number=True),
    Column("test", lambda entry: entry["regression_test_id"], number=True),
    Column("status", lambda entry: entry["status"]),
    Column("platform", lambda entry: entry["platform"], rank=1),
    Column("branch", lambda entry: entry["branch"], rank=3, longest=20),
    Column("commit", lambda entry: (entry["commit_sha"] or "")[:8], rank=2),
    Column("tested (UTC)", lambda entry: minute(entry["tested_at"])),
    Column("ms", lambda entry: entry["runtime_ms"], rank=4, number=True),
    Column("failure", lambda entry: entry["failure_signature"], rank=5, longest=32),
)


@click.command(
    cls=Command,
    examples=(
        "history 12 --base https://HOST",
        "history SAMPLE_NAME.ts -n 100 -o ndjson --base site",
    ),
    docs="docs/consumers.md",
)
@click.argument("sample", metavar="SAMPLE")
@reader_options.list_options
@reader_options.base_options
@options.logging_options
def history(sample: str, reader: reader_options.Reader, shown: Shown) -> int:
    """List every result with a sample, newest run first: a table on a terminal, else JSON lines.

    SAMPLE is the sample's id, its hash, or its name.
    """
    from exporter.client.http import NotFoundError

    with reader.open() as api:
        try:
            return show(api.history(_sample_id(api, sample)), shown, _COLUMNS)
        except NotFoundError:
            raise ExporterError(f"no sample has the id {sample}; exporter get samples.json lists them") from None
    return 0


def _sample_id(api: "Api", sample: str) -> int:
    """The id of the sample that a text names.

    Raises:
        UsageError: the text names several.
        ExporterError: the text names none.
    """
    from exporter.client.http import NotFoundError

    if re.fullmatch(r"[0-9]{1,18}", sample):
        return int(sample)
    if re.fullmatch(r"[0-9a-fA-F]{64}", sample):
        try:
            return api.sample(sample.lower())["sample_id"]
        except NotFoundError:
            raise ExporterError(f"no sample has the hash {sample}") from None
    found = [one["sample_id"] for one in api.samples() if sample in (one["original_name"], one["filename"])]
    if not found:
        raise ExporterError(f"no sample is called {sample[:100]!r}; exporter get samples.json lists them")
    if len(found) > 1:
        some = ", ".join(map(str, found[:10])) + (" …" if len(found) > 10 else "")
        raise UsageError(f"{len(found)} samples are called {sample[:100]!r}; name one by its id: {some}")
    return found[0]
