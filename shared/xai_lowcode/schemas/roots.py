"""The root of a clean schema: xAI wants an object there, plainly to be seen."""

from collections.abc import Mapping
from typing import Any

from xai_lowcode.schemas.keywords import ANNOTATIONS
from xai_lowcode.schemas.references import target_of
from xai_lowcode.schemas.refusals import Account
from xai_lowcode.schemas.rules import Node

_UNIONS = ("anyOf", "oneOf")


def settle_root(root: Node, account: Account) -> Node:
    """The schema with an object at its root instead of a reference to one.

    Raises:
        UsageError: Its root is no object, or may be something else too.
    """
    root = _followed(root, account)
    if not _is_object(root):
        raise account.refusal(
            "is not an object at its root",
            "Wrap it in an object: {'type': 'object', 'properties': {'value': …}}.",
        )
    if not any(union in root for union in _UNIONS) or "type" in root:
        root["type"] = "object"
    return root


def _followed(root: Node, account: Account) -> Node:
    seen = {"#"}
    while "$ref" in root:
        reference = root["$ref"]
        if reference in seen:
            raise account.refusal("is nothing but a reference to itself", "Say what it is.")
        seen.add(reference)
        beside = {word: value for word, value in root.items() if word != "$ref"}
        if beside.keys() <= ANNOTATIONS:
            root = {**target_of(root, reference), **beside}
        else:
            # Merged, "additionalProperties" of the one would speak of properties of the other.
            beside["allOf"] = [*beside.get("allOf", ()), {"$ref": reference}]
            root = beside
    return root


def _is_object(root: Node) -> bool:
    waiting: list[Any] = [root]
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if node.get("type", "object") not in ("object", ["object"], ("object",)):
            return False
        if not all(isinstance(value, Mapping) for value in _values(node)):
            return False
        if "$ref" in node:
            waiting.append(target_of(root, node["$ref"]))
        for word in (*_UNIONS, "allOf"):
            waiting += node.get(word, ())
    return True


def _values(node: Node) -> list[Any]:
    return [*node.get("enum", ()), *([node["const"]] if "const" in node else ())]
