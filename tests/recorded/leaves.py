"""The leaves of a JSON document, and bodies with every field of xAI's OpenAPI document."""

import copy
import json
from collections.abc import Iterator
from functools import cache
from itertools import zip_longest
from typing import Any

from tests.core.wire import WIRE

Json = dict[str, Any]
Path = tuple[str | int, ...]

SCHEMAS = {
    "chat_completions": "ChatResponse",
    "messages": "MessageResponse",
    "responses": "ModelResponse",
    "images": "GeneratedImageResponse",
}
"""The schema of the response of each API."""

# Fields that need a certain value, not only one of the right type.
VALUES = {
    "arguments": '{"n": 1}',
    "bytes": [65],
    "b64_json": "aW1hZ2U=",
    "url": "https://x.ai/page",
    "finish_reason": "stop",
    "stop_reason": "end_turn",
    "object": "response",
    "service_tier": "default",
    "role": "assistant",
    "status": "completed",
    "start_index": 0,
    "end_index": 1,
    "error": None,
    "incomplete_details": None,
    "metadata": {"purpose": "test"},
    "input": {"n": 1},
}
TYPES = {
    "OutputMessage": "message",
    "FunctionToolCall": "function_call",
    "Reasoning": "reasoning",
    "WebSearchCall": "web_search_call",
    "FileSearchCall": "file_search_call",
    "CodeInterpreterCall": "code_interpreter_call",
    "McpCall": "mcp_call",
    "CustomToolCall": "custom_tool_call",
    "ShellCall": "shell_call",
    "SummaryText": "summary_text",
    "ReasoningText": "reasoning_text",
    "Annotation": "url_citation",
    "MessageResponse": "message",
}

OTHER_IMAGE = "b3RoZXI="


def leaves(document: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path of each value that is no container and not null."""
    children: Any = ()
    if isinstance(document, dict):
        children = document.items()
    elif isinstance(document, list):
        children = enumerate(document)
    elif document is not None:
        yield path
    for key, value in children:
        yield from leaves(value, (*path, key))


def pattern(document: Any, path: Path) -> str:
    """Return a path with types of list elements instead of their positions."""
    names = []
    for key in path:
        document = document[key]
        if isinstance(key, str):
            names.append(f".{key}")
        else:
            kind = document.get("type") if isinstance(document, dict) else None
            names.append(f"[{kind or ''}]")
    return "".join(names).removeprefix(".")


def changed(document: Json, path: Path) -> Json:
    """Return a document with another value at a path. The rest is not copied."""
    changed_document: Any = copy.copy(document)
    key, *rest = path
    if rest:
        changed_document[key] = changed(changed_document[key], tuple(rest))
    else:
        is_image = key in {"result", "b64_json"}
        changed_document[key] = OTHER_IMAGE if is_image else _other(changed_document[key])
    return changed_document


def _other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        try:
            parsed = json.loads(value)
        except ValueError:
            return f"{value}x"
        # Arguments stay a JSON object.
        return json.dumps({**parsed, "x": 1}) if isinstance(parsed, dict) else f"{value}x"
    return value + 1


@cache
def specified(api: str) -> tuple[Json, ...]:
    """Return bodies that together have every field of the schema of an API's response."""
    schemas = json.loads((WIRE.parent / "openapi.json").read_text(encoding="utf-8"))
    return tuple(_Builder(schemas["components"]["schemas"]).build(SCHEMAS[api]))


class _Builder:
    def __init__(self, schemas: Json) -> None:
        self._schemas = schemas

    def build(self, name: str) -> list[Any]:
        """Return values of a named schema, at least one for each of its alternatives."""
        return self._values(self._schemas[name], name=name)

    def _values(self, schema: Json, key: str = "", name: str = "") -> list[Any]:
        if key == "type" and name in TYPES:
            return [TYPES[name]]
        if key in VALUES and not (key == "input" and schema.get("type") == "string"):
            return [VALUES[key]]
        if ref := schema.get("$ref"):
            return self.build(ref.rpartition("/")[2])
        for combined in ("oneOf", "anyOf", "allOf"):
            if combined in schema:
                parts = [part for part in schema[combined] if part.get("type") != "null"]
                return [value for part in parts for value in self._values(part, key, name)]
        if "enum" in schema:
            return [schema["enum"][0]]
        return self._typed(schema, key, name)

    def _typed(self, schema: Json, key: str, name: str) -> list[Any]:
        types = schema.get("type", "string")
        match next(t for t in ([types] if isinstance(types, str) else types) if t != "null"):
            case "object":
                return self._objects(schema.get("properties", {}), name)
            case "array":
                return [self._values(schema["items"], name=name)]
            case "integer":
                return [7]
            case "number":
                return [0.5]
            case "boolean":
                return [False]
            case _:
                return [f"{key} of {name}"]

    def _objects(self, properties: Json, name: str) -> list[Json]:
        if not properties:
            return [{"name": "value"}]
        values = {key: self._values(value, key, name) for key, value in properties.items()}
        rows = zip_longest(*values.values())
        return [
            {
                key: values[key][-1] if value is None else value
                for key, value in zip(values, row, strict=True)
            }
            for row in rows
        ]
