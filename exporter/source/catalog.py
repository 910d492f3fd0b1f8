"""The catalogue: the small tables, read once in one consistent read and shared by all partitions."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from exporter.source import tables
from exporter.source.database import Database
from exporter.source.redaction import Redactor
from exporter.source.row_values import InvalidRow, Row

INPUT_TYPES = ("file", "stdin", "udp")
OUTPUT_TYPES = ("file", "null", "tcp", "cea708", "multiprogram", "stdout", "report")
UPLOAD_PLATFORMS = ("linux", "windows", "mac", "bsd")


@dataclass(frozen=True, slots=True)
class Named:
    """A row of `category` or `tag`."""

    id: int
    name: str | None
    description: str | None


@dataclass(frozen=True, slots=True)
class UploadRow:
    """A row of `upload` with its version's name and day of release."""

    platform: str | None
    parameters: str | None
    notes: str | None
    version: str | None
    version_released: str | None


@dataclass(frozen=True, slots=True)
class ExtraFile:
    """A row of `sample_extra`."""

    id: int
    original_name: str | None
    extension: str | None


@dataclass(frozen=True, slots=True)
class IssueRow:
    """A row of `sample_issue`, without its user."""

    id: int
    issue_id: int | None
    title: str | None
    created_at: str | None
    status: str | None


