"""Permissions of files as options take them: `644`."""

import re
from typing import Any

import click


class FileMode(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """Permissions in octal digits, such as `644`; the owner can read and write."""

    name = "mode"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The permissions that a text stands for."""
        if isinstance(value, int):
            return value
        if not re.fullmatch(r"0?6[0246]{2}", str(value)):
            self.fail(f"{value!r} is not a mode of files that their owner writes: 644, 640, 664 or 600.", param, ctx)
        return int(value, 8)
