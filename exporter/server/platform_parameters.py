"""The parameters of the platform's read API: what each may be, said once for requests and for the description."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple


class AnswerError(Exception):
    """An answer that is no success: its HTTP status, and the platform's `code`, `message` and `details`."""

    def __init__(self, status: int, code: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "message": message, "details": details}


class Parameter(NamedTuple):
    """A parameter of a query string.

    Args:
        schema: JSON Schema of its values: a text, one of `enum`, a time, or an integer with `minimum` and `maximum`.
    """

    name: str
    schema: Mapping[str, Any]
    description: str


def text(name: str, description: str) -> Parameter:
    """A text that a field must equal, as the database compares texts."""
    return Parameter(name, {"type": "string"}, description)


def choice(name: str, values: Sequence[str], description: str, default: str | None = None) -> Parameter:
    """One of some values."""
    schema = {"type": "string", "enum": list(values)}
    return Parameter(name, schema if default is None else {**schema, "default": default}, description)


def whole(name: str, bounds: tuple[int, int], description: str, default: int | None = None) -> Parameter:
    """A whole number within bounds, both included."""
    schema = {"type": "integer", "minimum": bounds[0], "maximum": bounds[1]}
    return Parameter(name, schema if default is None else {**schema, "default": default}, description)


def moment(name: str, description: str) -> Parameter:
    """A time in ISO 8601; UTC unless it says otherwise."""
    return Parameter(name, {"type": "string", "format": "date-time"}, description)


LIMIT = whole("limit", (1, 100), "Items of a page.", 50)
OFFSET = whole("offset", (0, 2**31), "Items before the page's.", 0)
PAGE = (LIMIT, OFFSET)
ID = (-(2**31), 2**31 - 1)
"""What an id can be: the database's 32 bits."""


@dataclass(frozen=True, slots=True)
class Query:
    """The query string of a request to an endpoint that takes some parameters; an empty value is none.

    Raises:
        AnswerError: from any access, if the value is none that the parameter may have.
        KeyError: the endpoint does not declare the parameter.
    """

    values: Mapping[str, str]
    parameters: Mapping[str, Parameter]

    def text(self, name: str) -> str | None:
        """A text, or one of the declared values; None where there is neither it nor a default."""
        schema = self.parameters[name].schema
        value = self.values.get(name) or schema.get("default")
        allowed = schema.get("enum")
        if value is not None and allowed is not None and value not in allowed:
            raise invalid(name, "one of " + ", ".join(allowed))
        return value

    def texts(self, *names: str) -> dict[str, str]:
        """Those of some texts that are given, by name."""
        return {name: value for name in names if (value := self.text(name)) is not None}

    def number(self, name: str) -> int | None:
        """A whole number; None where there is neither it nor a default."""
        schema = self.parameters[name].schema
        value = self.values.get(name)
        if not value:
            default: int | None = schema.get("default")
            return default
        least, most = schema["minimum"], schema["maximum"]
        digits = value.removeprefix("-")
        if not (digits.isdecimal() and digits.isascii() and len(digits) <= 18 and least <= int(value) <= most):
            raise invalid(name, f"a whole number from {least} to {most}")
        return int(value)

    def time(self, name: str) -> str | None:
        """A time as published documents write it; None where there is none."""
        value = self.text(name)
        if value is None:
            return None
        try:
            # A + of a query string that is not percent-encoded arrives as a space.
            found = datetime.fromisoformat(value.replace(" ", "+") if "T" in value else value)
            found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        except (ValueError, OverflowError):
            raise invalid(name, "a time such as 2026-06-30T12:00:00Z") from None
        return found.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")

    def page(self) -> tuple[int, int]:
        """`limit` and `offset`."""
        return self.number("limit") or 0, self.number("offset") or 0


def invalid(name: str, expected: str) -> AnswerError:
    """A parameter has a value that it cannot have."""
    return AnswerError(400, "validation_error", f"{name} must be {expected}.", parameter=name)
