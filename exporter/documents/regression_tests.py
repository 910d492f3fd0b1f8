"""Regression tests, categories and tags: in lists and in full."""

from typing import Annotated, TypedDict

from exporter.documents.analysis import Stability
from exporter.documents.fields import (
    Command,
    Count,
    Hash,
    Keywords,
    Link,
    Platform,
    RegressionTestId,
    RunId,
    SampleId,
    SampleName,
)
from exporter.documents.results import HistoryEntry


class RegressionTest(TypedDict):
    """A regression test."""

    regression_test_id: RegressionTestId
    sample_id: SampleId | None
    sample_name: SampleName | None
    command: Command | None
    input_type: Annotated[str | None, "How it gets the sample.", Keywords(enum=["file", "stdin", "udp"])]
    output_type: Annotated[
        str | None,
        "How it gives its output; `null` is a text here.",
        Keywords(enum=["file", "null", "tcp", "cea708", "multiprogram", "stdout", "report"]),
    ]
    expected_rc: Annotated[int | None, "What it should exit with."]
    active: Annotated[bool | None, "Whether runs do it."]
    categories: Annotated[list[str], "Names, each once, by the id of the category."]
    description: Annotated[str | None, "What it is for."]


class RegressionTestItem(RegressionTest):
    """A regression test, as in every list of regression tests."""

    href: Annotated[Link, "The regression test's document."]


class Variant(TypedDict):
    """A content that is accepted beside the correct one."""

    id: Annotated[int, "Its id."]
    hash: Annotated[Hash | None, "Its hash."]


class ExpectedOutput(TypedDict):
    """An output that a regression test should write."""

    id: Annotated[int, "Its id."]
    correct: Annotated[Hash | None, "Hash of the approved output."]
    correct_extension: Annotated[str | None, "With its dot.", Keywords(examples=[".srt"])]
    expected_filename: Annotated[str | None, "The name that the test gives it."]
    ignore: Annotated[bool | None, "Whether a missing output is ignored."]
    variants: Annotated[list[Variant], "What else is accepted."]


class RegressionTestLinks(TypedDict):
    """Documents that lead on from a regression test."""

    sample: Annotated[Link | None, "Its sample, if it has one."]
    history: Annotated[Link | None, "That sample's history."]


class RegressionTestDocument(RegressionTest):
    """A regression test, in full."""

    outputs: Annotated[list[ExpectedOutput], "What it should write."]
    last_passed_on_linux: Annotated[RunId | None, "The run, as the platform keeps it."]
    last_passed_on_windows: Annotated[RunId | None, "The run, as the platform keeps it."]
    recent: Annotated[dict[Platform, list[HistoryEntry]], "The newest 50 results on each platform, newest first."]
    stability: Annotated[dict[Platform, Stability], "How steady the results are on each platform."]
    links: RegressionTestLinks


class Category(TypedDict):
    """A category of regression tests."""

    id: Annotated[int, "Its id."]
    name: Annotated[str | None, "Its name."]
    description: Annotated[str | None, "What it is."]
    test_count: Annotated[Count, "Rows that put a test into it."]


class Tag(TypedDict):
    """A sample's tag."""

    id: Annotated[int, "Its id."]
    name: Annotated[str | None, "Its name."]
    description: Annotated[str | None, "What it is."]
