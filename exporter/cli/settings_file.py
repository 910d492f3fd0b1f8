"""Settings: the command line first, then the environment (`EXPORTER_*`), then `exporter.toml`."""

import difflib
import pathlib
import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from exporter.errors import UsageError


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """The settings in a file: option names without their leading dashes, such as `database-url`.

    Args:
        path: the file; None: there is none.
        values: the settings by name, with `_` as `-`.
    """

    NAME: ClassVar[str] = "exporter.toml"
    """Read from the working directory if it exists and no other file is named."""

    path: pathlib.Path | None
    text: str
    values: Mapping[str, Any]

    @classmethod
    def read(cls, path: pathlib.Path | None) -> "SettingsFile":
        """Read the file at a path, or the one of the default name if there is one.

        Raises:
            UsageError: the file cannot be read, or is not TOML.
        """
        if path is None:
            path = pathlib.Path(cls.NAME)
            if not path.is_file():
                return cls(None, "", {})
        try:
            data = path.read_bytes()
            text = data.decode("utf-8-sig")  # some editors begin a file with the mark of its encoding
            values = tomllib.loads(text)
        except OSError as error:
            raise UsageError(f"cannot read the settings file {path}: {error.strerror}") from None
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise UsageError(f"the settings file {path} is not UTF-8 (line {line}): save it in that encoding") from None
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"the settings file {path} is not TOML: {error}") from None
        return cls(path, text, {name.replace("_", "-"): value for name, value in values.items()})

    def place(self, setting: str) -> str:
        """Where a setting stands: its name, the file and the line."""
        name = re.escape(setting).replace(r"\-", "[-_]")
        found = re.search(rf"^[ \t]*[\"'\[]?{name}[\"'\]]?[ \t]*(=|$)", self.text, re.MULTILINE)
        line = f", line {self.text.count(chr(10), 0, found.start()) + 1}" if found else ""
        return f"{setting} ({self.path}{line})"

    def check(self, known: Collection[str]) -> None:
        """Check that every setting is one that some command takes.

        Raises:
            UsageError: one is not.
        """
        for name in self.values:
            if name not in known and isinstance(self.values[name], dict):
                raise UsageError(f"{self.place(name)}: a settings file has no sections, only lines name = value")
            if name not in known:
                raise UsageError(f"{self.place(name)}: there is no such setting{did_you_mean(name, known)}")

    def defaults(self, settings: Mapping[str, tuple[str, bool]]) -> dict[str, Any]:
        """The settings as a command's defaults, by the names of its parameters.

        Args:
            settings: setting → the parameter that takes it, and whether it takes several values.

        Raises:
            UsageError: a setting has a value that no option takes.
        """
        return {
            parameter: self._text(setting, multiple)
            for setting, (parameter, multiple) in settings.items()
            if setting in self.values
        }

    def _text(self, setting: str, multiple: bool) -> str | list[str]:
        """A setting as the environment would give it: its option converts a text."""
        value = self.values[setting]
        values = value if multiple and isinstance(value, list) else [value]
        if not all(isinstance(one, str | int | float) for one in values):
            wanted = "a text, a number, or a list of them" if multiple else "a text or a number"
            raise UsageError(f"{self.place(setting)}: the value must be {wanted}")
        texts = [str(one) for one in values]
        if any("\0" in one for one in texts):
            raise UsageError(f"{self.place(setting)}: the value must not hold a NUL character")
        return texts if multiple else texts[0]


def did_you_mean(name: str, known: Iterable[str], prefix: str = "") -> str:
    """The rest of an error message: the known names that a misspelled one is like, beside a prefix that all have."""
    names = sorted(one.removeprefix(prefix) for one in known)
    like = difflib.get_close_matches(name.removeprefix(prefix), names, n=2, cutoff=0.6)
    return f"; did you mean {' or '.join(prefix + one for one in like)}?" if like else ""