@dataclass(frozen=True, slots=True)
class SampleRow:
    """A row of `sample` with what belongs to it, each by ascending id. `tags` are ids."""

    id: int
    sha: str | None
    extension: str | None
    original_name: str | None
    tags: list[int] = field(default_factory=list)
    uploads: list[UploadRow] = field(default_factory=list)
    extra_files: list[ExtraFile] = field(default_factory=list)
    issues: list[IssueRow] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class OutputRow:
    """A row of `regression_test_output` with its accepted variants: (id, hash), by id."""

    id: int
    regression_id: int | None
    correct: str | None
    correct_extension: str | None
    expected_filename: str | None
    ignore: bool | None
    variants: list[tuple[int, str | None]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TestRow:
    """A row of `regression_test` with its outputs and category ids (as the rows name them, repeats included)."""

    __test__ = False

    id: int
    sample_id: int | None
    command: str | None
    input_type: str | None
    output_type: str | None
    expected_rc: int | None
    active: bool | None
    last_passed_on_windows: int | None
    last_passed_on_linux: int | None
    description: str | None
    outputs: list[OutputRow] = field(default_factory=list)
    categories: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Catalog:
    """All small tables, each by ascending id.

    `outputs` holds also those that belong to no known test; `active_tests` are the ids of the tests that a run
    executes if it is not limited to some; `tests_of_sample` the ids of a sample's tests, where it has any;
    `test_counts` category id → number of rows that name it.
    """

    samples: Mapping[int, SampleRow]
    tests: Mapping[int, TestRow]
    outputs: Mapping[int, OutputRow]
    categories: Mapping[int, Named]
    tags: Mapping[int, Named]
    forks: Mapping[int, str | None]
    active_tests: tuple[int, ...]
    tests_of_sample: Mapping[int, list[int]]
    test_counts: Mapping[int, int]

    def tag_names(self, sample: SampleRow) -> list[str]:
        """The names of a sample's tags in the order of its rows; a tag without a name has none."""
        return [name for tag in sample.tags if (name := self.tags[tag].name) is not None]


def read_catalog(database: Database, redactor: Redactor | None = None) -> tuple[Catalog, list[InvalidRow]]:
    """Read the catalogue in one consistent read; and its invalid rows.

    Raises:
        SourceError: it can't be read.
    """
    problems: list[InvalidRow] = []

    def read(connection: sa.Connection) -> Catalog:
        problems.clear()
        return catalog_on(connection, problems, redactor)

    return database.read("the catalogue", read), problems


def catalog_on(connection: sa.Connection, problems: list[InvalidRow], redactor: Redactor | None = None) -> Catalog:
    """The catalogue as a connection sees it; its invalid rows are added to `problems`."""
    return _Reader(connection, problems, redactor or Redactor()).read()


class _Reader:
    """Reads the catalogue on one connection."""

    def __init__(self, connection: sa.Connection, problems: list[InvalidRow], redactor: Redactor) -> None:
        self.connection = connection
        self.problems = problems
        self.redactor = redactor
        self.test_counts: Counter[int] = Counter()

    def _rows(self, table: sa.Table) -> list[Row]:
        keys = [table.c.id] if "id" in table.c else list(table.columns)
        rows = self.connection.execute(sa.select(table).order_by(*keys)).mappings()
        return [
            Row(
                table.name,
                row["id"] if "id" in table.c else "/".join(map(str, row.values())),
                row,
                self.problems,
            )
            for row in rows
        ]

    def _free_text(self, row: Row, column: str, *, nullable: bool = False) -> str | None:
        """A text that people have written, redacted."""
        return self.redactor.optional(row.text(column, nullable=nullable))

    def _attach(self, table: sa.Table, column: str, owners: Mapping[int, Any]) -> list[tuple[Any, Row]]:
        """The rows of a table with the row to which their nullable column `column` refers."""
        return [
            (owners[owner], row) for row in self._rows(table) if (owner := row.reference(column, owners)) is not None
        ]

    def _named(self, table: sa.Table, *, nullable_name: bool, nullable_description: bool) -> dict[int, Named]:
        return {
            row.id: Named(
                row.id,
                row.text("name", nullable=nullable_name),
                self._free_text(row, "description", nullable=nullable_description),
            )
            for row in self._rows(table)
        }

    def read(self) -> Catalog:
        categories = self._named(tables.CATEGORY, nullable_name=True, nullable_description=False)
        tags = self._named(tables.TAG, nullable_name=False, nullable_description=True)
        samples = self._samples(tags)
        tests, outputs = self._tests(samples, categories)
        forks = {row.id: self.redactor.url(row.text("github", nullable=True)) for row in self._rows(tables.FORK)}
        active = tuple(test.id for test in tests.values() if test.active)
        tests_of_sample: dict[int, list[int]] = {}
        for test in tests.values():
            if test.sample_id is not None:
                tests_of_sample.setdefault(test.sample_id, []).append(test.id)
        return Catalog(samples, tests, outputs, categories, tags, forks, active, tests_of_sample, self.test_counts)

    def _samples(self, tags: Mapping[int, Named]) -> dict[int, SampleRow]:
        samples = {
            row.id: SampleRow(row.id, row.text("sha", nullable=True), row.text("extension"), row.text("original_name"))
            for row in self._rows(tables.SAMPLE)
        }
        for sample, row in self._attach(tables.SAMPLE_TAG, "sample_id", samples):
            if (tag := row.reference("tag_id", tags)) is not None:
                sample.tags.append(tag)
        for sample, row in self._attach(tables.SAMPLE_EXTRA, "sample_id", samples):
            sample.extra_files.append(ExtraFile(row.id, row.text("original_name"), row.text("extension")))
        for sample, row in self._attach(tables.ISSUE, "sample_id", samples):
            sample.issues.append(
                IssueRow(
                    row.id,
                    row.integer("issue_id"),
                    self._free_text(row, "title"),
                    row.time("created_at"),
                    row.text("status"),
                )
            )
        versions = {
            row.id: (row.text("version", nullable=True), row.date("released")) for row in self._rows(tables.VERSION)
        }
        for sample, row in self._attach(tables.UPLOAD, "sample_id", samples):
            version = row.reference("version_id", versions)
            name, released = versions[version] if version is not None else (None, None)
            sample.uploads.append(
                UploadRow(
                    row.enum("platform", UPLOAD_PLATFORMS),
                    self._free_text(row, "parameters"),
                    self._free_text(row, "notes"),
                    name,
                    released,
                )
            )
        return samples

    def _tests(
        self, samples: Mapping[int, SampleRow], categories: Mapping[int, Named]
    ) -> tuple[dict[int, TestRow], dict[int, OutputRow]]:
        tests = {
            row.id: TestRow(
                row.id,
                row.reference("sample_id", samples),
                self._free_text(row, "command"),
                row.enum("input_type", INPUT_TYPES, nullable=True),
                row.enum("output_type", OUTPUT_TYPES, nullable=True),
                row.integer("expected_rc", nullable=True),
                row.boolean("active"),
                row.integer("last_passed_on_windows", nullable=True),
                row.integer("last_passed_on_linux", nullable=True),
                self._free_text(row, "description", nullable=True),
            )
            for row in self._rows(tables.REGRESSION_TEST)
        }
        outputs = {
            row.id: OutputRow(
                row.id,
                row.reference("regression_id", tests),
                row.text("correct", nullable=True),
                row.text("correct_extension"),
                row.text("expected_filename", nullable=True),
                row.boolean("ignore"),
            )
            for row in self._rows(tables.OUTPUT)
        }
        for output in outputs.values():
            if output.regression_id is not None:
                tests[output.regression_id].outputs.append(output)
        for output, row in self._attach(tables.VARIANT, "regression_test_output_id", outputs):
            output.variants.append((row.id, row.text("file_hashes", nullable=True)))
        for row in self._rows(tables.TEST_CATEGORY):
            category, named = row.reference("category_id", categories), row.reference("regression_id", tests)
            if category is not None:
                self.test_counts[category] += 1
                if named is not None:
                    tests[named].categories.append(category)
        return tests, outputs
