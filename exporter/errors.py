"""The failures that an operator can do something about.

Everything that is expected to go wrong (an unreachable database, a full disk, a store of a newer layout) is raised as
one of these; `cli/exit_codes.py` makes one line and the exit code of it. A message says what happened and what to do,
and never holds a database URL, a password or a row's private value.
"""


class ExporterError(Exception):
    """Something failed that is not a defect of the exporter."""

    exit_code = 1


class UsageError(ExporterError):
    """The command line, the environment or the settings file holds a value that is not valid."""

    exit_code = 2


class ShrinkError(ExporterError):
    """The export would delete most of what is published, and `--allow-shrink` was not given."""

    exit_code = 3


class SourceError(ExporterError):
    """The platform's database cannot be read as it must be."""


class StoreError(ExporterError):
    """The store cannot be read or written, or what it holds is not ours to write."""


class ConflictError(StoreError):
    """A conditional write found another version than the one it was to replace."""


class FetchError(ExporterError):
    """What is published cannot be fetched, or is not what it says it is."""


class TooLargeError(FetchError):
    """A document is larger than its manifest says."""
