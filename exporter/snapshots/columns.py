"""The tables of a snapshot: their columns, derived from `documents/snapshots.py`, and what each means."""

import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from exporter.documents.snapshots import SnapshotRegressionTest, SnapshotResult, SnapshotRun, SnapshotSample
from exporter.rules.failures import FAILURE_CODES
from exporter.rules.verdicts import MAIN_COUNTS, VERDICT_CODES

Kind = Literal["integer", "text", "boolean", "time", "date"]
Name = Literal["runs", "results", "samples", "regression_tests"]

_KINDS: Mapping[Any, Kind] = {int: "integer", str: "text", bool: "boolean"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a shape.

    Args:
        kind: of its values, or of a list's items; None for objects.
        fields: of the object, or of a list's objects; empty for plain values.
        many: whether it is a list.
    """

    name: str
    kind: Kind | None
    fields: "tuple[Field, ...]" = ()
    many: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a snapshot.

    Args:
        name: in SQLite.
        file: the stem of its files' names.
    """

    name: Name
    file: str
    key: tuple[str, ...]
    about: str
    fields: tuple[Field, ...]


def _fields(shape: Any) -> tuple[Field, ...]:
    """The fields of a typed dictionary, in their order."""
    return tuple(_field(name, hint) for name, hint in typing.get_type_hints(shape).items())


def _field(name: str, hint: Any) -> Field:
    if typing.get_origin(hint) in (types.UnionType, typing.Union):  # each of them is with None
        (hint,) = (one for one in typing.get_args(hint) if one is not types.NoneType)
    if typing.get_origin(hint) is list:
        item = _field(name, typing.get_args(hint)[0])
        return Field(name, item.kind, item.fields, many=True)
    if typing.get_origin(hint) is dict:
        keys, values = typing.get_args(hint)
        return Field(name, None, tuple(_field(key, values) for key in typing.get_args(keys)))
    if typing.is_typeddict(hint):
        return Field(name, None, _fields(hint))
    if typing.get_origin(hint) is Literal or hint is types.NoneType:
        hint = type(typing.get_args(hint)[0]) if hint is not types.NoneType else str
    kind = _KINDS[hint]
    if kind == "text" and (name == "timestamp" or name.endswith("_at")):
        kind = "time"
    if name == "version_released":
        kind = "date"
    return Field(name, kind)


RUNS = Table("runs", "runs", ("run_id",), "Test runs, by id.", _fields(SnapshotRun))
RESULTS = Table(
    "results",
    "results",
    ("run_id", "regression_test_id"),
    "Results, by run and regression test.",
    _fields(SnapshotResult),
)
SAMPLES = Table("samples", "samples", ("sample_id",), "Samples, by id.", _fields(SnapshotSample))
REGRESSION_TESTS = Table(
    "regression_tests",
    "regression-tests",
    ("regression_test_id",),
    "Regression tests, by id.",
    _fields(SnapshotRegressionTest),
)
TABLES = (RUNS, RESULTS, SAMPLES, REGRESSION_TESTS)


_SHA = "as the platform stores it, in lower-case hex"

DOCUMENTED: Mapping[str, Mapping[str, str]] = {
    "runs": {
        "run_id": "Identifies the run.",
        "status": "queued, running, canceled, error, fail, pass or incomplete.",
        "platform": "linux or windows.",
        "test_type": "commit or pr.",
        "repository": "The fork as OWNER/NAME, or its URL if it is not on GitHub; unknown without a fork.",
        "branch": "The branch that was tested.",
        "commit_sha": "The commit that was tested.",
        "pr_number": "The pull request; null if the run is of none.",
        "created_at": "Time of the first step.",
        "queued_at": "The same as created_at.",
        "started_at": "Time of the first step testing.",
        "completed_at": "Time of the last step completed or canceled.",
        "github_link": "Where the commit or pull request is shown.",
        "summary": "Counts of the run's results.",
        "summary.total_samples": "Tests that the run was to execute.",
        "summary.pass_count": "Results that are pass.",
        "summary.fail_count": "Results that are fail.",
        "summary.skipped_count": "Tests without a result.",
        "summary.missing_output_count": "Results that are missing_output.",
        "summary.error_count": "Single errors of all results.",
        "summary.duration_ms": "Sum of the runtimes, in milliseconds.",
        "failures": "Counts of the results that are not pass.",
        "failures.codes": "By classification.",
        "failures.verdicts": "By verdict.",
        **{f"failures.verdicts.{code}": f"Failures with the verdict {code}." for code in VERDICT_CODES},
        "failures.main": "By how they stand to the main line.",
        **{f"failures.main.{state}": f"Failures that stand to the main line as {state}." for state in MAIN_COUNTS},
        "suspect": "Set if so many tests newly fail with one code that it looks like the machine.",
        "suspect.code": "The code.",
        "suspect.count": "How many tests newly fail with it.",
        **{f"failures.codes.{code}": f"Results that are {code}." for code in FAILURE_CODES},
        "regression_test_ids": "The tests that the run is limited to; null if it executes all that are active.",
        "progress": "The run's steps, in order.",
        "progress.timestamp": "Time of the step.",
        "progress.status": "preparation, testing, completed or canceled.",
        "progress.message": "What the platform said.",
        "infrastructure_errors": "Failures of the platform itself during the run.",
        "infrastructure_errors.error_id": "Identifies the failure.",
        "infrastructure_errors.run_id": "The run.",
        "infrastructure_errors.sample_id": "Always null.",
        "infrastructure_errors.regression_id": "Always null.",
        "infrastructure_errors.type": "vm_provisioning, checkout, merge, build, worker or storage.",
        "infrastructure_errors.severity": "Always critical.",
        "infrastructure_errors.message": "What the platform said.",
        "infrastructure_errors.location": "Always null.",
        "infrastructure_errors.occurred_at": "Time of the failure.",
    },
    "results": {
        "run_id": "The run.",
        "regression_test_id": "The regression test.",
        "sample_id": "The test's sample.",
        "status": "pass, fail or missing_output, by the outputs and variants that are expected today.",
        "code": "Why it is not pass: one of the contract's classifications; null for a pass.",
        "reason": "The same in a sentence.",
        "accepted_today": "Whether it fails although one of its outputs is the approved content today.",
        "verdict": "Whether the failure is news; null for a pass.",
        "verdict.code": "new_regression, still_failing, never_passed, flaky or no_history.",
        "verdict.line": "The lineage that it is compared with: own or main; null without an earlier result.",
        "verdict.since_run": "The first run of the failing streak; null if the previous result passed.",
        "verdict.last_pass_run": "The last run in which the test passed.",
        "verdict.previous_run": "The run of the previous result.",
        "verdict.signature_changed": "Whether it fails otherwise than the previous result; null if that passed.",
        "verdict.flaky_test": "Whether the test is flaky on that lineage or the main line.",
        "verdict.main": "How the failure stands to the main line; null for a run of the main line.",
        "verdict.main.state": "broken, same, different or no_reference.",
        "verdict.main.run_id": "The run of the test's newest counted result there.",
        "verdict.main.same_failure_run_id": "If broken: the newest run there in which it failed exactly so.",
        "verdict.main.worse": "Whether it is graver than the newest earlier failure.",
        "exit_code": "What the test exited with.",
        "expected_rc": "What it should have exited with.",
        "runtime_ms": "How long it took, in milliseconds.",
        "failure_signature": "Tells one way of failing from another; null for a pass.",
        "outputs": "The outputs that were written or should have been, by id.",
        "outputs.output_id": "Identifies the output.",
        "outputs.filename": "The expected file in the sample repository.",
        "outputs.status": "pass, fail or missing_output.",
        "outputs.match": "exact, variant, different or missing.",
        "outputs.accepted_today": "Whether it is different, although it is the approved content today.",
        "outputs.expected_hash": f"SHA-256 of what was expected then, {_SHA}.",
        "outputs.got_hash": f"SHA-256 of what was written, {_SHA}; null if nothing was.",
    },
    "samples": {
        "sample_id": "Identifies the sample.",
        "sha": f"SHA-256 of the file, {_SHA}.",
        "extension": "Of the file, without a dot.",
        "original_name": "The file's name when it was uploaded, without extension.",
        "filename": "The file in the sample repository.",
        "tags": "Names of the sample's tags.",
        "regression_test_count": "Active regression tests of the sample.",
        "active": "Whether there is one.",
        "upload": "How the sample came to the platform; null if that is unknown.",
        "upload.platform": "linux, windows, mac or bsd.",
        "upload.parameters": "Parameters that were used.",
        "upload.notes": "What the uploader wrote.",
        "upload.version": "CCExtractor's version.",
        "upload.version_released": "The day on which that was released.",
        "extra_files": "Further files of the sample.",
        "extra_files.id": "Identifies the file.",
        "extra_files.original_name": "The file's name when it was uploaded.",
        "extra_files.extension": "Of the file, without a dot.",
        "issues": "Issues about the sample.",
        "issues.issue_id": "The issue's number on GitHub.",
        "issues.title": "The issue's title.",
        "issues.status": "The issue's status.",
        "issues.created_at": "When it was opened.",
    },
    "regression_tests": {
        "regression_test_id": "Identifies the regression test.",
        "sample_id": "The test's sample.",
        "sample_name": "That sample's original_name.",
        "command": "The arguments that CCExtractor gets.",
        "input_type": "file, stdin or udp.",
        "output_type": "file, null, tcp, cea708, multiprogram, stdout or report.",
        "expected_rc": "What the test should exit with today.",
        "active": "Whether runs execute it.",
        "categories": "Names of the test's categories, by their ids.",
        "description": "What the test is for.",
        "outputs": "The outputs that are expected today.",
        "outputs.id": "Identifies the output.",
        "outputs.correct": f"SHA-256 of the approved output, {_SHA}.",
        "outputs.correct_extension": "Of the approved output's file, with its dot.",
        "outputs.expected_filename": "What the test calls the file.",
        "outputs.ignore": "Whether it may be missing.",
        "outputs.variants": "Contents that are accepted as well.",
        "outputs.variants.id": "Identifies the variant.",
        "outputs.variants.hash": f"SHA-256 of the content, {_SHA}.",
        "last_passed_on_linux": "The run that the platform holds for the last to pass on Linux.",
        "last_passed_on_windows": "The run that the platform holds for the last to pass on Windows.",
    },
}
"""Table → field, behind those around it and a dot → what it means."""
