"""Durations as options take them: `90s`, `30m`, `2h`, `1d`."""

import re
from typing import Any

import click


class Duration(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """`90s`, `30m`, `2h` or `1d`; its value is the seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> "Seconds":
        """The seconds that a text stands for."""
        if isinstance(value, Seconds):
            return value
        found = re.fullmatch(r"([0-9]{1,9})([smhd])", str(value))
        if found is None:
            self.fail(f"{value!r} is not a duration: write it as 90s, 30m, 2h or 1d.", param, ctx)
        return Seconds(int(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]])


class Seconds(int):
    """A number of seconds that reads as a `Duration`."""

    def __str__(self) -> str:
        return f"{int(self)}s"
