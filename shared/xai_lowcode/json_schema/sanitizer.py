"""Convert a JSON schema to the form that xAI accepts: rules, one walk over the schema, the root."""

from collections import deque
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

from xai_lowcode._internal import json
from xai_lowcode.errors import UsageError
from xai_lowcode.json_schema.context import SchemaContext
from xai_lowcode.json_schema.keywords import (
    ANNOTATIONS,
    CONTAINER_TYPES,
    LIMITS,
    MAY_BE_BOOLEAN,
    NEGATING,
    RELAXED,
    SUBSCHEMA_KEYWORDS,
    is_legacy_draft,
    iter_subschemas,
    may_be_rejected,
)
from xai_lowcode.json_schema.references import Path, pointer_tokens, resolve, to_pointer

Node = dict[str, Any]
Rule = Callable[[Node, str], None]


def sanitize(schema: Mapping[str, Any], *, field: str, name: str, relaxed: bool = False) -> Node:
    """Return a sanitized copy of a schema; see ``sanitize_schema`` and ``relax_schema``."""
    context = SchemaContext(field, name, relaxed)
    if not isinstance(schema, Mapping):
        raise context.error(f"is {schema!r}, which is not an object", "Pass a JSON schema.")
    sanitized = normalize_root(walk_schema(schema, context), context)
    context.warn()
    return sanitized


# Rules: each changes one keyword of a schema object.


def apply_rules(node: Node, path: Path, context: SchemaContext, *, legacy: bool) -> None:
    """Apply all rules to one schema object, which is changed.

    Args:
        node: A copy of the schema object.
        path: Its location.
        context: Collects the limits that are left out.
        legacy: Whether it is of draft 7 or older, where keywords beside ``$ref`` are ignored.
    """
    if legacy and "$ref" in node:
        for keyword in node.keys() - ANNOTATIONS - {"$ref"}:
            del node[keyword]
    for keyword in list(node):
        if keyword in node and (rule := _RULES.get(keyword)) is not None:
            rule(node, keyword)
    for keyword, (highest, description) in LIMITS.items():
        if _exceeds(node.get(keyword), highest):
            text = description.format(node.pop(keyword))
            _move_to_description(node, text, keyword, path, context)
    if "minContains" in node or "maxContains" in node:
        _describe_contains(node, path, context)
    if context.relaxed:
        _describe_rejected(node, path, context)


def _exceeds(value: Any, highest: int) -> bool:
    return isinstance(value, int | float) and value > highest


def find_left_out(node: Mapping[str, Any], *, relaxed: bool) -> str | None:
    """Return a limit of a schema object that is left out, or None.

    Args:
        node: The schema object.
        relaxed: Whether constraints that xAI rejects at times are left out, too.
    """
    if "contains" in node and node.get("minContains") not in (None, 0, 1):
        return "minContains"
    if "contains" in node and node.get("maxContains") is not None:
        return "maxContains"
    exceeded = [key for key, (highest, _) in LIMITS.items() if _exceeds(node.get(key), highest)]
    if relaxed:
        exceeded += (key for key in RELAXED if may_be_rejected(key, node.get(key)))
    return exceeded[0] if exceeded else None


def loosen(node: Node, keyword: str, limit: str, path: Path, context: SchemaContext) -> None:
    """Replace ``not``, ``oneOf`` or ``if`` by what it implies, since a limit below is left out.

    A subschema without its limit accepts more values; negated, it would reject more.
    """
    below = node.pop(keyword)
    match keyword:
        case "not":
            text = f"Must not fit {json.dumps(below).decode()}."
        case "oneOf":
            _add_constraint(node, "anyOf", below)
            text = "Exactly one of the alternatives fits."
        case _:
            then, otherwise = node.pop("then", None), node.pop("else", None)
            fits = [below, {} if then is None else then]
            _add_constraint(
                node, "anyOf", [{"allOf": fits}, {} if otherwise is None else otherwise]
            )
            text = "The first alternative if its first part fits, else the second."
    _move_to_description(node, text, f"{limit} below {keyword}", path, context)


