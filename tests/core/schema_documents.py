"""Strategies of JSON schemas with all kinds of keywords, and of instances for them."""

import copy
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from jsonschema import Draft7Validator, Draft202012Validator

# Names of properties that are also keywords, or that need an escape in a reference.
NAMES = ("a", "enum", "items", "$ref", "minContains", "definitions", "a/b", "~1", "%41")
KINDS = ("string", "integer", "number", "boolean", "object", "array", "null")
SCALARS = st.sampled_from([None, True, False, 0, 1, 2.5, "", "a", "b", "x" * 2049, "x" * 3001])
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
    ),
    max_leaves=4,
)
ANNOTATIONS: tuple[dict[str, Any], ...] = (
    {},
    {"title": "enum"},
    {"default": {"enum": [None], "properties": {"a": True}}},
    {"examples": [{"items": [], "const": None}], "description": "minContains"},
)


@dataclass(frozen=True)
class Document:
    """A schema and its draft."""

    schema: dict[str, Any]
    old: bool

    def accepts(self, value: Any) -> bool:
        draft = Draft7Validator if self.old else Draft202012Validator
        return bool(draft(self.schema).is_valid(value))


def escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1").replace("%", "%25")


class SchemaBuilder:
    """Builds the schemas of one document."""

    def __init__(self, draw: Any, *, old: bool, references: list[str]) -> None:
        self._draw = draw
        self._old = old
        self._references = references

    def one_of(self, *choices: Any) -> Any:
        return self._draw(st.sampled_from(choices))

    def node(self, depth: int, *, inside: bool) -> Any:
        """Return a schema; ``inside`` a property or item, where a reference cannot be circular."""
        kinds = ["plain", "values", "const", "limits", "bool"]
        if depth:
            kinds += ["object", "array", "tuple", "contains", "union", "union", "negated", "if"]
            kinds += ["dependent"]
        if inside and self._references:
            kinds += ["reference", "reference"]
        made = getattr(self, f"_{self.one_of(*kinds)}")(depth - 1, inside)
        return made if isinstance(made, bool) else {**made, **self.one_of(*ANNOTATIONS)}

    def named(self, depth: int) -> dict[str, Any]:
        names = self._draw(st.lists(st.sampled_from(NAMES), max_size=3, unique=True))
        return {name: self.node(depth, inside=True) for name in names}

    def _listed(self, depth: int, *, inside: bool) -> list[Any]:
        return [self.node(depth, inside=inside) for _ in range(self.one_of(0, 1, 2, 2, 3))]

    def _type(self) -> dict[str, Any]:
        some = st.lists(st.sampled_from(KINDS), min_size=1, max_size=3, unique=True)
        kind = self._draw(st.none() | st.sampled_from(KINDS) | some)
        return {} if kind is None else {"type": kind}

    def _plain(self, _depth: int, _inside: bool) -> dict[str, Any]:
        return {**self._type(), **self.one_of({}, {"maxLength": 1}, {"minimum": 1})}

    def _values(self, _depth: int, _inside: bool) -> dict[str, Any]:
        values = self._draw(st.lists(st.none() | SCALARS, max_size=3))
        others = self.one_of({}, {}, {"anyOf": [{"const": "a"}]}, {"not": {"const": "a"}})
        return {"enum": values, **self._type(), **others}

    def _const(self, _depth: int, _inside: bool) -> dict[str, Any]:
        return {"const": self._draw(st.none() | VALUES), **self._type()}

    def _limits(self, _depth: int, _inside: bool) -> dict[str, Any]:
        keyword = self.one_of("minLength", "maxLength", "minItems", "maxItems")
        return {keyword: self.one_of(0, 1, 256, 257, 2048, 2049), **self._type()}

    def _bool(self, _depth: int, _inside: bool) -> bool:
        return bool(self._draw(st.booleans()))

    def _object(self, depth: int, _inside: bool) -> dict[str, Any]:
        made: dict[str, Any] = {"properties": self.named(depth)}
        if self._draw(st.booleans()):
            made["additionalProperties"] = self.node(depth, inside=True)
        required = list(made["properties"])[: self.one_of(0, 1, 2)]
        return {**made, "required": required, **self.one_of({}, {"type": "object"})}

    def _array(self, depth: int, _inside: bool) -> dict[str, Any]:
        return {**self._type(), "items": self.node(depth, inside=True)}

    def _tuple(self, depth: int, _inside: bool) -> dict[str, Any]:
        first = self._listed(depth, inside=True)
        names = ("items", "additionalItems") if self._old else ("prefixItems", "items")
        made: dict[str, Any] = {"type": "array", names[0]: first}
        if self._draw(st.booleans()):
            made[names[1]] = self.node(depth, inside=True)
        return made

    def _contains(self, depth: int, _inside: bool) -> dict[str, Any]:
        made = {"type": "array", "contains": self.node(depth, inside=True)}
        if not self._old:
            made |= self.one_of({}, {"minContains": 0}, {"minContains": 1}, {"minContains": 2})
            made |= self.one_of({}, {}, {"maxContains": 1})
        return made

    def _union(self, depth: int, inside: bool) -> dict[str, Any]:
        keyword = self.one_of("anyOf", "oneOf", "allOf")
        return {keyword: self._listed(depth, inside=inside), **self._type()}

    def _negated(self, depth: int, inside: bool) -> dict[str, Any]:
        return {"not": self.node(depth, inside=inside)}

    def _if(self, depth: int, inside: bool) -> dict[str, Any]:
        return {keyword: self.node(depth, inside=inside) for keyword in ("if", "then", "else")}

    def _dependent(self, depth: int, inside: bool) -> dict[str, Any]:
        schemas = {"a": self.node(depth, inside=inside)}
        names = {"enum": ["a"]}
        if self._old:
            return {"dependencies": {**schemas, **names}}
        return {"dependentSchemas": schemas, "dependentRequired": names}

    def _reference(self, depth: int, inside: bool) -> dict[str, Any]:
        siblings = self.one_of({}, {}, "more")
        if siblings == "more":
            siblings = self._plain(depth, inside)
        return {"$ref": self.one_of(*self._references), **siblings}


