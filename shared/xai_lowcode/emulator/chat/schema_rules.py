"""What xAI refuses in the JSON schemas of tools and response formats."""

from collections.abc import Iterator
from typing import Any

from xai_lowcode.emulator.answers import Json, invalid

UNIONS = ("anyOf", "oneOf")
LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
MAPS = ("properties", "$defs", "definitions", "patternProperties")
SINGLES = ("items", "additionalProperties", "not", "contains", "if", "then", "else")
NO_OBJECT = "{name}: tool parameter root must be an object type (root schema is {what})"
UNION_ROOT = "an anyOf/oneOf union with a non-object branch"


def check_schema(name: str, schema: Any) -> None:
    """Refuses a schema that xAI cannot compile; `name` says whose it is."""
    _check_root(name, schema)
    for place, node in _nodes(schema, "#"):
        for problem in _problems(node):
            raise invalid(f"{name}: Invalid arguments passed to the model. {problem} at {place}")


def _check_root(name: str, schema: Any) -> None:
    if not isinstance(schema, dict):
        raise invalid(NO_OBJECT.format(name=name, what="not a schema"))
    for union in UNIONS:
        if not all(_is_object(branch, schema) for branch in schema.get(union) or []):
            raise invalid(NO_OBJECT.format(name=name, what=UNION_ROOT))
    if not any(schema.get(union) for union in UNIONS) and not _is_object(schema, schema):
        what = f"of type {schema.get('type')}"
        raise invalid(NO_OBJECT.format(name=name, what=what))


def _is_object(schema: Any, root: Json) -> bool:
    if not isinstance(schema, dict):
        return False
    reference = schema.get("$ref")
    if isinstance(reference, str):
        target: Any = root
        for step in reference.removeprefix("#/").split("/"):
            target = target.get(step, {}) if isinstance(target, dict) else {}
        return target is not schema and _is_object(target, root)
    # An empty schema stands for a tool without parameters.
    return bool(schema.get("type", "object") == "object")


def _nodes(schema: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Walks over all subschemas, with their places."""
    yield place, schema
    if not isinstance(schema, dict):
        return
    for key in MAPS:
        members = schema.get(key)
        for name, member in members.items() if isinstance(members, dict) else ():
            yield from _nodes(member, f"{place}/{key}/{name}")
    for key in LISTS:
        members = schema.get(key)
        for index, member in enumerate(members if isinstance(members, list) else ()):
            yield from _nodes(member, f"{place}/{key}/{index}")
    for key in SINGLES:
        if isinstance(schema.get(key), dict):
            yield from _nodes(schema[key], f"{place}/{key}")


def _problems(node: Any) -> Iterator[str]:
    if not isinstance(node, dict):
        yield "boolean schema"
        return
    for key in ("enum", "anyOf"):
        if node.get(key) == []:
            yield f"empty {key}"
    if isinstance(node.get("enum"), list) and None in node["enum"]:
        yield "null inside enum"
    if isinstance(node.get("items"), list):
        yield "array-form items"
    for key in ("minContains", "maxContains"):
        if key in node:
            yield f"unsupported {key}"
