"""What a limit left out does to the schemas around it, which must let no fewer values fit.

Nearly every keyword lets more values fit when its subschemas do. ``not``, ``oneOf`` and ``if`` may
turn that round, and are told in words where such a subschema lies under them.
"""

from collections.abc import Iterator
from typing import Any

from xai_lowcode._internal import json
from xai_lowcode.json_schema.context import SchemaContext
from xai_lowcode.json_schema.keywords import KINDS
from xai_lowcode.json_schema.references import parent_path, resolve
from xai_lowcode.json_schema.sanitizer import Node, add_constraint, describe_limit


def widen_limits(root: Node, account: SchemaContext) -> None:
    """Replaces what would let fewer values fit than the schema as it was given.

    Raises:
        UsageError: A reference leads through what is replaced.
    """
    if not account.loosened:
        return
    places = _places(root)
    looser = _holders_of(account.loosened, places, root)
    passed = {
        (id(holder), step)
        for node, _ in places.values()
        if "$ref" in node
        for holder, step in parent_path(root, node["$ref"])
    }
    for node, place in places.values():
        for word, (replace, gone) in _TURNING.items():
            if not any(id(below) in looser for below in _below(node, word).values()):
                continue
            if any((id(node), other) in passed for other in gone):
                raise account.refusal(
                    f"has a reference through the {word} at {place}, around a limit that xAI does"
                    " not keep",
                    "Put what the reference leads to under $defs, or lower the limit.",
                )
            replace(node, place, account)


def _places(root: Node) -> dict[int, tuple[Node, str]]:
    """Every schema object of a document, once, and where it stands first."""
    found: dict[int, tuple[Node, str]] = {}
    waiting: list[tuple[Any, str]] = [(root, "#")]
    while waiting:
        node, place = waiting.pop()
        if isinstance(node, dict) and id(node) not in found:
            found[id(node)] = node, place
            for word in KINDS:
                waiting += [(below, place + at) for at, below in _below(node, word).items()]
    return found


def _holders_of(loosened: list[Node], places: dict[int, tuple[Node, str]], root: Node) -> set[int]:
    """The numbers of these schemas and of all that hold or mean them."""
    holders: dict[int, list[int]] = {}
    for node, _ in places.values():
        for below in _all_below(node, root):
            holders.setdefault(id(below), []).append(id(node))
    reached: set[int] = set()
    waiting = [id(node) for node in loosened]
    while waiting:
        number = waiting.pop()
        if number not in reached:
            reached.add(number)
            waiting += holders.get(number, ())
    return reached


def _all_below(node: Node, root: Node) -> Iterator[Any]:
    for word in KINDS:
        if word != "$defs":
            yield from _below(node, word).values()
    if "$ref" in node:
        yield resolve(root, node["$ref"])


def _below(node: Node, word: str) -> dict[str, Any]:
    """The schemas that a keyword holds, under their places."""
    if word not in node:
        return {}
    value, at = node[word], f"/{word}"
    match KINDS[word]:
        case "map":
            return {f"{at}/{name}": below for name, below in value.items()}
        case "list":
            return {f"{at}/{number}": below for number, below in enumerate(value)}
        case _:
            return {at: value}


def _tell_negation(node: Node, place: str, account: SchemaContext) -> None:
    kind = json.dumps(node.pop("not")).decode()
    describe_limit(node, f"Nothing that fits {kind}.", f"not at {place}", account)


def _tell_exclusion(node: Node, place: str, account: SchemaContext) -> None:
    add_constraint(node, "anyOf", node.pop("oneOf"))
    describe_limit(node, "Exactly one of the alternatives fits.", f"oneOf at {place}", account)


def _tell_condition(node: Node, place: str, account: SchemaContext) -> None:
    condition = node.pop("if")
    kind = json.dumps(condition).decode()
    both = {"allOf": [condition, node.pop("then", {})]}
    add_constraint(node, "anyOf", [both, node.pop("else", {})])
    describe_limit(node, f"What fits {kind} fits the first alternative.", f"if at {place}", account)


_TURNING = {
    "not": (_tell_negation, ("not",)),
    "oneOf": (_tell_exclusion, ("oneOf",)),
    "if": (_tell_condition, ("if", "then", "else")),
}
"""Keywords, how each is replaced, and which are gone then."""