def _describe_contains(node: Node, path: Path, context: SchemaContext) -> None:
    least, most = node.pop("minContains", None), node.pop("maxContains", None)
    if "contains" not in node:
        return
    item = json.dumps(node["contains"]).decode()
    if least not in (None, 0, 1):
        _move_to_description(
            node, f"At least {least} items fit {item}.", "minContains", path, context
        )
    if most is not None:
        _move_to_description(
            node, f"At most {most} items fit {item}.", "maxContains", path, context
        )
    if least == 0:
        del node["contains"]


def _describe_rejected(node: Node, path: Path, context: SchemaContext) -> None:
    for keyword, description in RELAXED.items():
        if may_be_rejected(keyword, node.get(keyword)):
            text = description.format(json.dumps(node.pop(keyword)).decode())
            _move_to_description(node, text, keyword, path, context)


def _move_to_description(
    node: Node, description: str, keyword: str, path: Path, context: SchemaContext
) -> None:
    before = node.get("description")
    joined = f"{before} {description}" if isinstance(before, str) and before else description
    node["description"] = joined
    context.left_out.append(f"{keyword} at {to_pointer(path)}")


def _add_constraint(node: Node, keyword: str, value: Any) -> None:
    if keyword not in node:
        node[keyword] = value
    else:
        node["allOf"] = [*(node.get("allOf") or ()), {keyword: value}]


def _reject_all(node: Node) -> None:
    _add_constraint(node, "not", {})


def _drop_legacy_draft(node: Node, keyword: str) -> None:
    if is_legacy_draft(node):
        del node[keyword]


def _move_definitions(node: Node, keyword: str) -> None:
    definitions = dict(node.get("$defs") or {})
    old = node.pop(keyword) or {}
    for name, schema in old.items():
        free = name
        while free in definitions or (free != name and free in old):
            free += "_"
        definitions[free] = schema
    node["$defs"] = definitions


def _split_items(node: Node, keyword: str) -> None:
    if not isinstance(node[keyword], list | tuple):
        return
    first, rest = node.pop(keyword), node.pop("additionalItems", None)
    if first:
        node["prefixItems"] = list(first)
    if rest is not None:
        node["items"] = rest


def _drop_additional_items(node: Node, keyword: str) -> None:
    # It has a meaning only beside an array of items, whose rule moves it.
    if not isinstance(node.get("items"), list | tuple):
        del node[keyword]


def _split_dependencies(node: Node, keyword: str) -> None:
    for name, value in (node.pop(keyword) or {}).items():
        target = "dependentRequired" if isinstance(value, list | tuple) else "dependentSchemas"
        node[target] = {name: value, **(node.get(target) or {})}


def _drop_empty_list(node: Node, keyword: str) -> None:
    if node[keyword] in ([], ()):
        del node[keyword]


def _close_empty_union(node: Node, keyword: str) -> None:
    if node[keyword] in ([], ()):
        del node[keyword]
        _reject_all(node)


def _convert_null_in_enum(node: Node, keyword: str) -> None:
    values = node[keyword]
    if values and all(value is not None for value in values):
        return
    del node[keyword]
    if values is None:
        return
    others = [value for value in values if value is not None]
    if len(others) == len(values) or not _allows_null(node):
        if others:
            node["enum"] = others
        else:
            _reject_all(node)
        return
    types = _types_of(node)
    if not others or types == ["null"]:
        node["type"] = "null"
        return
    branch: Node = {"enum": others}
    if types:
        rest = [name for name in types if name != "null"]
        branch["type"] = rest[0] if len(rest) == 1 else rest
        del node["type"]
    _add_constraint(node, "anyOf", [branch, {"type": "null"}])


def _convert_null_const(node: Node, keyword: str) -> None:
    if node[keyword] is not None:
        return
    del node[keyword]
    if _allows_null(node):
        node["type"] = "null"
    else:
        _reject_all(node)


def _drop_infinite_value(node: Node, keyword: str) -> None:
    # Python's default for no limit, which JSON cannot express. The keyword asserts nothing.
    values = [node[keyword]]
    while values:
        value = values.pop()
        if isinstance(value, float) and not isfinite(value):
            del node[keyword]
            return
        if isinstance(value, Mapping):
            values += value.values()
        elif isinstance(value, list | tuple):
            values += value


