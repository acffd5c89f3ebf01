"""What is changed in one schema object, keyword by keyword; its subschemas are not looked at.

Each rule gets a fresh copy and changes it in place. Whatever must hold beside a keyword that is
taken already goes into ``allOf``, so that no subschema moves but those ``references`` knows of.
"""

from collections.abc import Callable, Mapping
from typing import Any

from xai_lowcode import codec
from xai_lowcode.schemas.keywords import ANNOTATIONS, LIMITS
from xai_lowcode.schemas.refusals import Account

Node = dict[str, Any]
Rule = Callable[[Node, str, str, Account], None]


def tidy(node: Node, place: str, account: Account, *, old: bool) -> None:
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


def definition_name(node: Mapping[str, Any], name: str) -> str:
    """The name in ``$defs`` of an entry of ``definitions``: its own, unless that is taken."""
    taken, free = node.get("$defs") or {}, name
    while free in taken or (free != name and free in node["definitions"]):
        free += "_"
    return free


def also(node: Node, word: str, value: Any) -> None:
    """Demands one thing more."""
    if word not in node:
        node[word] = value
    else:
        node["allOf"] = [*(node.get("allOf") or ()), {word: value}]


def _impossible(node: Node) -> None:
    also(node, "not", {})


def _move_definitions(node: Node, word: str, _place: str, _account: Account) -> None:
    moved = {definition_name(node, name): entry for name, entry in (node[word] or {}).items()}
    del node[word]
    node["$defs"] = {**(node.get("$defs") or {}), **moved}


def _split_items(node: Node, word: str, _place: str, _account: Account) -> None:
    if not isinstance(node[word], list | tuple):
        return
    first, rest = node.pop(word), node.pop("additionalItems", None)
    if first:
        node["prefixItems"] = list(first)
    if rest is not None:
        node["items"] = rest


def _drop_additional(node: Node, word: str, _place: str, _account: Account) -> None:
    # Only beside items in array form it says something, and goes with them.
    if not isinstance(node.get("items"), list | tuple):
        del node[word]


def _drop_empty(node: Node, word: str, _place: str, _account: Account) -> None:
    if node[word] in ([], ()):
        del node[word]


def _drop_old_draft(node: Node, word: str, _place: str, _account: Account) -> None:
    if is_old(node):
        del node[word]


def is_old(root: Mapping[str, Any]) -> bool:
    """Whether a document says that it is written in draft 7 or older."""
    return "/draft-0" in str(root.get("$schema", ""))


def _split_dependencies(node: Node, word: str, _place: str, _account: Account) -> None:
    for name, wish in (node.pop(word) or {}).items():
        kind = "dependentRequired" if isinstance(wish, list | tuple) else "dependentSchemas"
        node[kind] = {name: wish, **(node.get(kind) or {})}


def _close_empty_union(node: Node, word: str, _place: str, _account: Account) -> None:
    if node[word] in ([], ()):
        del node[word]
        _impossible(node)


def _name_null_of_enum(node: Node, word: str, _place: str, _account: Account) -> None:
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
    kinds = _kinds(node)
    if not others or kinds == ["null"]:
        node["type"] = "null"
        return
    branch: Node = {"enum": others}
    if kinds:
        solid = [kind for kind in kinds if kind != "null"]
        branch["type"] = solid[0] if len(solid) == 1 else solid
        del node["type"]
    also(node, "anyOf", [branch, {"type": "null"}])


def _name_null_of_const(node: Node, word: str, _place: str, _account: Account) -> None:
    if node[word] is not None:
        return
    del node[word]
    if _takes_null(node):
        node["type"] = "null"
    else:
        _impossible(node)


def _kinds(node: Node) -> list[Any]:
    kinds = node.get("type") or []
    return list(kinds) if isinstance(kinds, list | tuple) else [kinds]


def _takes_null(node: Node) -> bool:
    kinds = _kinds(node)
    return not kinds or "null" in kinds


def _tell_limit(node: Node, word: str, place: str, account: Account) -> None:
    highest, words = LIMITS[word]
    value = node[word]
    if isinstance(value, int | float) and value > highest:
        del node[word]
        tell(node, words.format(value), f"{word} at {place}", account)


def _tell_contains(node: Node, _word: str, place: str, account: Account) -> None:
    """Leaves the demand for one item, which needs no number, unless none is demanded."""
    least, most = node.pop("minContains", None), node.pop("maxContains", None)
    if "contains" not in node:
        return
    kind = codec.dump(node["contains"]).decode()
    if least not in (None, 0, 1):
        tell(node, f"At least {least} items fit {kind}.", f"minContains at {place}", account)
    if most is not None:
        tell(node, f"At most {most} items fit {kind}.", f"maxContains at {place}", account)
    if least == 0:
        del node["contains"]


def tell(node: Node, words: str, what: str, account: Account) -> None:
    """Says in the description what is left out of a schema, which lets more values fit."""
    said = node.get("description")
    node["description"] = f"{said} {words}" if isinstance(said, str) and said else words
    account.left_out.append(what)
    account.loosened.append(node)


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
    "enum": _name_null_of_enum,
    "const": _name_null_of_const,
    "minContains": _tell_contains,
    "maxContains": _tell_contains,
    **dict.fromkeys(LIMITS, _tell_limit),
}
