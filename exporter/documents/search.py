"""The index of samples and regression tests for search."""

from typing import Annotated, TypedDict

from exporter.documents.fields import RegressionTestId, SampleId


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
