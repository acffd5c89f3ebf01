"""The way through a whole schema: each object in it is copied once and tidied.

No recursion, so that no depth is too deep, and no object is tidied twice, however often it occurs.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any

from xai_lowcode.schemas.keywords import HOLDERS, KINDS, MAY_BE_BOOLEAN
from xai_lowcode.schemas.references import References
from xai_lowcode.schemas.refusals import Account
from xai_lowcode.schemas.rules import Node, is_old, tidy

_Waiting = deque[tuple[Any, Any, str]]


def walk(schema: Mapping[str, Any], account: Account) -> Node:
    """A copy of a schema with every object in it tidied, and all references leading somewhere."""
    way = _Way(schema, account)
    root = way.clean(schema, "#")
    while way.references.added:
        name, target = way.references.added.popitem()
        root.setdefault("$defs", {})[name] = way.clean(target, f"#/$defs/{name}")
    return root


class _Way:
    def __init__(self, schema: Mapping[str, Any], account: Account) -> None:
        self.references = References(schema, account)
        self._account = account
        self._old = is_old(schema)
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
        tidy(node, place, self._account, old=self._old)
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
