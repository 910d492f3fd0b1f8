"""Settings: the command line first, then the environment (`EXPORTER_*`), then `exporter.toml`."""

import pathlib
import tomllib
from collections.abc import Mapping
from typing import Any

from exporter.errors import UsageError

FILE = pathlib.Path("exporter.toml")
"""Read from the working directory if it is there and no other file is named."""


def read(path: pathlib.Path | None) -> dict[str, Any]:
    """The settings in a file: option names without their dashes in front, such as `database-url`.

    Raises:
        UsageError: the file is named and can't be read, or is no TOML.
    """
    if path is None and not FILE.is_file():
        return {}
    path = path or FILE
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read the settings file {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"the settings file {path} is no TOML: {error}") from None


def defaults(settings: Mapping[str, Any], options: Mapping[str, Mapping[str, bool]]) -> dict[str, dict[str, Any]]:
    """The settings as each command's defaults.

    Args:
        settings: as read.
        options: command → name of each of its options → whether it may be given several times.

    Raises:
        UsageError: a setting is no command's option, or neither a text nor a number.
    """
    named = {name.replace("-", "_"): value for name, value in settings.items()}
    known = {option for names in options.values() for option in names}
    if unknown := sorted(named.keys() - known):
        raise UsageError(f"the settings file names {', '.join(unknown).replace('_', '-')}, which no command knows")
    return {
        command: {name: _text(name, named[name], multiple) for name, multiple in names.items() if name in named}
        for command, names in options.items()
    }


def _text(name: str, value: Any, multiple: bool) -> str | list[str]:
    """A setting as the environment would give it: the option knows what it makes of a text."""
    values = value if multiple and isinstance(value, list) else [value]
    if not all(isinstance(one, str | int | float) for one in values):
        raise UsageError(
            f"the settings file gives {name.replace('_', '-')} a value that is neither a text nor a number"
        )
    texts = [str(one) for one in values]
    return texts if multiple else texts[0]