def _types_of(node: Node) -> list[Any]:
    types = node.get("type") or []
    return list(types) if isinstance(types, list | tuple) else [types]


def _allows_null(node: Node) -> bool:
    types = _types_of(node)
    return not types or "null" in types


_RULES: Mapping[str, Rule] = {
    "$schema": _drop_legacy_draft,
    "definitions": _move_definitions,
    "items": _split_items,
    "additionalItems": _drop_additional_items,
    "dependencies": _split_dependencies,
    "allOf": _drop_empty_list,
    "prefixItems": _drop_empty_list,
    "anyOf": _close_empty_union,
    "oneOf": _close_empty_union,
    "enum": _convert_null_in_enum,
    "const": _convert_null_const,
    **dict.fromkeys(("default", "examples"), _drop_infinite_value),
}


# The walk: every subschema once, then the references.


def walk_schema(schema: Mapping[str, Any], context: SchemaContext) -> Node:
    """Return a copy of a schema with the rules applied to all subschemas.

    Raises:
        UsageError: A subschema is neither an object nor a boolean, or a ``$ref`` is unresolvable.
    """
    return _Walker(schema, context).walk()


class _Walker:
    """Copies the subschemas of a document, level by level, without recursion."""

    def __init__(self, root: Mapping[str, Any], context: SchemaContext) -> None:
        self._root = root
        self._context = context
        self._legacy = is_legacy_draft(root)
        # By id of the original, which is stored too: an id can be reused once its object is freed.
        self._visited: dict[int, tuple[Any, Node, Path]] = {}
        self._queue: deque[tuple[Any, Any, Path]] = deque()
        self._with_reference: deque[Node] = deque()
        self._rewritten: dict[str, str] = {}
        self._left_out = self._find_left_out()

    def _find_left_out(self) -> dict[int, str]:
        """Map the ids of subschemas to a limit, of their own or below, that is left out."""
        parents: dict[int, list[int]] = {id(self._root): []}
        nodes: list[Mapping[str, Any]] = [self._root]
        limits: list[tuple[int, str]] = []
        while nodes:
            node = nodes.pop()
            if (limit := find_left_out(node, relaxed=self._context.relaxed)) is not None:
                limits.append((id(node), limit))
            below = [*iter_subschemas(node)]
            if "$ref" in node:
                below = [] if self._legacy else below
                below.append(resolve(self._root, node["$ref"], self._context))
            for child in below:
                if isinstance(child, Mapping):
                    if id(child) not in parents:
                        nodes.append(child)
                    parents.setdefault(id(child), []).append(id(node))
        found: dict[int, str] = {}
        while limits:
            node_id, limit = limits.pop()
            if node_id not in found:
                found[node_id] = limit
                limits += ((parent, limit) for parent in parents[node_id])
        return found

    def walk(self) -> Node:
        holder: dict[str, Any] = {"": self._root}
        self._visit_all(holder, "", None)
        root: Node = holder[""]
        while self._with_reference:
            node = self._with_reference.popleft()
            node["$ref"] = self._rewrite(node["$ref"], root)
        return root

    def _rewrite(self, reference: Any, root: Node) -> str:
        """Return the reference to the new location of a schema.

        Rules move schemas. A target that was not visited, such as ``#/components/schemas/A``, is
        added to ``$defs``.
        """
        target = resolve(self._root, reference, self._context)
        if reference not in self._rewritten:
            visited = self._visited.get(id(target))
            path = self._add_definition(reference, target, root) if visited is None else visited[2]
            self._rewritten[reference] = to_pointer(path)
        return self._rewritten[reference]

    def _add_definition(self, reference: str, target: Any, root: Node) -> Path:
        definitions = root.setdefault("$defs", {})
        name = pointer_tokens(reference)[-1]
        while name in definitions:
            name += "_"
        definitions[name] = target
        path: Path = ((None, "$defs"), name)
        self._visit_all(definitions, name, path)
        return path

    def _visit_all(self, holder: Any, key: Any, path: Path) -> None:
        self._queue.append((holder, key, path))
        while self._queue:
            holder, key, path = self._queue.popleft()
            holder[key] = self._visit(holder[key], path)

    def _visit(self, schema: Any, path: Path) -> Node:
        if isinstance(schema, bool):
            return {} if schema else {"not": {}}
        if not isinstance(schema, Mapping):
            raise self._misplaced_value_error(schema, path)
        if (visited := self._visited.get(id(schema))) is not None:
            return visited[1]
        for keyword, value in schema.items():
            wanted = CONTAINER_TYPES.get(keyword)
            if wanted is not None and value is not None and not isinstance(value, wanted):
                raise self._misplaced_value_error(value, (path, keyword))
        node = dict(schema)
        self._loosen(node, path)
        apply_rules(node, path, self._context, legacy=self._legacy)
        if "$ref" in node:
            self._with_reference.append(node)
        self._visited[id(schema)] = (schema, node, path)
        self._enqueue_subschemas(node, path)
        return node

    def _loosen(self, node: Node, path: Path) -> None:
        if not self._left_out or (self._legacy and "$ref" in node):
            return
        for keyword in NEGATING:
            parts = node.get(keyword)
            for part in parts if keyword == "oneOf" and parts else (parts,):
                if (limit := self._left_out.get(id(part))) is not None:
                    loosen(node, keyword, limit, path, self._context)
                    break

    def _enqueue_subschemas(self, node: Node, path: Path) -> None:
        for keyword, value in list(node.items()):
            kind = SUBSCHEMA_KEYWORDS.get(keyword)
            below: Path = (path, keyword)
            if kind is None:
                continue
            if value is None:
                del node[keyword]
            elif kind == "single":
                if not (isinstance(value, bool) and keyword in MAY_BE_BOOLEAN):
                    self._queue.append((node, keyword, below))
            else:
                copied = node[keyword] = dict(value) if kind == "map" else list(value)
                keys = copied if kind == "map" else range(len(copied))
                self._queue.extend((copied, key, (below, str(key))) for key in keys)

    def _misplaced_value_error(self, value: Any, path: Path) -> UsageError:
        return self._context.error(
            f"has {value!r} at {to_pointer(path)}, which is not a schema",
            "A schema is an object; properties and $defs map names to schemas, unions list them.",
        )


