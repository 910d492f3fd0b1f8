"""The command `junit`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from exporter.cli import options, reader_options
from exporter.cli.help import Command

if TYPE_CHECKING:  # urllib3 takes some time to load
    from exporter.client.api import Api
    from exporter.documents.junit import Suite


@click.command(cls=Command, examples=("junit 9301 --base site",), docs="docs/consumers.md")
@click.argument("run", metavar="RUN", type=click.IntRange(1))
@options.option("--passes", is_flag=True, help="List results that pass as well; else they are counted alone.")
@reader_options.base_options
@options.logging_options
def junit(run: int, passes: bool, reader: reader_options.Reader) -> None:
    """Print a run as JUnit XML, for tools that show test results.

    Of a run that has not ended, too. Links are URLs.
    """
    from exporter.documents.junit import junit as xml

    with reader.open() as api:
        click.echo(xml(api.run(run), _suites(api, run, passes=passes)), nl=False)


def _suites(api: "Api", run: int, *, passes: bool) -> "Iterable[Suite]":
    """The results of a run, as the published documents tell them."""
    from exporter.documents.junit import Case, Failure, Suite, count, facts

    suites: dict[str, Suite] = {}
    failures = {one["regression_test_id"]: one for one in api.failures(run)}
    for result in api.results(run):
        found, failure = failures.get(result["regression_test_id"]), None
        if found is not None:
            main = found["verdict"]["main"]
            failure = Failure(
                found["classification"]["code"],
                found["classification"]["reason"],
                found["verdict"]["code"],
                main["state"] if main else None,
                facts(
                    found["command"],
                    found["sample_name"],
                    (found["exit_code"], found["expected_rc"]),
                    api.name + found["href"] if found["href"] else None,
                ),
            )
        suite = count(suites, next(iter(result["categories"]), None), result["runtime_ms"])
        if passes or failure is not None:
            suite.listed.append(Case(result["regression_test_id"], result["runtime_ms"], failure))
    return suites.values()
