"""`docs/api.md`: the reference of the API, written from its OpenAPI document by `python -m tests.reference`."""

import pathlib
from collections.abc import Iterator
from typing import Any

from exporter.builders import api_description
from exporter.media_types import TEXT, XML

PAGE = pathlib.Path(__file__).parent.parent.parent / "docs" / "api.md"

INTRODUCTION = """\
# API reference

Version {version}. Written by `make reference` from the shapes in the code, as the published
[`v1/openapi.json`](contract.md#for-machines) is; [the contract](contract.md) has the rules and what lies behind them.
Paths are relative to the API root `v1/`. `?` marks what may be null.
"""

_NOT_JSON = {XML: "XML", TEXT: "text"}


def page() -> str:
    """The whole page."""
    api = api_description.openapi()
    schemas = api["components"]["schemas"]
    lines = [INTRODUCTION.format(version=api["info"]["version"]), "## Paths", ""]
    for tag in api["tags"]:
        lines += [f"### {tag['name']}", "", tag["description"], "", "| path | shape | holds |", "|---|---|---|"]
        for path, item in api["paths"].items():
            one = item["get"]
            if tag["name"] in one["tags"]:
                ((media_type, content),) = one["responses"]["200"]["content"].items()
                shape = _NOT_JSON.get(media_type) or _type(content["schema"])
                lines.append(f"| `{path[1:]}` | {shape} | {one['summary']} |")
        lines.append("")
    lines += ["In a path:", "", "| parameter | |", "|---|---|"]
    for name, parameter in api["components"]["parameters"].items():
        if parameter["in"] == "path":
            lines.append(f"| `{name}` | {_type(parameter['schema'])}. {parameter['description']} |")
    lines += ["", "## Shapes", ""]
    for name in sorted(schemas):
        lines += _shape(name, schemas[name])
    return "\n".join(lines)


def _shape(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield from (f"### {name}", "", schema["description"], "", "| field | type | |", "|---|---|---|")
    for field, part in schema["properties"].items():
        yield f"| `{field}{'?' if _nullable(part) else ''}` | {_type(part)} | {_text(part)} |"
    yield ""


_FORMATS = {"uri-reference": "link", "date-time": "time", "date": "date"}


def _nullable(schema: dict[str, Any]) -> bool:
    return "null" in schema.get("type", ()) or {"type": "null"} in schema.get("anyOf", ())


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(option) for option in schema["anyOf"] if option != {"type": "null"})
    types = schema.get("type", "anything")
    name = next((one for one in types if one != "null"), "null") if isinstance(types, list) else types
    if "prefixItems" in schema:
        return "[" + ", ".join(map(_type, schema["prefixItems"])) + "]"
    if name == "array":
        return "list of " + _type(schema["items"]) if "items" in schema else "list"
    if name == "object":
        value = schema.get("additionalProperties") or next(iter(schema.get("properties", {}).values()), {})
        keys = ", ".join(f"`{key}`" for key in schema.get("properties", {}))
        return (f"{keys} → " if keys else "name → ") + _type(value) if value else "object"
    return _FORMATS.get(schema.get("format", ""), str(name))


def _text(schema: dict[str, Any]) -> str:
    text = [schema.get("description", "")]
    values = schema.get("enum") or schema.get("items", {}).get("enum")
    if values:
        text.append("One of " + ", ".join(f"`{value}`" for value in values if value is not None) + ".")
    if "x-unit" in schema and "illisecond" not in text[0]:
        text.append({"ms": "Milliseconds.", "B": "Bytes."}[schema["x-unit"]])
    if schema.get("examples") and "format" not in schema:
        text.append("Such as " + ", ".join(f"`{value}`" for value in schema["examples"]) + ".")
    return " ".join(filter(None, text)).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page())
