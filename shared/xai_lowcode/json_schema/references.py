"""JSON pointers: parse and build references inside a schema, and resolve them."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from xai_lowcode.json_schema.context import SchemaContext

Path = tuple["Path", str] | None
"""A location in a schema: its parent and the last token; None is the root.

Linked, since a deeply nested schema has as many paths as levels.
"""


def resolve(root: Mapping[str, Any], reference: Any, context: SchemaContext) -> Any:
    """Return the schema that a reference such as ``#/$defs/A`` points to.

    Raises:
        UsageError: It points outside the schema, or to nothing that can be a schema.
    """
    if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
        raise context.error(
            f"has the unresolvable $ref {reference!r}, which does not point into it",
            "Put the schema under $defs, and refer to it as '#/$defs/name'.",
        )
    target: Any = root
    for token in pointer_tokens(reference):
        target = _child(target, token)
    if not isinstance(target, Mapping | bool):
        raise context.error(
            f"has the unresolvable $ref {reference!r}, which points to no schema",
            "Add the schema, or correct the name.",
        )
    return target


def pointer_tokens(reference: str) -> list[str]:
    """Return the unescaped tokens of a reference."""
    tokens = unquote(reference).split("/")[1:]
    return [token.replace("~1", "/").replace("~0", "~") for token in tokens]


def to_pointer(path: Path) -> str:
    """Return a path as a reference."""
    tokens = []
    while path is not None:
        path, token = path
        tokens.append(token.replace("~", "~0").replace("/", "~1").replace("%", "%25"))
    return "/".join(["#", *reversed(tokens)])


def _child(node: Any, token: str) -> Any:
    if isinstance(node, Mapping):
        return node.get(token)
    if isinstance(node, list | tuple) and token.isdecimal() and int(token) < len(node):
        return node[int(token)]
    return None
