"""Samples: in lists and in full."""

from typing import Annotated, TypedDict

from exporter.documents.fields import Command, Count, Hash, Keywords, Link, Platform, RegressionTestId, SampleId, Time
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
