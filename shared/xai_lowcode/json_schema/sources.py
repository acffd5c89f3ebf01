"""JSON schemas with names, read from what people pass as a tool or as a schema of objects."""

import inspect
import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, is_dataclass
from typing import Any

from pydantic import TypeAdapter
from pydantic.errors import PydanticUserError

from xai_lowcode.errors import UsageError
from xai_lowcode.json_schema.keywords import ANNOTATIONS, iter_subschemas

# Keys of the schema beside "name": OpenAI's tools and response formats, Anthropic's tools, MCP's.
_SCHEMA_KEYS = ("parameters", "schema", "input_schema", "inputSchema")


@dataclass(frozen=True, slots=True)
class NamedSchema:
    """A JSON schema, with the name and description of the tool or response format.

    Attributes:
        name: The name as it was given; empty if there is none.
        description: The description; empty if there is none.
        schema: The JSON schema.
        strict: Whether OpenAI's format asks for a strict schema; None if it does not say.
    """

    name: str
    description: str
    schema: Mapping[str, Any]
    strict: bool | None = None

    def describe(self) -> Mapping[str, Any]:
        """Return the schema with its description, as a response format has it."""
        return {"description": self.description, **self.schema} if self.description else self.schema


def read_mapping(source: Mapping[str, Any]) -> NamedSchema | None:
    """Read a JSON schema, or a tool or response format of OpenAI, Anthropic, Bedrock or MCP.

    Returns:
        The schema, with an empty name if it has no title; None if the value is none of these.

    Example:
        >>> read_mapping({"name": "now", "schema": {"type": "object"}, "strict": True})
        NamedSchema(name='now', description='', schema={'type': 'object'}, strict=True)
    """
    for key in ("function", "json_schema", "toolSpec"):
        if isinstance(inner := source.get(key), Mapping):
            return read_mapping(inner)
    rest = dict(source)
    title = rest.pop("title", None)
    if "name" not in source:
        if not rest:
            return None if title is None else NamedSchema(str(title), "", {})
        return _describe(str(title or ""), rest) if _is_schema(rest) else None
    name, strict = str(rest.pop("name") or ""), rest.pop("strict", None)
    given = next((key for key in _SCHEMA_KEYS if isinstance(rest.get(key), Mapping)), None)
    if given is None:
        # A JSON schema with a name, or a function without parameters.
        rest = {k: v for k, v in rest.items() if k not in _SCHEMA_KEYS}
        if rest.get("type") in {"function", "json_schema", "custom"}:
            del rest["type"]
        return _describe(name, rest, strict=strict)
    schema = rest[given]
    if given == "inputSchema" and isinstance(schema.get("json"), Mapping):  # Bedrock's
        schema = schema["json"]
    return NamedSchema(name, str(rest.get("description") or ""), schema, strict)


def read_type(source: Any) -> NamedSchema:
    """Return the schema that pydantic generates for a class or another type.

    A recursive class is at the root, where pydantic puts a reference to it.

    Raises:
        UsageError: pydantic generates none for it.

    Example:
        >>> from pydantic import BaseModel
        >>> class Node(BaseModel):
        ...     children: list["Node"]
        >>> read_type(Node).schema["properties"]
        {'children': {'items': {'$ref': '#/$defs/Node'}, 'type': 'array'}}
    """
    # Without modules: list[Person].
    name = source.__name__ if isinstance(source, type) else re.sub(r"\w+\.", "", str(source))
    try:
        if hasattr(source, "model_json_schema"):
            schema = source.model_json_schema()
        elif isinstance(source, type) and hasattr(source, "schema"):  # a class of pydantic 1
            schema = source.schema()
        else:
            schema = TypeAdapter(source).json_schema()
    except PydanticUserError as error:
        raise UsageError(
            f"schema: pydantic generates no JSON schema for {name!r}: {error.message}",
            field="schema",
            hint="Use types that JSON can express.",
        ) from None
    schema = _inline_root(_drop_generated_titles(schema))
    if is_dataclass(source) and not str(source.__doc__).startswith(f"{name}("):
        schema.setdefault("description", inspect.getdoc(source) or "")
    title = schema.get("title")
    return _describe(title if isinstance(title, str) and title else name, schema)


def is_object_schema(schema: Mapping[str, Any]) -> bool:
    """Return whether xAI accepts a schema at its root; others are sent by ``wrap_value``."""
    return schema.get("type") == "object"


def wrap_value(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of an object with the field ``value``, for a schema of other values."""
    inner = dict(schema)
    definitions: dict[str, Any] = {
        key: inner.pop(key) for key in ("$defs", "definitions") if key in inner
    }
    return {
        "type": "object",
        "properties": {"value": inner},
        "required": ["value"],
        "additionalProperties": False,
        **definitions,
    }


def unwrap_value(data: Any) -> Any:
    """Return the value of an object with the schema of ``wrap_value``.

    Raises:
        ValueError: The data is not such an object.
    """
    if not isinstance(data, dict) or "value" not in data:
        raise ValueError("expected an object with the field 'value'")
    return data["value"]


def make_strict(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a strict copy, as OpenAI defines it: all properties are required, and no others.

    Objects without ``properties`` are maps, and keep their values. Branches of ``allOf`` describe
    the same object, so that they are not closed.
    """
    strict = deepcopy(dict(schema))
    stack: list[Any] = [strict]
    while stack:
        node = stack.pop()
        if not isinstance(node, dict):
            continue
        parts = [part for part in node.get("allOf") or () if isinstance(part, dict)]
        if isinstance(node.get("properties"), dict) and not parts:
            node |= {"required": list(node["properties"]), "additionalProperties": False}
        branches = {id(part) for part in parts}
        for below in iter_subschemas(node):
            stack += iter_subschemas(below) if id(below) in branches else [below]
    return strict


def _is_schema(node: Mapping[str, Any]) -> bool:
    keywords = {"type", "properties", "$ref", "anyOf", "oneOf", "allOf", "additionalProperties"}
    return bool(keywords & node.keys()) or node.keys() <= ANNOTATIONS


def _describe(name: str, schema: Mapping[str, Any], *, strict: bool | None = None) -> NamedSchema:
    rest = dict(schema)
    if isinstance(rest.get("title"), str):
        del rest["title"]
    return NamedSchema(name, str(rest.pop("description", None) or ""), rest, strict)


def _inline_root(schema: dict[str, Any]) -> dict[str, Any]:
    """Put the class at the root, where pydantic refers to a recursive class."""
    for key in ("$defs", "definitions"):
        prefix = f"#/{key}/"
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference.startswith(prefix):
            rest = {keyword: value for keyword, value in schema.items() if keyword != "$ref"}
            return {**schema.get(key, {}).get(reference.removeprefix(prefix), {}), **rest}
    return schema


def _drop_generated_titles(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy without titles that repeat the name of a property or class."""
    copied = deepcopy(dict(schema))
    stack: list[Any] = [copied]
    while stack:
        node = stack.pop()
        if not isinstance(node, dict):
            continue
        for keyword in ("properties", "$defs", "definitions"):
            for name, below in (node.get(keyword) or {}).items():
                repeated = {name, name.title().replace("_", " ").strip()}
                if isinstance(below, dict) and below.get("title") in repeated:
                    del below["title"]
        stack += iter_subschemas(node)
    return copied
