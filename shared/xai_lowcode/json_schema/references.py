"""References inside a schema: what they lead to, and what they are called after the cleaning."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal
from urllib.parse import unquote

from xai_lowcode.json_schema.context import SchemaContext
from xai_lowcode.json_schema.keywords import (
    ANNOTATIONS,
    LISTS,
    MAPS,
    SINGLES,
    definition_name,
    is_draft_4,
)

_NOWHERE = object()

# What the next step of a reference names: a keyword, one of several schemas, or what is no schema.
_Expected = Literal["keyword", "member", "definition", "nothing"]


def resolve(root: Mapping[str, Any], reference: str) -> Any:
    """What a reference of the form ``#/a/0`` leads to."""
    target: Any = root
    for holder, step in parent_path(root, reference):
        target = _member(holder, step)
    return target


def parent_path(root: Mapping[str, Any], reference: str) -> Iterator[tuple[Any, str]]:
    """What a reference leads through: each holder, and the step taken from there."""
    holder: Any = root
    for step in _pointer_tokens(reference):
        yield holder, step
        holder = _member(holder, step)


class References:
    """The references of one document.

    Attributes:
        added: Schemas that stand where none is looked for (``#/components/schemas/X``), under the
            names they get in ``$defs``.
    """

    def __init__(self, root: Mapping[str, Any], account: SchemaContext) -> None:
        self.added: dict[str, Any] = {}
        self._root = root
        self._account = account
        self._old = is_draft_4(root)
        self._known = {"#": "#"}

    def moved(self, reference: Any) -> str:
        """What a reference is called after the cleaning.

        Raises:
            UsageError: It leads out of the schema, or nowhere.
        """
        if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
            raise self._account.refusal(
                f"has the reference {reference!r}, which is no place in it",
                "Put what it leads to under $defs, and refer to it as '#/$defs/name'.",
            )
        if reference not in self._known:
            self._known[reference] = self._follow(reference)
        return self._known[reference]

    def _follow(self, reference: str) -> str:
        steps = _pointer_tokens(reference)
        moved, target = self._walk(steps)
        if not isinstance(target, Mapping | bool):
            raise self._account.refusal(
                f"has the reference {reference!r}, which leads nowhere",
                "Add what it leads to, or mend the name.",
            )
        if moved is None:
            return _to_pointer(["$defs", self._add(steps[-1], target)])
        return reference if moved == steps else _to_pointer(moved)

    def _walk(self, steps: list[str]) -> tuple[list[str] | None, Any]:
        """The steps as they are called later, None if they lead where nothing is cleaned."""
        node: Any = self._root
        holder: Any = node
        expected: _Expected = "keyword"
        moved = []
        for step in steps:
            match expected:
                case "keyword":
                    moved.append(_renamed(node, step))
                    holder, expected = node, self._after(node, step)
                case "definition":
                    moved.append(definition_name(holder, step))
                    expected = "keyword"
                case "member":
                    moved.append(step)
                    expected = "keyword"
            node = _member(node, step)
        return (moved if expected == "keyword" else None), node

    def _after(self, node: Any, step: str) -> _Expected:
        if not isinstance(node, Mapping) or not self._stays(node, step):
            return "nothing"
        if step == "definitions":
            return "definition"
        in_array_form = step == "items" and _is_array(node["items"])
        if step in MAPS or step in LISTS or step == "dependencies" or in_array_form:
            return "member"
        return "keyword" if step in SINGLES or step == "additionalItems" else "nothing"

    def _stays(self, node: Mapping[str, Any], step: str) -> bool:
        """Whether the rules leave what stands under a keyword."""
        match step:
            case "additionalItems" if not _is_array(node.get("items")):
                return False
            case "contains" if node.get("minContains") == 0:
                return False
        return step in node and not (self._old and "$ref" in node and step not in ANNOTATIONS)

    def _add(self, name: str, target: Any) -> str:
        definitions = self._root.get("definitions") or {}
        taken = {*(self._root.get("$defs") or ()), *self.added}
        taken |= {definition_name(self._root, other) for other in definitions}
        while name in taken:
            name += "_"
        self.added[name] = target
        return name


def _renamed(node: Any, step: str) -> str:
    if step == "items" and isinstance(node, Mapping) and _is_array(node.get("items")):
        return "prefixItems"
    return _NEW_NAMES.get(step, step)


_NEW_NAMES = {
    "definitions": "$defs",
    "additionalItems": "items",
    "dependencies": "dependentSchemas",
}


def _is_array(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _member(node: Any, step: str) -> Any:
    if isinstance(node, Mapping):
        return node.get(step, _NOWHERE)
    if _is_array(node) and step.isdecimal() and int(step) < len(node):
        return node[int(step)]
    return _NOWHERE


def _pointer_tokens(reference: str) -> list[str]:
    steps = unquote(reference).split("/")[1:]
    return [step.replace("~1", "/").replace("~0", "~") for step in steps]


def _to_pointer(steps: list[str]) -> str:
    escaped = (step.replace("~", "~0").replace("/", "~1").replace("%", "%25") for step in steps)
    return "/".join(["#", *escaped])
