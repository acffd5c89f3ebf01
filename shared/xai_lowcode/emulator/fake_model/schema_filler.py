"""Filling a JSON schema from a prompt: the part of a model that can be had without one.

`fill` gives a value that is valid for the schema, and made of what the prompt says as far as
the prompt says anything. Patterns are met only by examples, defaults and simple guesses.
"""

import math
import re
from collections.abc import Callable
from typing import Any

from xai_lowcode.emulator.fake_model import prompt_parsing as clues
from xai_lowcode.emulator.fake_model.prompt_parsing import Clues
from xai_lowcode.emulator.handler_types import Json

FORMATS: dict[str, tuple[re.Pattern[str] | None, str]] = {
    "date": (clues.DAY, "2026-01-31"),
    "date-time": (clues.STAMP, "2026-01-31T12:00:00Z"),
    "time": (None, "12:00:00Z"),
    "duration": (None, "PT1H"),
    "email": (clues.MAIL, "someone@example.com"),
    "uri": (clues.ADDRESS, "https://example.com/"),
    "url": (clues.ADDRESS, "https://example.com/"),
    "uuid": (None, "123e4567-e89b-42d3-a456-426614174000"),
    "ipv4": (None, "192.0.2.1"),
    "ipv6": (None, "2001:db8::1"),
    "hostname": (None, "example.com"),
}


def bounds(schema: Json, step: float) -> tuple[float, float]:
    """Finds the lowest and highest number allowed; beside an exclusive bound, one step inside."""
    nudge = step or 1e-3
    low = max(
        _bound(schema, "minimum", -math.inf), _bound(schema, "exclusiveMinimum", -math.inf) + nudge
    )
    high = min(
        _bound(schema, "maximum", math.inf), _bound(schema, "exclusiveMaximum", math.inf) - nudge
    )
    if step and low > -math.inf:
        low = math.ceil(low / step) * step
    return low, high


def _bound(schema: Json, key: str, otherwise: float) -> float:
    value = schema.get(key)
    # In old schemas an exclusive bound is a boolean beside the plain one.
    return otherwise if value is None or isinstance(value, bool) else float(value)


def examples(schema: Json) -> list[str]:
    """Lists the texts that a schema itself offers."""
    known = [*(schema.get("examples") or []), schema.get("default")]
    return [text for text in known if isinstance(text, str)]


def sized(text: str, schema: Json) -> str:
    """Cuts a text, or fills it up, to the length that is asked for."""
    text = text[: schema.get("maxLength", len(text))]
    missing = (schema.get("minLength") or 0) - len(text)
    return text + "." * missing if missing > 0 else text


DEEP = 4
DEEPEST = 12
PLACES = {"location", "city", "place", "country", "town", "destination", "origin", "region"}
UNIONS = ("anyOf", "oneOf")
KIND_SIGNS = {
    "properties": "object",
    "items": "array",
    "prefixItems": "array",
    "minimum": "number",
    "maximum": "number",
    "pattern": "string",
    "minLength": "string",
}
GUESSES = (
    "A",
    "a",
    "1",
    "123",
    "12345",
    "A1",
    "AB-123",
    "abc",
    "ABC",
    "a-b",
    "2026-01-31",
    "12:30",
)


