"""The commands `bucket check` and `bucket setup`."""

import pathlib
import re
import sys
from typing import TYPE_CHECKING, Any

import click

from exporter import paths
from exporter.cli import options
from exporter.cli.help import Command, Group
from exporter.publish.open_store import bucket_of

if TYPE_CHECKING:  # these load Google's libraries
    from exporter.publish.gcs.bucket_settings import Row, Wanted

_NAMES = (
    *("uniform-access", "public-access-prevention", "readers", "private-state", "exporters-role"),
    *("cors", "soft-delete", "versioning", "lifecycle", "website"),
)
"""What `--setting` calls the rows of the table."""


@click.group(cls=Group)
def bucket() -> None:
    """Look at and change what a static API needs of its bucket."""


def _expiry(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> dict[str, int]:
    """PREFIX=DAYS, given several times."""
    found = [re.fullmatch(r"(.+)=([1-9][0-9]{0,4})", value) for value in values]
    if not all(found):
        raise click.BadParameter("write it as PREFIX=DAYS, such as old/=30.")
    return {one[1]: int(one[2]) for one in found if one}


def _wanted_options(command: options.Command) -> options.Command:
    """Add what should be."""
    for add in (
        options.option("--not-found", default="404.html", show_default=True,
                     help="The object that a custom domain shows for what does not exist."),
        options.option("--index", default="index.html", show_default=True,
                     help="The object that a custom domain shows for a folder; empty for no web site."),
        options.option("--expire", multiple=True, callback=_expiry, metavar="PREFIX=DAYS",
                     help="Objects whose names begin so are deleted at that age; repeatable. Nothing published!"),
        options.option("--soft-delete-days", type=click.IntRange(0, 90), default=0, show_default=True,
                     help="How long what is deleted or replaced is kept, and billed: 0, or 7 to 90."),
        options.option("--origin", multiple=True, default=["*"], show_default=True,
                     help="A web site whose scripts may read; repeatable."),
        options.option("--account", metavar="MEMBER",
                     help="The exporter's account: serviceAccount:NAME@PROJECT.iam.gserviceaccount.com."),
        options.option("--whole-bucket", is_flag=True,
                     help="Readers may read all of the bucket, _state/ as well."),
        options.option("--reader", metavar="MEMBER", default="allUsers", show_default=True,
                     help="Who may read: allUsers, or such as group:NAME@DOMAIN."),
        options.credentials_option,
        click.argument("store", metavar="gs://BUCKET[/PREFIX]"),
    ):  # fmt: skip
        command = add(command)
    return command


def _wanted(prefix: str, asked: dict[str, Any]) -> "Wanted":
    from exporter.publish.gcs.bucket_settings import Wanted

    below = f"{prefix}/".removeprefix("/")
    return Wanted(
        reader=asked["reader"],
        folder="" if asked["whole_bucket"] else below + paths.API_ROOT,
        account=asked["account"],
        origins=asked["origin"],
        soft_delete_days=asked["soft_delete_days"],
        expire=asked["expire"],
        index=asked["index"] or None,
        not_found=asked["not_found"],
    )


def _rows(name: str, credentials: pathlib.Path | None, asked: dict[str, Any]) -> "list[Row]":
    from exporter.publish.gcs.bucket_settings import read, rows

    place, prefix = bucket_of(name)
    wanted = _wanted(prefix, asked)
    return rows(place, read(place, wanted, credentials), wanted)


@bucket.command(cls=Command, examples=("bucket check gs://BUCKET",), docs="docs/bucket.md")
@_wanted_options
@options.logging_options
def check(store: str, credentials: pathlib.Path | None, **asked: Any) -> int:
    """Compare a bucket's settings with what a static API needs.

    Exits with 1 if one is not as it should be; one that these credentials may not see does not count. Says for each
    how to correct it.
    """
    rows = _rows(store, credentials, asked)
    _show(rows)
    wrong = [row for row in rows if row.right is False]
    _tell_commands(wrong)
    return 1 if wrong else 0


@bucket.command(
    cls=Command,
    examples=("bucket setup gs://BUCKET --setting cors", "bucket setup gs://BUCKET --everything"),
    docs="docs/bucket.md",
)
@_wanted_options
@options.option(
    "--setting",
    type=click.Choice(_NAMES),
    multiple=True,
    help="A setting to change; repeatable.",
)
@options.option("--everything", is_flag=True, help="Change all that is wrong or unknown.")
@options.logging_options
def setup(
    store: str, credentials: pathlib.Path | None, setting: tuple[str, ...], everything: bool, **asked: Any
) -> int:
    """Change those settings of a bucket that are named, and say how `gcloud` would do it.

    Without --setting or --everything nothing is changed.
    """
    from exporter.publish.gcs.bucket_settings import setup as change

    rows = [row for row in _rows(store, credentials, asked) if not row.right]
    todo = [row for row in rows if everything or _name(row) in setting]
    # Without an account nobody can say whom to give the role to.
    able = [row for row in todo if row.patch is not None or row.grants]
    for row in change(bucket_of(store)[0], able, credentials):
        click.echo(f"changed {_name(row)}: was {row.current}; is {row.wanted}")
    _tell_commands(able)
    if left := [row for row in rows if row not in able]:
        click.echo(f"not changed: {', '.join(map(_name, left))}")
        _tell_commands(left)
    return 0 if able == todo else 1


def _name(row: "Row") -> str:
    return row.setting.lower().replace("'", "").replace(" ", "-")


def _tell_commands(rows: "list[Row]") -> None:
    """The commands alone, to be copied."""
    for row in rows:
        for command in row.commands:
            click.echo(f"  {command}")


def _show(rows: "list[Row]") -> None:
    """A table on a terminal, a line for each setting elsewhere."""
    marks = {True: "right", False: "wrong", None: "unknown"}
    if not sys.stdout.isatty():
        for row in rows:
            click.echo(f"{marks[row.right]}: {_name(row)}: {row.current}; should be: {row.wanted}")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    styles = {True: "green", False: "bold red", None: "yellow"}
    table = Table("setting", "is", "should be", "")
    for row in rows:
        mark = Text(marks[row.right], styles[row.right])
        table.add_row(_name(row), Text(row.current), Text(row.wanted), mark)
    Console().print(table)
