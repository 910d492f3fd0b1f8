"""The catalogue: samples, regression tests, categories, tags, and the search index over them."""

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
    Time,
)
from exporter.documents.results import HistoryEntry
from exporter.rules.status import ResultStatus


class Sample(TypedDict):
    """A sample."""

    sample_id: SampleId
    sha: Annotated[Hash | None, "Hash of the file."]
    extension: Annotated[str | None, "Without a dot, possibly empty.", Keywords(examples=["ts"])]
    original_name: Annotated[str | None, "The file's name when it was uploaded."]
    filename: Annotated[str | None, "`sha.extension`, or `sha` alone if the extension is empty."]
    tags: Annotated[list[str], "Names."]
    regression_test_count: Annotated[Count, "Active tests of it."]
    active: Annotated[bool, "Whether there is an active test."]


class SampleItem(Sample):
    """A sample, as in every list of samples."""

    href: Annotated[Link, "The sample's document."]


class Upload(TypedDict):
    """How a sample came to the platform."""

    platform: Annotated[str | None, "The uploader's.", Keywords(enum=["linux", "windows", "mac", "bsd"])]
    parameters: Annotated[str | None, "The uploader's."]
    notes: Annotated[str | None, "The uploader's."]
    version: Annotated[str | None, "Of CCExtractor, that the uploader used."]
    version_released: Annotated[str | None, "Day of that version's release.", Keywords(format="date")]


class ExtraFile(TypedDict):
    """A file that belongs to a sample."""

    id: Annotated[int, "Its id."]
    original_name: Annotated[str | None, "Its name when it was uploaded."]
    extension: Annotated[str | None, "Without a dot."]


class SampleTest(TypedDict):
    """A regression test, as its sample's document shows it."""

    regression_test_id: RegressionTestId
    command: Command | None
    active: Annotated[bool | None, "Whether runs do the test."]
    newest: Annotated[dict[Platform, ResultStatus | None], "Status of the newest result on each platform."]
    href: Annotated[Link, "The regression test's document."]


class Issue(TypedDict):
    """An issue about a sample."""

    issue_id: Annotated[int | None, "Its number at GitHub."]
    title: Annotated[str | None, "Its title."]
    status: Annotated[str | None, "Its status, as the platform last saw it."]
    created_at: Annotated[Time | None, "When it was opened (UTC)."]


class SampleLinks(TypedDict):
    """Documents that lead on from a sample."""

    history: Annotated[Link, "Every result of the sample's tests."]


class SampleDocument(Sample):
    """A sample, in full."""

    upload: Annotated[Upload | None, "The first one."]
    extra_files: Annotated[list[ExtraFile], "Files that belong to it."]
    regression_tests: Annotated[list[SampleTest], "By id."]
    issues: Annotated[list[Issue], "Issues about it."]
    links: SampleLinks


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
    ignore: Annotated[bool | None, "Whether nobody minds if it is not written."]
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


class FoundSample(TypedDict):
    """A sample in the search index."""

    sample_id: SampleId
    name: Annotated[str | None, "Its original name."]
    sha: Annotated[str | None, "The first 12 digits of its hash."]
    tags: Annotated[list[str], "Names."]


class FoundTest(TypedDict):
    """A regression test in the search index."""

    regression_test_id: RegressionTestId
    sample_id: Annotated[SampleId | None, "Its sample."]
    command: Annotated[str | None, "Its arguments."]
    categories: Annotated[list[str], "Names."]
    active: Annotated[bool | None, "Whether runs do it."]


class SearchIndex(TypedDict):
    """Every sample and regression test in few words."""

    samples: Annotated[list[FoundSample], "By id."]
    regression_tests: Annotated[list[FoundTest], "By id."]