# The root: an object, for which xAI wants "type": "object".

_UNIONS = ("anyOf", "oneOf")


def normalize_root(root: Node, context: SchemaContext) -> Node:
    """Return the schema with an object at its root instead of a reference to one.

    Raises:
        UsageError: The root accepts values that are not objects.
    """
    root = _resolve_root(root, context)
    if not _accepts_only_objects(root, context):
        raise context.error(
            "is not an object at its root",
            "Wrap it in an object: {'type': 'object', 'properties': {'value': …}}.",
        )
    if not any(union in root for union in _UNIONS) or "type" in root:
        root["type"] = "object"
    return root


def _resolve_root(root: Node, context: SchemaContext) -> Node:
    seen = {"#"}
    while "$ref" in root:
        reference = root["$ref"]
        if reference in seen:
            raise context.error("is only a reference to itself", "Define the object.")
        seen.add(reference)
        siblings = {keyword: value for keyword, value in root.items() if keyword != "$ref"}
        if siblings.keys() <= ANNOTATIONS:
            root = {**resolve(root, reference, context), **siblings}
        else:
            # Merged, "additionalProperties" of one would apply to "properties" of the other.
            siblings["allOf"] = [*siblings.get("allOf", ()), {"$ref": reference}]
            root = siblings
    return root


def _accepts_only_objects(root: Node, context: SchemaContext) -> bool:
    queue: list[Any] = [root]
    seen: set[int] = set()
    while queue:
        node = queue.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        values = [*node.get("enum", ()), *([node["const"]] if "const" in node else ())]
        if "type" in node and _types_of(node) != ["object"]:
            return False
        if not all(isinstance(value, Mapping) for value in values):
            return False
        if "$ref" in node:
            queue.append(resolve(root, node["$ref"], context))
        for keyword in (*_UNIONS, "allOf"):
            queue += node.get(keyword, ())
    return True
