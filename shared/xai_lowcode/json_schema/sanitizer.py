"""The steps of the cleaning, one after the other."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from xai_lowcode._internal import json
from xai_lowcode.json_schema.context import SchemaContext
from xai_lowcode.json_schema.keywords import (
    ANNOTATIONS,
    HOLDERS,
    KINDS,
    LIMITS,
    MAY_BE_BOOLEAN,
    definition_name,
    is_draft_4,
)
from xai_lowcode.json_schema.references import References, resolve

Node = dict[str, Any]
Rule = Callable[[Node, str, str, SchemaContext], None]


def apply_rules(node: Node, place: str, account: SchemaContext, *, old: bool) -> None:
    """Applies all rules to one schema object.

    Args:
        node: A copy of the schema object; it is changed.
        place: Where it stands, as a JSON pointer.
        account: Where to report.
        old: Whether it is read by draft 7 or older, where nothing holds beside ``$ref``.
    """
    if old and "$ref" in node:
        for word in node.keys() - ANNOTATIONS - {"$ref"}:
            del node[word]
    for word in list(node):
        rule = _RULES.get(word)
        if rule is not None and word in node:
            rule(node, word, place, account)


def add_constraint(node: Node, word: str, value: Any) -> None:
    """Demands one thing more."""
    if word not in node:
        node[word] = value
    else:
        node["allOf"] = [*(node.get("allOf") or ()), {word: value}]


def _impossible(node: Node) -> None:
    add_constraint(node, "not", {})


def _move_definitions(node: Node, word: str, _place: str, _account: SchemaContext) -> None:
    moved = {definition_name(node, name): entry for name, entry in (node[word] or {}).items()}
    del node[word]
    node["$defs"] = {**(node.get("$defs") or {}), **moved}


def _split_items(node: Node, word: str, _place: str, _account: SchemaContext) -> None:
    if not isinstance(node[word], list | tuple):
        return
    first, rest = node.pop(word), node.pop("additionalItems", None)
    if first:
        node["prefixItems"] = list(first)
    if rest is not None:
        node["items"] = rest


def _drop_additional(node: Node, word: str, _place: str, _account: SchemaContext) -> None:
    # Only beside items in array form it says something, and goes with them.
    if not isinstance(node.get("items"), list | tuple):
        del node[word]


def _drop_empty(node: Node, word: str, _place: str, _account: SchemaContext) -> None:
    if node[word] in ([], ()):
        del node[word]


def _drop_old_draft(node: Node, word: str, _place: str, _account: SchemaContext) -> None:
    if is_draft_4(node):
        del node[word]


def _split_dependencies(node: Node, word: str, _place: str, _account: SchemaContext) -> None:
    for name, wish in (node.pop(word) or {}).items():
        kind = "dependentRequired" if isinstance(wish, list | tuple) else "dependentSchemas"
        node[kind] = {name: wish, **(node.get(kind) or {})}


def _close_empty_union(node: Node, word: str, _place: str, _account: SchemaContext) -> None:
    if node[word] in ([], ()):
        del node[word]
        _impossible(node)


def _convert_null_in_enum(node: Node, word: str, _place: str, _account: SchemaContext) -> None:
    values = node[word]
    if values and all(v is not None for v in values):
        return
    del node[word]
    if values is None:
        return
    others = [value for value in values if value is not None]
    if len(others) == len(values) or not _takes_null(node):
        if others:
            node["enum"] = others
        else:
            _impossible(node)
        return
    kinds = _types_of(node)
    if not others or kinds == ["null"]:
        node["type"] = "null"
        return
    branch: Node = {"enum": others}
    if kinds:
        solid = [kind for kind in kinds if kind != "null"]
        branch["type"] = solid[0] if len(solid) == 1 else solid
        del node["type"]
    add_constraint(node, "anyOf", [branch, {"type": "null"}])


def _convert_null_const(node: Node, word: str, _place: str, _account: SchemaContext) -> None:
    if node[word] is not None:
        return
    del node[word]
    if _takes_null(node):
        node["type"] = "null"
    else:
        _impossible(node)


def _types_of(node: Node) -> list[Any]:
    kinds = node.get("type") or []
    return list(kinds) if isinstance(kinds, list | tuple) else [kinds]


def _takes_null(node: Node) -> bool:
    kinds = _types_of(node)
    return not kinds or "null" in kinds


def _describe_size_limit(node: Node, word: str, place: str, account: SchemaContext) -> None:
    highest, words = LIMITS[word]
    value = node[word]
    if isinstance(value, int | float) and value > highest:
        del node[word]
        describe_limit(node, words.format(value), f"{word} at {place}", account)


def _describe_contains(node: Node, _word: str, place: str, account: SchemaContext) -> None:
    """Leaves the demand for one item, which needs no number, unless none is demanded."""
    least, most = node.pop("minContains", None), node.pop("maxContains", None)
    if "contains" not in node:
        return
    kind = json.dumps(node["contains"]).decode()
    if least not in (None, 0, 1):
        describe_limit(
            node, f"At least {least} items fit {kind}.", f"minContains at {place}", account
        )
    if most is not None:
        describe_limit(
            node, f"At most {most} items fit {kind}.", f"maxContains at {place}", account
        )
    if least == 0:
        del node["contains"]


def describe_limit(node: Node, words: str, what: str, account: SchemaContext) -> None:
    """Says in the description what is left out of a schema, which lets more values fit."""
    said = node.get("description")
    node["description"] = f"{said} {words}" if isinstance(said, str) and said else words
    account.left_out.append(what)


_RULES: Mapping[str, Rule] = {
    "$schema": _drop_old_draft,
    "definitions": _move_definitions,
    "items": _split_items,
    "additionalItems": _drop_additional,
    "dependencies": _split_dependencies,
    "allOf": _drop_empty,
    "prefixItems": _drop_empty,
    "anyOf": _close_empty_union,
    "oneOf": _close_empty_union,
    "enum": _convert_null_in_enum,
    "const": _convert_null_const,
    "minContains": _describe_contains,
    "maxContains": _describe_contains,
    **dict.fromkeys(LIMITS, _describe_size_limit),
}


_UNIONS = ("anyOf", "oneOf")


def normalize_root(root: Node, account: SchemaContext) -> Node:
    """The schema with an object at its root instead of a reference to one.

    Raises:
        UsageError: Its root is no object, or may be something else too.
    """
    root = _resolve_root(root, account)
    if not _is_object(root):
        raise account.refusal(
            "is not an object at its root",
            "Wrap it in an object: {'type': 'object', 'properties': {'value': …}}.",
        )
    if not any(union in root for union in _UNIONS) or "type" in root:
        root["type"] = "object"
    return root


def _resolve_root(root: Node, account: SchemaContext) -> Node:
    seen = {"#"}
    while "$ref" in root:
        reference = root["$ref"]
        if reference in seen:
            raise account.refusal("is nothing but a reference to itself", "Say what it is.")
        seen.add(reference)
        beside = {word: value for word, value in root.items() if word != "$ref"}
        if beside.keys() <= ANNOTATIONS:
            root = {**resolve(root, reference), **beside}
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
            waiting.append(resolve(root, node["$ref"]))
        for word in (*_UNIONS, "allOf"):
            waiting += node.get(word, ())
    return True


def _values(node: Node) -> list[Any]:
    return [*node.get("enum", ()), *([node["const"]] if "const" in node else ())]


_Waiting = deque[tuple[Any, Any, str]]


def walk_schema(schema: Mapping[str, Any], account: SchemaContext) -> Node:
    """A copy of a schema with every object in it tidied, and all references leading somewhere."""
    way = _Walk(schema, account)
    root = way.clean(schema, "#")
    while way.references.added:
        name, target = way.references.added.popitem()
        root.setdefault("$defs", {})[name] = way.clean(target, f"#/$defs/{name}")
    return root


class _Walk:
    def __init__(self, schema: Mapping[str, Any], account: SchemaContext) -> None:
        self.references = References(schema, account)
        self._account = account
        self._old = is_draft_4(schema)
        # The originals are kept too: the number of one that is gone could be given to another.
        self._done: dict[int, tuple[Any, Node]] = {}

    def clean(self, schema: Any, place: str) -> Node:
        top: dict[str, Node] = {"": schema}
        waiting: _Waiting = deque([(top, "", place)])
        while waiting:
            holder, key, at = waiting.popleft()
            holder[key] = self._cleaned(holder[key], at, waiting)
        return top[""]

    def _cleaned(self, schema: Any, place: str, waiting: _Waiting) -> Node:
        if isinstance(schema, bool):
            return {} if schema else {"not": {}}
        if not isinstance(schema, Mapping):
            raise self._misplaced(schema, place)
        done = self._done.get(id(schema))
        if done is not None:
            return done[1]
        node = dict(schema)
        for word, value in schema.items():
            holder = HOLDERS.get(word)
            if holder is not None and value is not None and not isinstance(value, holder):
                raise self._misplaced(value, f"{place}/{word}")
        apply_rules(node, place, self._account, old=self._old)
        if "$ref" in node:
            node["$ref"] = self.references.moved(node["$ref"])
        self._done[id(schema)] = (schema, node)
        self._enqueue(node, place, waiting)
        return node

    def _enqueue(self, node: Node, place: str, waiting: _Waiting) -> None:
        for word, value in list(node.items()):
            kind = KINDS.get(word)
            if kind is None:
                continue
            at = f"{place}/{word}"
            if value is None:
                # Generators write so what is not there.
                del node[word]
            elif kind == "single":
                if not (isinstance(value, bool) and word in MAY_BE_BOOLEAN):
                    waiting.append((node, word, at))
            else:
                node[word] = members = self._members(kind, value, at)
                keys = members if kind == "map" else range(len(members))
                waiting.extend((members, key, f"{at}/{key}") for key in keys)

    def _members(self, kind: str, value: Any, place: str) -> Any:
        if kind == "map" and isinstance(value, Mapping):
            return dict(value)
        if kind == "list" and isinstance(value, list | tuple):
            return list(value)
        raise self._misplaced(value, place)

    def _misplaced(self, value: Any, place: str) -> Exception:
        return self._account.refusal(
            f"has {value!r} at {place}, which is no schema there",
            "A schema is an object; properties and $defs map names to schemas, unions list them.",
        )


def sanitize(schema: Mapping[str, Any], *, field: str, name: str) -> Node:
    """A clean copy of a schema; see ``clean_schema``."""
    account = SchemaContext(field, name)
    if not isinstance(schema, Mapping):
        raise account.refusal(f"is {schema!r}, which is no object", "Give a JSON schema.")
    walked = walk_schema(schema, account)
    clean = normalize_root(walked, account)
    account.warn()
    return clean