@st.composite
def documents(draw: Any) -> Document:
    """Return a document whose root is an object."""
    old, pair = draw(st.sampled_from([(True, "items"), (False, "prefixItems")]))
    keyword = draw(st.sampled_from(["definitions", "$defs"]))
    names = draw(st.lists(st.sampled_from(NAMES), max_size=2, unique=True))
    form = draw(st.sampled_from(["plain", "plain", "no type", "union", "reference", "more"]))
    # The root of a sanitized schema has the type object, also if it is referenced by "#".
    references = ["#/components/schemas/enum", *([] if form == "no type" else ["#"])]
    references += [f"#/{keyword}/{escape(name)}" for name in names]
    if form != "reference":
        references.append(f"#/properties/pair/{pair}/1")
    builder = SchemaBuilder(draw, old=old, references=references)
    root: dict[str, Any] = {"type": "object", "properties": builder.named(3)}
    root["properties"]["pair"] = {pair: [True, builder.node(0, inside=False)]}
    root[keyword] = {name: builder.node(2, inside=False) for name in names}
    root["components"] = {"schemas": {"enum": builder.node(1, inside=False)}}
    match form:
        case "no type":
            del root["type"]
        case "union":
            branches = [{"type": "object"}, {"$ref": f"#/{keyword}/R"}, {"required": ["a"]}]
            root["anyOf"] = branches[: builder.one_of(1, 2, 3)]
            root[keyword]["R"] = {"type": "object", "properties": builder.named(1)}
        case "reference":
            root[keyword]["R"] = {"type": root.pop("type"), "properties": root.pop("properties")}
            root |= {"$ref": f"#/{keyword}/R", "description": "of the root"}
        case "more" if not old:
            root[keyword]["R"] = {"type": ["object"], "additionalProperties": {}}
            root["$ref"] = f"#/{keyword}/R"
    if old:
        root["$schema"] = "http://json-schema.org/draft-07/schema#"
    return Document(root, old)


@st.composite
def instances(draw: Any, document: Document) -> Any:
    """Return an object that the schema accepts, or a similar one."""
    instance = _instance(draw, document.schema, document.schema, 0)
    return instance if isinstance(instance, dict) else {}


def resolve_reference(root: Any, reference: str) -> Any:
    """Return the schema of a reference, resolved without code of the package."""
    for step in reference.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~").replace("%25", "%")
        root = root[int(name)] if isinstance(root, list) else root[name]
    return root


def _instance(draw: Any, schema: Any, root: Any, depth: int) -> Any:
    if not isinstance(schema, dict) or depth > 6 or draw(st.integers(0, 9)) == 0:
        return draw(VALUES)
    branches = [resolve_reference(root, schema["$ref"])] if "$ref" in schema else []
    for keyword in ("anyOf", "oneOf", "allOf"):
        branches += schema.get(keyword, [])
    if branches and draw(st.booleans()):
        return _instance(draw, draw(st.sampled_from(branches)), root, depth + 1)
    values = [*schema.get("enum", ()), *([schema["const"]] if "const" in schema else ())]
    if values:
        return copy.deepcopy(draw(st.sampled_from(values)))
    return _instance_of_type(draw, schema, root, depth)


def _instance_of_type(draw: Any, schema: Any, root: Any, depth: int) -> Any:
    if "properties" in schema or "dependencies" in schema or "dependentSchemas" in schema:
        return _object_instance(draw, schema, root, depth)
    if {"items", "prefixItems", "contains"} & schema.keys():
        return _array_instance(draw, schema, root, depth)
    type_name = schema.get("type")
    type_name = draw(st.sampled_from(type_name)) if isinstance(type_name, list) else type_name
    return draw(_STRATEGIES.get(type_name, VALUES))


def _object_instance(draw: Any, schema: Any, root: Any, depth: int) -> dict[str, Any]:
    instance = draw(st.dictionaries(st.sampled_from(("a", "enum")), VALUES, max_size=1))
    for name, property_schema in schema.get("properties", {}).items():
        if name in schema.get("required", ()) or draw(st.booleans()):
            instance[name] = _instance(draw, property_schema, root, depth + 1)
    return dict(instance)


def _array_instance(draw: Any, schema: Any, root: Any, depth: int) -> list[Any]:
    items = schema.get("items")
    items_in_order = schema.get("prefixItems") or (items if isinstance(items, list) else [])
    rest = [part for part in (schema.get("contains"), items) if isinstance(part, dict)]
    more = draw(st.lists(st.sampled_from(rest), max_size=3)) if rest else []
    return [_instance(draw, part, root, depth + 1) for part in [*items_in_order, *more]]


_STRATEGIES: dict[Any, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "string": st.sampled_from(["", "a", "x" * 2049]),
    "boolean": st.booleans(),
    "integer": st.integers(0, 2),
    "number": st.sampled_from([0, 2.5]),
    "array": st.lists(SCALARS, max_size=3) | st.just([1] * 257),
}
