"""The platform's tables, with the columns that are read and no others.

What is not named here cannot be selected by accident: `test.token`, `upload.user_id` and `sample_issue.user` are
left out on purpose, as are all tables of users, tokens and machines. Types are the plainest that fit, so that an
invalid value arrives as it is (`row_values.py` checks it) instead of failing a whole query.
"""

from sqlalchemy import Column, Integer, MetaData, Table
from sqlalchemy.types import NullType

METADATA = MetaData()


def _table(name: str, *columns: str) -> Table:
    """A table whose `id`-like columns are integers and whose others keep the type that the driver returns."""
    return Table(
        name,
        METADATA,
        *(Column(c, Integer if c == "id" or c.endswith("_id") else NullType()) for c in columns),
    )


RUN = _table("test", "id", "platform", "test_type", "fork_id", "branch", "commit", "pr_nr")
PROGRESS = _table("test_progress", "id", "test_id", "status", "timestamp", "message")
RESULT = _table("test_result", "test_id", "regression_test_id", "runtime", "exit_code", "expected_rc")
RESULT_FILE = _table(
    "test_result_file", "test_id", "regression_test_id", "regression_test_output_id", "expected", "got"
)
CUSTOMIZED = _table("customized_test", "id", "test_id", "regression_id")

FORK = _table("fork", "id", "github")
REGRESSION_TEST = _table(
    "regression_test",
    *("id", "sample_id", "command", "input_type", "output_type", "expected_rc", "active"),
    *("last_passed_on_windows", "last_passed_on_linux", "description"),
)
OUTPUT = _table(
    "regression_test_output",
    *("id", "regression_id", "correct", "correct_extension", "expected_filename", "ignore"),
)
VARIANT = _table("regression_test_output_files", "id", "file_hashes", "regression_test_output_id")
TEST_CATEGORY = _table("regression_test_category", "regression_id", "category_id")
CATEGORY = _table("category", "id", "name", "description")
SAMPLE = _table("sample", "id", "sha", "extension", "original_name")
SAMPLE_TAG = _table("sample_tag_association", "sample_id", "tag_id")
TAG = _table("tag", "id", "name", "description")
SAMPLE_EXTRA = _table("sample_extra", "id", "sample_id", "original_name", "extension")
UPLOAD = _table("upload", "id", "sample_id", "version_id", "platform", "parameters", "notes")
VERSION = _table("ccextractor_version", "id", "version", "released")
ISSUE = _table("sample_issue", "id", "sample_id", "issue_id", "title", "created_at", "status")
