"""The platform's tables as they really are (`docs/platform-schema.md`), with what must never be exported.

Rows are written as tuples in column order, so the order of columns here is the order in a row.
"""

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)
from sqlalchemy.schema import SchemaItem

metadata = MetaData()


def _table(name: str, *items: SchemaItem) -> Table:
    return Table(name, metadata, *items, mysql_engine="InnoDB", mysql_charset="utf8mb4")


def _id() -> Column[int]:
    return Column("id", Integer, primary_key=True)


def _reference(name: str, target: str, ondelete: str = "CASCADE", *, index: bool = False) -> Column[int]:
    return Column(name, Integer, ForeignKey(f"{target}.id", onupdate="CASCADE", ondelete=ondelete), index=index)


def _key_reference(name: str, target: str, *, index: bool = False) -> Column[int]:
    key = ForeignKey(f"{target}.id", onupdate="CASCADE", ondelete="CASCADE")
    return Column(name, Integer, key, nullable=False, autoincrement=False, index=index)


USER = _table(
    "user",
    _id(),
    Column("name", String(50), unique=True),
    Column("email", String(255), unique=True),
    Column("github_token", Text),
    Column("github_login", String(255)),
    Column("password", String(255), nullable=False),
    Column("role", String(50)),
)
CATEGORY = _table(
    "category", _id(), Column("name", String(64), unique=True), Column("description", Text, nullable=False)
)
FORK = _table("fork", _id(), Column("github", String(256), unique=True))
CCEXTRACTOR_VERSION = _table(
    "ccextractor_version",
    _id(),
    Column("version", String(10), unique=True),
    Column("released", Date, unique=True),
    Column("commit", String(64), unique=True),
)
TAG = _table("tag", _id(), Column("name", String(64), nullable=False, unique=True), Column("description", String(1024)))
SAMPLE = _table(
    "sample",
    _id(),
    Column("sha", String(128), unique=True),
    Column("extension", String(64), nullable=False),
    Column("original_name", Text, nullable=False),
)
TEST = _table(
    "test",
    _id(),
    Column("platform", String(50), nullable=False),
    Column("test_type", String(50), nullable=False),
    Column("token", String(64), unique=True),
    _reference("fork_id", "fork", "RESTRICT"),
    Column("branch", Text, nullable=False),
    Column("commit", String(64), nullable=False),
    Column("pr_nr", Integer, nullable=False),
)
UPLOAD = _table(
    "upload",
    _id(),
    _reference("user_id", "user", "RESTRICT"),
    _reference("sample_id", "sample"),
    _reference("version_id", "ccextractor_version", "RESTRICT"),
    Column("platform", String(50), nullable=False),
    Column("parameters", Text, nullable=False),
    Column("notes", Text, nullable=False),
)
SAMPLE_TAG_ASSOCIATION = _table(
    "sample_tag_association",
    Column("sample_id", Integer, ForeignKey("sample.id"), nullable=False, autoincrement=False),
    Column("tag_id", Integer, ForeignKey("tag.id"), nullable=False, autoincrement=False),
    PrimaryKeyConstraint("sample_id", "tag_id"),
)
SAMPLE_EXTRA = _table(
    "sample_extra",
    _id(),
    _reference("sample_id", "sample"),
    Column("original_name", Text, nullable=False),
    Column("extension", String(64), nullable=False),
)
SAMPLE_ISSUE = _table(
    "sample_issue",
    _id(),
    _reference("sample_id", "sample"),
    Column("issue_id", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("status", Text, nullable=False),
)
REGRESSION_TEST = _table(
    "regression_test",
    _id(),
    _reference("sample_id", "sample"),
    Column("command", Text, nullable=False),
    Column("input_type", String(50)),
    Column("output_type", String(50)),
    Column("expected_rc", Integer),
    Column("active", Boolean),
    _reference("last_passed_on_windows", "test", "SET NULL"),
    _reference("last_passed_on_linux", "test", "SET NULL"),
    Column("description", String(1024)),
)
REGRESSION_TEST_CATEGORY = _table(
    "regression_test_category",
    _reference("regression_id", "regression_test", "RESTRICT"),
    _reference("category_id", "category", "RESTRICT"),
)
REGRESSION_TEST_OUTPUT = _table(
    "regression_test_output",
    _id(),
    _reference("regression_id", "regression_test", "RESTRICT"),
    Column("correct", Text),
    Column("correct_extension", String(64), nullable=False),
    Column("expected_filename", Text),
    Column("ignore", Boolean),
)
REGRESSION_TEST_OUTPUT_FILES = _table(
    "regression_test_output_files",
    _id(),
    Column("file_hashes", Text),
    _reference("regression_test_output_id", "regression_test_output", "RESTRICT"),
)
TEST_PROGRESS = _table(
    "test_progress",
    _id(),
    _reference("test_id", "test", index=True),
    Column("status", String(50), nullable=False),
    Column("timestamp", DateTime, nullable=False),
    Column("message", Text, nullable=False),
)
CUSTOMIZED_TEST = _table(
    "customized_test",
    _id(),
    _reference("test_id", "test", "RESTRICT"),
    _reference("regression_id", "regression_test"),
)
TEST_RESULT = _table(
    "test_result",
    _key_reference("test_id", "test"),
    _key_reference("regression_test_id", "regression_test", index=True),
    Column("runtime", Integer),
    Column("exit_code", Integer),
    Column("expected_rc", Integer),
    PrimaryKeyConstraint("test_id", "regression_test_id"),
)
TEST_RESULT_FILE = _table(
    "test_result_file",
    _key_reference("test_id", "test"),
    _key_reference("regression_test_id", "regression_test", index=True),
    _key_reference("regression_test_output_id", "regression_test_output", index=True),
    Column("expected", Text, nullable=False),
    Column("got", Text),
    PrimaryKeyConstraint("test_id", "regression_test_id", "regression_test_output_id"),
)
