"""JSON Schema (2020-12) of the shapes in `documents`.

A generator of our own: pydantic's takes no generic TypedDict of Python 3.11, gives a mapping with `Literal` keys no
required keys, and would be loaded by every export.
"""

import inspect
import types
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, NotRequired, Required, Union, get_args, get_origin, get_type_hints

from exporter.documents.fields import Keywords

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_SCALARS: dict[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    types.NoneType: {"type": "null"},
    Any: {},
}


def name_of(shape: Any) -> str:
    """The name of a TypedDict, or of a generic one with its argument: `RunFeedHead` for `FeedHead[RunItem]`."""
    arguments = "".join(argument.__name__.removesuffix("Item") for argument in get_args(shape))
    name: str = (get_origin(shape) or shape).__name__
    return arguments + name


class Schemas:
    """The schemas of shapes that share definitions.

    `prefix` leads to a definition in the document that the schemas will stand in.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.definitions: dict[str, Schema] = {}
        """Name → schema of every TypedDict that was met."""

    def of(self, type_: Any) -> Schema:
        """The schema of a type that documents are made of.

        Raises:
            TypeError: no document is made of such a type.
        """
        if type_ in _SCALARS:
            return dict(_SCALARS[type_])
        build = self._BUILDERS.get(get_origin(type_))
        if build is not None:
            return build(self, get_args(type_))
        if not hasattr(get_origin(type_) or type_, "__required_keys__"):
            raise TypeError(f"{type_} is no part of a document")
        name = name_of(type_)
        if name not in self.definitions:
            self.definitions[name] = {}  # a shape may hold itself
            self.definitions[name].update(self._typed_dict(type_))
        return {"$ref": self._prefix + name}

    def _annotated(self, arguments: tuple[Any, ...]) -> Schema:
        type_, *notes = arguments
        schema = self.of(type_)
        for note in notes:
            schema |= note.values if isinstance(note, Keywords) else {"description": note}
        if "null" in schema.get("type", ()) and "enum" in schema and None not in schema["enum"]:
            schema["enum"] = [*schema["enum"], None]
        return schema

    def _union(self, arguments: tuple[Any, ...]) -> Schema:
        null = types.NoneType in arguments
        schemas = [self.of(argument) for argument in arguments if argument is not types.NoneType]
        if null and len(schemas) == 1 and "type" in schemas[0]:
            schema = schemas[0]
            nullable = schema | {"type": [schema["type"], "null"]}
            return nullable | {"enum": [*schema["enum"], None]} if "enum" in schema else nullable
        return {"anyOf": [*schemas, *([{"type": "null"}] if null else [])]}

    def _tuple(self, arguments: tuple[Any, ...]) -> Schema:
        items = [self.of(argument) for argument in arguments]
        return {"type": "array", "prefixItems": items, "items": {}, "minItems": len(items), "maxItems": len(items)}

    def _mapping(self, arguments: tuple[Any, ...]) -> Schema:
        keys, value = self.of(arguments[0]), self.of(arguments[1])
        if "enum" in keys:
            return {"type": "object", "properties": dict.fromkeys(keys["enum"], value), "required": keys["enum"]}
        return {"type": "object", "additionalProperties": value} if value else {"type": "object"}

    def _typed_dict(self, shape: Any) -> Schema:
        origin = get_origin(shape) or shape
        given = {
            parameter: argument
            for generic in (shape, *getattr(origin, "__orig_bases__", ()))
            for parameter, argument in zip(
                getattr(get_origin(generic), "__parameters__", ()), get_args(generic), strict=False
            )
        }
        fields = {
            name: self.of(_filled(hint, given)) for name, hint in get_type_hints(origin, include_extras=True).items()
        }
        return {
            "type": "object",
            "description": inspect.cleandoc(origin.__doc__ or ""),
            "properties": fields,
            "required": [name for name in fields if name in origin.__required_keys__],
        }

    _BUILDERS: Mapping[Any, Callable[["Schemas", tuple[Any, ...]], Schema]] = {
        Annotated: _annotated,
        Union: _union,
        types.UnionType: _union,
        Literal: lambda _, values: {"type": "string", "enum": list(values)},
        list: lambda self, arguments: {"type": "array", "items": self.of(arguments[0])},
        tuple: _tuple,
        dict: _mapping,
        Required: lambda self, arguments: self.of(arguments[0]),
        NotRequired: lambda self, arguments: self.of(arguments[0]),
    }


def _filled(hint: Any, given: Mapping[Any, Any]) -> Any:
    """A type with its variables replaced by what they stand for."""
    if hint in given:
        return given[hint]
    parameters = getattr(hint, "__parameters__", ())
    return hint[tuple(given[parameter] for parameter in parameters)] if parameters else hint


def document(shape: Any) -> Schema:
    """A JSON Schema document of one shape that needs no other one."""
    schemas = Schemas("#/$defs/")
    root = schemas.of(shape)
    return {"$schema": DIALECT, "title": name_of(shape), **root, "$defs": schemas.definitions}
