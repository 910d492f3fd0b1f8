"""The command `report`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click
import orjson

from exporter import paths
from exporter.cli import options, reader_options
from exporter.cli.help import Command
from exporter.cli.runs import commit_hash

if TYPE_CHECKING:  # urllib3 takes some time to load
    from exporter.client.api import Api


@click.command(
    cls=Command,
    examples=(
        "report --pr 123 --base https://HOST",
        "report --run 9301 --format text --base site",
    ),
    docs="docs/consumers.md",
)
@options.option("--pr", "-p", type=click.IntRange(1), metavar="N", help="The newest runs of this pull request.")
@options.option("--run", type=click.IntRange(1), metavar="ID", command_line_only=True, help="This run.")
@options.option("--commit", "-c", metavar="SHA", callback=commit_hash, help="The runs of this commit.")
@options.option(
    "--format",
    "form",
    type=click.Choice(["markdown", "json", "text"]),
    default="markdown",
    show_default=True,
    help="Markdown for a pull request comment or $GITHUB_STEP_SUMMARY, JSON for scripts, text for a terminal.",
)
@reader_options.base_options
@options.logging_options
def report(pr: int | None, run: int | None, commit: str | None, form: str, reader: reader_options.Reader) -> None:
    """Say what a pull request, run or commit breaks: one headline, and its failures with links.

    Of each platform the newest run that ended with results is reported; where only some tests were run again at a
    commit, each test by its newest result there.
    """
    from exporter.client import report as reports

    if sum(one is not None for one in (pr, run, commit)) != 1:
        raise click.UsageError("give one of --pr, --run and --commit")
    with reader.open() as api:
        title, runs = _runs(api, pr, run, commit)
        chosen = reports.newest_by_platform(runs)
        failures = reports.newest_failures(
            chosen,
            api.failures,
            lambda sha: api.get(paths.document(paths.runs_of_commit(sha)))["meta"]["platforms"],
        )
        found = reports.Report(
            title,
            tuple(
                reports.run_report(one, of_run, lambda path: api.name + path, lambda item: _diff(api, item))
                for one, of_run in zip(chosen, failures, strict=True)
            ),
            reports.waiting(runs, chosen),
        )
        match form:
            case "json":
                click.echo(orjson.dumps(reports.as_json(found)))
            case "text":
                click.echo(reports.as_text(found), nl=False)
            case _:
                click.echo(reports.as_markdown(found), nl=False)


def _runs(api: "Api", pr: int | None, run: int | None, commit: str | None) -> tuple[str, list[Any]]:
    """The title of a report, and the runs among which it chooses, newest first."""
    if run is not None:
        return f"Run {run}", [api.run(run)]
    if pr is not None:
        return f"Pull request {pr}", list(api.runs(pr=pr))
    assert commit is not None
    return f"Commit {commit[:10]}", list(api.runs(commit=commit))


def _diff(api: "Api", item: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The first difference of a failure that has one."""
    if item["href"] is None:
        return None
    links = (output["diff"] for output in api.get(item["href"])["outputs"] if output["match"] == "different")
    return next((api.get(link) for link in links if link is not None), None)
