"""JSON schemas that xAI refuses."""

from collections.abc import Iterator
from typing import Any

from xai_lowcode.emulator.handler_types import Json, invalid_argument

UNIONS = ("anyOf", "oneOf")
SCHEMA_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
SCHEMA_MAPS = ("properties", "$defs", "definitions", "patternProperties")
SUBSCHEMAS = ("items", "additionalProperties", "not", "contains", "if", "then", "else")
NOT_AN_OBJECT = "{name}: tool parameter root must be an object type (root schema is {root})"
UNION_ROOT = "an anyOf/oneOf union with a non-object branch"


def check_schema(name: str, schema: Any) -> None:
    """Check the schema of the tool or response format with this name.

    Raises:
        ProviderError: xAI cannot compile the schema.
    """
    _check_root(name, schema)
    for path, node in _walk(schema, "#"):
        for problem in _find_problems(node):
            raise invalid_argument(
                f"{name}: Invalid arguments passed to the model. {problem} at {path}"
            )


def _check_root(name: str, schema: Any) -> None:
    if not isinstance(schema, dict):
        raise invalid_argument(NOT_AN_OBJECT.format(name=name, root="not a schema"))
    for union in UNIONS:
        if not all(_is_object(branch, schema) for branch in schema.get(union) or []):
            raise invalid_argument(NOT_AN_OBJECT.format(name=name, root=UNION_ROOT))
    if not any(schema.get(union) for union in UNIONS) and not _is_object(schema, schema):
        root = f"of type {schema.get('type')}"
        raise invalid_argument(NOT_AN_OBJECT.format(name=name, root=root))


def _is_object(schema: Any, root: Json) -> bool:
    if not isinstance(schema, dict):
        return False
    reference = schema.get("$ref")
    if isinstance(reference, str):
        target: Any = root
        for step in reference.removeprefix("#/").split("/"):
            target = target.get(step, {}) if isinstance(target, dict) else {}
        return target is not schema and _is_object(target, root)
    # An empty schema is that of a tool without parameters.
    return bool(schema.get("type", "object") == "object")


def _walk(schema: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Iterate over all subschemas with their paths."""
    yield path, schema
    if not isinstance(schema, dict):
        return
    for key in SCHEMA_MAPS:
        children = schema.get(key)
        for name, child in children.items() if isinstance(children, dict) else ():
            yield from _walk(child, f"{path}/{key}/{name}")
    for key in SCHEMA_LISTS:
        children = schema.get(key)
        for index, child in enumerate(children if isinstance(children, list) else ()):
            yield from _walk(child, f"{path}/{key}/{index}")
    for key in SUBSCHEMAS:
        if isinstance(schema.get(key), dict):
            yield from _walk(schema[key], f"{path}/{key}")


def _find_problems(node: Any) -> Iterator[str]:
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
