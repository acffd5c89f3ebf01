"""JSON schemas that xAI refuses."""

from collections.abc import Iterator
from itertools import chain
from typing import Any
from urllib.parse import unquote

from xai_lowcode.emulator.json_values import Json
from xai_lowcode.emulator.provider_errors import bad_request

UNIONS = ("anyOf", "oneOf")
SCHEMA_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
SCHEMA_MAPS = ("properties", "$defs", "definitions", "patternProperties")
SUBSCHEMAS = ("items", "additionalProperties", "not", "contains", "if", "then", "else")
NOT_AN_OBJECT = "{name}: tool parameter root must be an object type (root schema is {root})"
UNION_ROOT = "an anyOf/oneOf union with a non-object branch"
MAX_SHOWN_PATH = 200
MAX_REFERENCES = 100
# No number of a schema is larger; the limits of 64-bit integers are smaller.
MAX_NUMBER = 1e20
MIN_STEP = 1e-9
TYPES = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})
COUNTS = (*("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"),)
NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
KEYWORD_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(SCHEMA_MAPS, (dict,)),
    **dict.fromkeys((*SCHEMA_LISTS, "required", "enum", "examples"), (list,)),
    **dict.fromkeys(("$ref", "format", "pattern"), (str,)),
    "type": (str, list),
}


def check_schema(name: str, schema: Any) -> None:
    """Check the schema of the tool or response format with this name.

    Raises:
        ProviderError: xAI cannot compile the schema.
    """
    if not isinstance(schema, dict):
        raise bad_request(NOT_AN_OBJECT.format(name=name, root="not a schema"))
    nodes = list(_walk(schema, "#"))
    schemas = {id(node) for _, node in nodes}
    for path, node in nodes:
        references = _find_bad_references(node, schema, schemas)
        for problem in chain(_find_problems(node), references):
            raise bad_request(f"{name}: Invalid arguments passed to the model. {problem} at {path}")
    _check_root(name, schema)


def _check_root(name: str, schema: Json) -> None:
    for union in UNIONS:
        if not all(_is_object(branch, schema) for branch in schema.get(union) or []):
            raise bad_request(NOT_AN_OBJECT.format(name=name, root=UNION_ROOT))
    if not any(schema.get(union) for union in UNIONS) and not _is_object(schema, schema):
        root = f"of type {schema.get('type')}"
        raise bad_request(NOT_AN_OBJECT.format(name=name, root=root))


def _is_object(schema: Any, root: Json) -> bool:
    if not isinstance(schema, dict):
        return False
    followed: set[str] = set()
    while "$ref" in schema:
        if schema["$ref"] in followed or len(followed) == MAX_REFERENCES:
            return False
        followed.add(schema["$ref"])
        schema = find_target(schema["$ref"], root)
    # An empty schema is that of a tool without parameters.
    return bool(schema.get("type", "object") == "object")


def find_target(reference: str, root: Any) -> Any:
    """Return the value that a reference within a schema points to; None if there is none."""
    steps = [step for step in unquote(reference).removeprefix("#").split("/") if step]
    for step in steps if reference.startswith("#") else [reference]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(root, list):
            root = next((item for index, item in enumerate(root) if str(index) == key), None)
        else:
            root = root.get(key) if isinstance(root, dict) else None
    return root


def _walk(schema: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Iterate over all subschemas with their paths."""
    path = path[:MAX_SHOWN_PATH]
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
    for key, types in KEYWORD_TYPES.items():
        if key in node and not isinstance(node[key], types):
            yield f"invalid {key}"
            return
    yield from _find_bad_values(node)
    for key in ("enum", "anyOf"):
        if node.get(key) == []:
            yield f"empty {key}"
    if None in node.get("enum", ()):
        yield "null inside enum"
    if isinstance(node.get("items"), list):
        yield "array-form items"
    for key in ("minContains", "maxContains"):
        if key in node:
            yield f"unsupported {key}"


def _find_bad_values(node: Json) -> Iterator[str]:
    """Yield the keywords whose values have the right JSON type, but no meaning."""
    kinds = node.get("type", "object")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if not kinds or not all(isinstance(kind, str) and kind in TYPES for kind in kinds):
        yield "invalid type"
    if not all(isinstance(name, str) for name in node.get("required", ())):
        yield "invalid required"
    for key in COUNTS:
        if key in node and (type(node[key]) is not int or node[key] < 0):
            yield f"invalid {key}"
    for key in NUMBERS:
        number = node.get(key, 1)
        # In draft 4 an exclusive bound is a boolean beside the inclusive one.
        if not isinstance(number, int | float) or abs(number) > MAX_NUMBER:
            yield f"invalid {key}"
    if isinstance(node.get("multipleOf"), int | float) and node["multipleOf"] < MIN_STEP:
        yield "invalid multipleOf"


def _find_bad_references(node: Any, root: Json, schemas: set[int]) -> Iterator[str]:
    if isinstance(node, dict) and "$ref" in node:
        target = find_target(node["$ref"], root)
        if not isinstance(target, dict) or id(target) not in schemas:
            yield "invalid $ref"
