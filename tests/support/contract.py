"""The published contract as a consumer holds documents to it, and its comparison with an earlier one.

`python -m tests.contract` keeps the present one, as that of a release.
"""

import copy
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import orjson

from exporter import paths
from exporter.builders import api_description

RELEASED = pathlib.Path(__file__).parent.parent / "data" / "contract"
"""A released contract each: what `openapi.json` was."""

_INTEGER = r"-?\d+"
_TEXT = r"[^/]+"


def closed(schema: Any) -> Any:
    """A copy of a schema in which no object may have a field that is not named."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {name: closed(part) for name, part in schema.items()}
    return parts | ({"additionalProperties": False} if isinstance(schema.get("properties"), dict) else {})


class Contract:
    """What one `openapi.json` says of each path: its template, and what is wrong with a document there.

    A template without parameters goes before one with them, as OpenAPI has it.
    """

    def __init__(self, openapi: dict[str, Any]) -> None:
        openapi = copy.deepcopy(openapi)
        self._definitions = openapi["components"].pop("schemas")
        shut = {name: closed(schema) for name, schema in self._definitions.items()}
        parameters = openapi["components"]["parameters"]
        self.templates: dict[str, re.Pattern[str]] = {}
        self._schemas: dict[str, Any] = {}
        self._validators: dict[str, Any] = {}
        for path, item in sorted(openapi["paths"].items(), key=lambda entry: entry[0].count("{")):
            pattern = "".join(
                re.escape(piece) if number % 2 == 0 else _pattern(parameters[piece])
                for number, piece in enumerate(re.split(r"{(\w+)}", path))
            )
            self.templates[path] = re.compile(pattern)
            schema = self._schemas[path] = _answer(item["get"])
            self._validators[path] = jsonschema_rs.Draft202012Validator(
                {**schema, "components": {"schemas": shut}}, validate_formats=True
            )

    def template(self, path: str) -> str | None:
        """The template that a path, relative to the API root, belongs to; None if there is not just one."""
        found = [template for template, pattern in self.templates.items() if pattern.fullmatch(f"/{path}")]
        plain = [template for template in found if "{" not in template]
        return plain[0] if plain else found[0] if len(found) == 1 else None

    def problems(self, path: str, document: Any) -> Iterator[str]:
        """What is wrong with a document."""
        template = self.template(path)
        if template is None:
            yield f"{path}: not one template"
            return
        for error in self._validators[template].iter_errors(document):
            yield f"{template} {'/'.join(map(str, error.instance_path))}: {error.message[:200]}"
        for name in self._out_of_order(self._schemas[template], document):
            yield f"{template}: the fields of {name} do not stand in their order"

    def _out_of_order(self, schema: Any, value: Any, name: str = "") -> Iterator[str]:
        """The names of shapes whose fields do not stand in their order in a document that is valid but for that."""
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            schema = self._definitions[name]
        if isinstance(value, list):
            parts = [(schema.get("items", {}), item) for item in value]
        elif isinstance(value, dict):
            fields = schema.get("properties", {})
            if [field for field in fields if field in value] != [field for field in value if field in fields]:
                yield name
            rest = schema.get("additionalProperties") or {}
            parts = [(fields.get(field, rest), part) for field, part in value.items()]
        else:
            return
        for part_schema, part in parts:
            for option in part_schema.get("anyOf", [part_schema]):
                yield from self._out_of_order(option, part, name)


def _pattern(parameter: dict[str, Any]) -> str:
    return _INTEGER if parameter["schema"]["type"] == "integer" else _TEXT


class Compatibility:
    """What of an earlier contract a later one breaks: one line each.

    Readers of the earlier one must find all they rely on. So nothing that is told may go, get another type, unit or
    format, or become null or optional where it was not. More paths, fields and values are welcome.
    """

    def __init__(self, old: dict[str, Any], new: dict[str, Any]) -> None:
        self._old, self._new = old, new
        self._seen: set[tuple[str, str]] = set()

    def problems(self) -> Iterator[str]:
        """Each thing that is broken."""
        for kind in ("schemas", "parameters"):
            old, new = self._old["components"][kind], self._new["components"][kind]
            for name in old:
                if name not in new:
                    yield f"{name}: removed from {kind}"
                else:
                    yield from self._compare(
                        old[name].get("schema", old[name]), new[name].get("schema", new[name]), name
                    )
        for path, item in self._old["paths"].items():
            if path not in self._new["paths"]:
                yield f"{path}: document removed"
                continue
            before, after = item["get"], self._new["paths"][path]["get"]
            if before["operationId"] != after["operationId"]:
                yield f"{path}: operation renamed"
            yield from self._compare(_answer(before), _answer(after), path)

    def _compare(self, old: Any, new: Any, place: str) -> Iterator[str]:
        pair = (old.get("$ref", ""), new.get("$ref", ""))
        if all(pair):
            if pair[0] == pair[1] or pair in self._seen:  # the same shape is compared under its own name
                return
            self._seen.add(pair)
        old, old_null = _plain(old, self._old)
        new, new_null = _plain(new, self._new)
        if new_null and not old_null:
            yield f"{place}: made nullable"
        yield from _value(old, new, place)
        yield from self._parts(old, new, place)

    def _parts(self, old: Any, new: Any, place: str) -> Iterator[str]:
        if gone := [name for name in old.get("required", ()) if name not in new.get("required", ())]:
            yield f"{place}: no longer always there: {gone}"
        for name, part in old.get("properties", {}).items():
            if name in new.get("properties", {}):
                yield from self._compare(part, new["properties"][name], f"{place}.{name}")
            else:
                yield f"{place}.{name}: removed"
        for keyword in ("items", "additionalProperties"):
            if keyword in old:
                yield from self._compare(old[keyword], new.get(keyword, {}), f"{place}[]")
        parts = old.get("prefixItems", []), new.get("prefixItems", [])
        if len(parts[0]) != len(parts[1]):
            yield f"{place}: another number of items"
        for one, other in zip(*parts, strict=False):
            yield from self._compare(one, other, f"{place}[]")


def _value(old: Any, new: Any, place: str) -> Iterator[str]:
    for keyword in ("type", "format", "x-unit"):
        if keyword in old and new.get(keyword) != old[keyword]:
            yield f"{place}: {keyword} changed from {old[keyword]} to {new.get(keyword)}"
    kept = new.get("enum", ())
    if gone := [value for value in old.get("enum", ()) if value is not None and value not in kept]:
        yield f"{place}: enum values removed: {gone}"


def _answer(operation: Any) -> Any:
    (content,) = operation["responses"]["200"]["content"].values()
    return content["schema"]


def _plain(schema: Any, openapi: Any) -> tuple[Any, bool]:
    """A schema without `$ref` and null, and whether it may be null."""
    null = False
    if "anyOf" in schema:
        others = [option for option in schema["anyOf"] if option != {"type": "null"}]
        assert len(others) == 1, "no shape has alternatives but null"
        schema, null = others[0], True
    if "$ref" in schema:
        schema = openapi["components"]["schemas"].get(schema["$ref"].rpartition("/")[2], {})
    types = schema.get("type")
    if isinstance(types, list):
        (type_,) = set(types) - {"null"}
        return {**schema, "type": type_}, null or "null" in types
    return schema, null


if __name__ == "__main__":
    kept = RELEASED / f"{paths.API_VERSION}.json"
    kept.write_bytes(orjson.dumps(api_description.openapi(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    print(f"{kept}: kept")