class Filler:
    """Fills one schema; `generous` fills also what is optional and not spoken of."""

    def __init__(self, root: Json, found: Clues, *, generous: bool) -> None:
        self._root = root
        self._found = found
        self._generous = generous

    def value(self, schema: Any, name: str = "", depth: int = 0) -> Any:
        """Makes a value for a schema; `name` is the member it is for."""
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._mentioned(schema["enum"])
        for union in UNIONS:
            if schema.get(union):
                return self._branch(schema, union, name, depth)
        return MAKERS[self._kind(schema, name)](self, schema, name, depth)

    def _resolved(self, node: Any) -> Json:
        """Follows references and merges `allOf`."""
        schema: Json = node if isinstance(node, dict) else {}
        if "$ref" in schema:
            rest = {key: member for key, member in schema.items() if key != "$ref"}
            return self._resolved({**self._target(schema["$ref"]), **rest})
        parts = schema.get("allOf") or []
        if not parts:
            return schema
        whole = {key: member for key, member in schema.items() if key != "allOf"}
        for part in parts:
            whole = _merged(whole, self._resolved(part))
        return whole

    def _target(self, reference: str) -> Json:
        node: Any = self._root
        for step in reference.removeprefix("#").strip("/").split("/"):
            if step:
                node = node[step.replace("~1", "/").replace("~0", "~")]
        return node if isinstance(node, dict) else {}

    def _mentioned(self, values: list[Any]) -> Any:
        """Chooses the value that the prompt mentions."""
        return next((value for value in values if self._found.mentions(str(value))), values[0])

    def _branch(self, schema: Json, union: str, name: str, depth: int) -> Any:
        """Chooses a branch of a union: null when the prompt says so or the tree gets too deep."""
        rest = {key: member for key, member in schema.items() if key != union}
        branches = [self._resolved(branch) for branch in schema[union]]
        nulls = [branch for branch in branches if branch.get("type") == "null"]
        others = [branch for branch in branches if branch.get("type") != "null"]
        if nulls and (not others or depth > DEEP or self._denied(name)):
            return None
        if depth > DEEP:
            others = sorted(others, key=_weight)
        chosen = next((branch for branch in others if self._is_meant(branch)), others[0])
        return self.value(_merged(rest, chosen), name, depth)

    def _is_meant(self, branch: Json) -> bool:
        """Tells whether a number of the prompt, or a word in an enum, asks for this branch."""
        if branch.get("type") in {"integer", "number"}:
            return bool(self._found.numbers)
        return any(self._found.mentions(str(value)) for value in branch.get("enum") or [])

    def _denied(self, name: str) -> bool:
        words = re.escape(name.replace("_", " "))
        says = rf"\b(?:no|without|omit|skip)\b(?: an?| any| the)? {words}"
        return bool(name) and re.search(says, self._found.text, re.IGNORECASE) is not None

    def _kind(self, schema: Json, name: str) -> str:
        kind = schema.get("type")
        if isinstance(kind, list):
            solid = [one for one in kind if one != "null"]
            return "null" if not solid or ("null" in kind and self._denied(name)) else solid[0]
        if isinstance(kind, str):
            return kind
        return next((kind for sign, kind in KIND_SIGNS.items() if sign in schema), "string")

    def object(self, schema: Json, _: str, depth: int) -> Json:
        """Makes an object with all that is required, and what else is spoken of."""
        if depth > DEEPEST:
            return {}
        properties: Json = schema.get("properties") or {}
        required = list(schema.get("required") or [])
        made = {
            key: self.value(member, key, depth + 1)
            for key, member in properties.items()
            if key in required or self._wanted(key, member, depth)
        }
        rest = schema.get("additionalProperties", {})
        for key in [key for key in required if key not in made]:
            made[key] = self.value(rest, key, depth + 1)
        for number in range(len(made), schema.get("minProperties") or 0):
            made[f"key{number + 1}"] = self.value(rest, "", depth + 1)
        return made

    def _wanted(self, key: str, member: Any, depth: int) -> bool:
        if depth > DEEP:
            return False
        if self._generous or self._found.mentions(key.replace("_", " ")):
            return True
        schema = self._resolved(member)
        options = schema.get("enum") or []
        return any(self._found.mentions(str(option)) for option in options)

    def array(self, schema: Json, name: str, depth: int) -> list[Any]:
        """Makes an array of one or two items, or as many as the schema wants."""
        leading = schema.get("prefixItems") or []
        item = schema.get("items", {})
        low: int = schema.get("minItems") or 0
        length = low if depth > DEEP else max(low, self._length(schema))
        length = min(length, schema.get("maxItems", length))
        made = [self.value(one, name, depth + 1) for one in leading]
        if item is False:
            return made
        while len(made) < length:
            made.append(self._item(item, name, depth, made, unique=bool(schema.get("uniqueItems"))))
        return made

    def _length(self, schema: Json) -> int:
        """As many items as the prompt has numbers, or quotations, that fit."""
        item = self._resolved(schema.get("items", {}))
        if item.get("type") in {"integer", "number"}:
            return max(1, len(self._found.numbers))
        if item.get("type") == "string" and "enum" not in item:
            return max(1, len(self._found.quotations))
        return 1

    def _item(self, item: Any, name: str, depth: int, made: list[Any], *, unique: bool) -> Any:
        value = self.value(item, name, depth + 1)
        if not unique or value not in made:
            return value
        options = self._resolved(item).get("enum") or []
        if isinstance(value, str) and not options:
            return f"{value} {len(made) + 1}"
        if isinstance(value, int | float) and not isinstance(value, bool) and not options:
            return max(made) + 1
        return next((one for one in [*options, True, False] if one not in made), value)

    def number(self, schema: Json, name: str, _: int) -> float:
        """Takes a number from the prompt and moves it into the bounds."""
        return self._bounded(schema, name, whole=False)

    def integer(self, schema: Json, name: str, _: int) -> int:
        """Takes a whole number from the prompt and moves it into the bounds."""
        return int(self._bounded(schema, name, whole=True))

    def _bounded(self, schema: Json, name: str, *, whole: bool) -> float:
        found = self._named_number(name, whole=whole)
        value = found if found is not None else self._found.number(whole=whole)
        step = schema.get("multipleOf") or (1 if whole else 0)
        low, high = bounds(schema, step)
        value = min(max(1 if value is None else value, low), high)
        if step:
            value = math.floor(value / step) * step
            value += step if value < low else 0
        return int(value) if float(value).is_integer() else value

    def _named_number(self, name: str, *, whole: bool) -> float | None:
        """Takes a number that stands right beside the member's name."""
        words = re.escape(name.replace("_", " "))
        says = rf"(?<!\w){words}\s*(?:=|:|is|of)?\s*(-?\d+(?:\.\d+)?)"
        match = re.search(says, self._found.text, re.IGNORECASE) if name else None
        number = float(match[1]) if match else None
        if number is None or (whole and not number.is_integer()):
            return None
        if number in self._found.numbers:
            self._found.numbers.remove(number)
        return number

    def string(self, schema: Json, name: str, _: int) -> str:
        """Takes a text from the prompt, in the format and of the length that are asked for."""
        if schema.get("format") in FORMATS:
            pattern, fallback = FORMATS[schema["format"]]
            return (self._found.first(pattern) or fallback) if pattern else fallback
        candidates = [self._text(name), *examples(schema), *GUESSES]
        fitting = [sized(text, schema) for text in candidates]
        pattern = schema.get("pattern")
        if pattern is None:
            return fitting[0]
        return next((text for text in fitting if re.search(pattern, text)), fitting[0])

    def _text(self, name: str) -> str:
        text = self._found.text
        named = (
            re.search(rf"(?<!\w){re.escape(name)}\s*[=:]\s*['\"]?([^'\",;\n]+)", text)
            if name
            else None
        )
        if named:
            return named[1].strip()
        if name.lower() in PLACES and self._found.places:
            return (
                self._found.places.pop(0) if len(self._found.places) > 1 else self._found.places[0]
            )
        return self._found.quotation() or text or name or "text"

    def boolean(self, schema: Json, name: str, _: int) -> bool:
        """Says yes, unless the prompt says no."""
        del schema
        return not (self._denied(name) or self._found.mentions("false"))

    def null(self, *_: Any) -> None:
        """Makes nothing."""


def fill(schema: Json, found: Clues, *, generous: bool = False) -> Any:
    """Fills a schema."""
    return Filler(schema, found, generous=generous).value(schema)


def _merged(one: Json, other: Json) -> Json:
    """Joins two schemas that hold together."""
    whole = {**one, **other}
    if "properties" in one and "properties" in other:
        whole["properties"] = {**one["properties"], **other["properties"]}
    if "required" in one and "required" in other:
        whole["required"] = [*one["required"], *other["required"]]
    return whole


def _weight(schema: Json) -> int:
    """Tells how much a branch brings with it; the lightest one ends a recursion."""
    return len(schema.get("required") or []) + 2 * (schema.get("type") in {"object", "array"})


MAKERS: dict[str, Callable[[Filler, Json, str, int], Any]] = {
    "object": Filler.object,
    "array": Filler.array,
    "number": Filler.number,
    "integer": Filler.integer,
    "string": Filler.string,
    "boolean": Filler.boolean,
    "null": Filler.null,
}
