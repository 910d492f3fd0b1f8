"""The command `check`."""

import contextlib
import os
import pathlib
import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from typing import TYPE_CHECKING

import click
import orjson

from exporter import __version__
from exporter.cli import options
from exporter.cli.help import Command
from exporter.errors import ExporterError
from exporter.export.service import Export

if TYPE_CHECKING:  # these load the database's library and Google's
    from exporter.source.preflight import Finding


@click.command(
    cls=Command,
    examples=(
        "check --database-url mysql+pymysql://USER:PASSWORD@HOST/NAME --store site",
        "check --store gs://BUCKET --json",
    ),
    docs="docs/operating.md",
)
@options.export_options
@options.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@options.logging_options
def check(export: Export, as_json: bool) -> int:
    """Check all that an export needs, before anything is wired: database, privileges, schema, files, store, versions.

    Takes the options and settings of an export, and changes nothing. Exits with 1 if an export would fail; a warning
    names what should be otherwise.
    """
    findings = list(_findings(export))
    if as_json:
        ok = all(one.state != "error" for one in findings)
        click.echo(orjson.dumps({"ok": ok, "checks": [one._asdict() for one in findings]}))
    else:
        _show(findings)
    return 1 if any(one.state == "error" for one in findings) else 0


def _findings(export: Export) -> "Iterator[Finding]":
    from exporter.source.database import Database
    from exporter.source.preflight import Finding, preflight

    packages = ", ".join(f"{name} {metadata.version(name)}" for name in ("SQLAlchemy", "PyMySQL", "urllib3"))
    yield Finding("versions", "ok", f"exporter {__version__}, Python {platform.python_version()}, {packages}")
    try:
        database = Database(export.database_url, export.database_timeout)
    except ExporterError as error:
        yield Finding("database", "error", str(error))
    else:
        with contextlib.closing(database):
            yield from preflight(database)
    yield _sample_repository(export)
    yield from _store(export)


def _sample_repository(export: Export) -> "Finding":
    from exporter.source.preflight import Finding
    from exporter.source.sample_repository import SampleRepository

    if export.sample_repository is None:
        return Finding("sample repository", "warning", "not given: no diffs and no logs (--sample-repository)")
    try:
        SampleRepository(export.sample_repository).check()
    except ExporterError as error:
        return Finding("sample repository", "error", str(error))
    found = [name for name in ("TestResults", "LogFiles") if (export.sample_repository / name).is_dir()]
    return Finding("sample repository", "ok", f"{export.sample_repository} holds {' and '.join(found)}")


def _store(export: Export) -> "Iterator[Finding]":
    from exporter.publish.publisher import Publisher
    from exporter.source.preflight import Finding

    try:
        store = export.access.open(export.store)
        with _leaving_nothing(export.store):
            store.check_writable()
        manifest = Publisher(store).published().manifest
    except (ExporterError, OSError) as error:
        yield Finding("store", "error", str(error))
        return
    counts = f"holds {manifest.counts['runs']:,} runs" if manifest else "is empty: the first export fills it"
    yield Finding("store", "ok", f"{store.name} can be written, and {counts}")
    if export.store.startswith("gs://"):
        yield _bucket(export)


@contextlib.contextmanager
def _leaving_nothing(store: str) -> Iterator[None]:
    """Remove the empty folders that trying to write makes where there were none."""
    folder = pathlib.Path(store)
    absent = [one for one in (folder / ".tmp", folder, *folder.parents) if not os.path.lexists(one)]
    try:
        yield
    finally:
        for one in absent:
            with contextlib.suppress(OSError):  # a bucket, or not empty
                one.rmdir()


def _bucket(export: Export) -> "Finding":
    from exporter import paths
    from exporter.publish.gcs.bucket_settings import Wanted, read, rows
    from exporter.publish.open_store import bucket_of
    from exporter.source.preflight import Finding

    try:
        bucket, prefix = bucket_of(export.store)
        wanted = Wanted(folder=f"{prefix}/".removeprefix("/") + paths.API_ROOT)
        found = rows(bucket, read(bucket, wanted, export.access.credentials), wanted)
    except ExporterError as error:
        return Finding("bucket settings", "warning", str(error))
    if wrong := [row.setting for row in found if row.right is False]:
        return Finding("bucket settings", "warning", f"{', '.join(wrong)}: see exporter bucket check")
    return Finding("bucket settings", "ok", "as a static API needs them")


def _show(findings: "list[Finding]") -> None:
    """A table on a terminal, a line for each check elsewhere."""
    if not sys.stdout.isatty():
        for one in findings:
            click.echo(f"{one.state}: {one.check}: {one.detail}")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    styles = {"ok": "green", "warning": "yellow", "error": "bold red"}
    table = Table("check", "", "result", box=None, pad_edge=False)
    for one in findings:
        table.add_row(one.check, Text(one.state, styles[one.state]), Text(one.detail))
    Console().print(table)
