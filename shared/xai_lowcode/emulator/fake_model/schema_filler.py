"""Create a JSON value that is valid for a schema, from the values in a prompt.

A `pattern` is met only by values of the prompt, examples, defaults and a few guesses, and not at
all if matching it can take long. The work is bounded: a schema that needs more is refused.
"""

import math
import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

from xai_lowcode.emulator.fake_model import prompt_parsing
from xai_lowcode.emulator.fake_model.prompt_parsing import PromptHints, take_next
from xai_lowcode.emulator.fake_model.text import truncate
from xai_lowcode.emulator.json_values import Json
from xai_lowcode.emulator.provider_errors import bad_request
from xai_lowcode.emulator.rules.json_schema import find_target

FORMATS: dict[str, tuple[re.Pattern[str] | None, str]] = {
    "date": (prompt_parsing.DATE, "2026-01-31"),
    "date-time": (prompt_parsing.DATE_TIME, "2026-01-31T12:00:00Z"),
    "time": (None, "12:00:00Z"),
    "duration": (None, "PT1H"),
    "email": (prompt_parsing.EMAIL, "someone@example.com"),
    "uri": (prompt_parsing.URL, "https://example.com/"),
    "url": (prompt_parsing.URL, "https://example.com/"),
    "uuid": (None, "123e4567-e89b-42d3-a456-426614174000"),
    "ipv4": (None, "192.0.2.1"),
    "ipv6": (None, "2001:db8::1"),
    "hostname": (None, "example.com"),
}
# Beyond the first depth only required fields are filled; at the second, values are empty.
OPTIONAL_DEPTH = 4
MAX_DEPTH = 12
# The most subschemas that are read, and the most items and characters that are created.
MAX_STEPS = 5_000
MAX_ITEMS = 256
MAX_LENGTH = 2_048
MAX_ENUM_SEARCH = 100
TOO_COMPLEX = "Invalid arguments passed to the model. The schema is too complex."
# A pattern is matched if it has few repetitions and alternatives, and no repeated group.
PATTERN_ATOM = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\{\d+\}|\(\?[:=!]", re.DOTALL)
REPEATED_GROUP = re.compile(r"\)[*+{]")
CHOICE = re.compile(r"[*+?|{]")
MAX_CHOICES = 4
MAX_MATCHED = 64
PLACE_NAMES = {"location", "city", "place", "country", "town", "destination", "origin", "region"}
# The last word of a field whose value is a proper noun.
NAMES = {"name", "title", "person", "author", "company", "organization", "brand", "product"}
UNIONS = ("anyOf", "oneOf")
TYPES_BY_KEYWORD = {
    "properties": "object",
    "items": "array",
    "prefixItems": "array",
    "minimum": "number",
    "maximum": "number",
    "pattern": "string",
    "minLength": "string",
}
PATTERN_GUESSES = (
    *("A", "a", "1", "123", "12345", "A1", "AB-123", "abc", "ABC", "a-b", "2026-01-31", "12:30"),
)


def fill_schema(schema: Json, hints: PromptHints, *, fill_optional: bool = False) -> Any:
    """Return a value for a schema; optional fields are filled if the prompt mentions them."""
    try:
        return SchemaFiller(schema, hints, fill_optional=fill_optional).fill(schema)
    except RecursionError:
        raise bad_request(TOO_COMPLEX) from None


class SchemaFiller:
    """Fills one schema; see `fill_schema`."""

    def __init__(self, root: Json, hints: PromptHints, *, fill_optional: bool) -> None:
        self._root = root
        self._hints = hints
        self._fill_optional = fill_optional
        self._steps = 0

    def fill(self, schema: Any, name: str = "", depth: int = 0) -> Any:
        """Return a value for a subschema; `name` is the field that it is for."""
        schema = self._resolve(schema)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return next(self._mentioned_values(schema), schema["enum"][0])
        for union in UNIONS:
            if schema.get(union):
                return self._fill_union(schema, union, name, depth)
        return self._fill_type(self._type_of(schema, name), schema, name, depth)

    def _fill_type(self, json_type: str, schema: Json, name: str, depth: int) -> Any:
        match json_type:
            case "object":
                return self._fill_object(schema, depth)
            case "array":
                return self._fill_array(schema, name, depth)
            case "integer" | "number":
                return self._fill_number(schema, name, integer=json_type == "integer")
            case "boolean":
                return not (self._hints.denies(name) or self._hints.mentions("false"))
            case "null":
                return None
        return self._fill_string(schema, name)

    def _resolve(self, node: Any) -> Json:
        """Resolve `$ref` and merge `allOf`."""
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise bad_request(TOO_COMPLEX)
        schema: Json = node if isinstance(node, dict) else {}
        if "$ref" in schema:
            siblings = {key: value for key, value in schema.items() if key != "$ref"}
            return self._resolve({**find_target(schema["$ref"], self._root), **siblings})
        if not schema.get("allOf"):
            return schema
        merged = {key: value for key, value in schema.items() if key != "allOf"}
        for part in schema["allOf"]:
            merged = _merge(merged, self._resolve(part))
        return merged

    def _mentioned_values(self, schema: Json) -> Iterator[Any]:
        """Iterate over the values of an enum that the prompt has."""
        values = (schema.get("enum") or [])[:MAX_ENUM_SEARCH]
        return (value for value in values if self._hints.mentions(str(value)))

    def _type_of(self, schema: Json, name: str) -> str:
        json_type = schema.get("type")
        if isinstance(json_type, list):
            others = [item for item in json_type if item != "null"]
            is_null = not others or ("null" in json_type and self._hints.denies(name))
            return "null" if is_null else others[0]
        if isinstance(json_type, str):
            return json_type
        return next((kind for key, kind in TYPES_BY_KEYWORD.items() if key in schema), "string")

    def _fill_union(self, schema: Json, union: str, name: str, depth: int) -> Any:
        """Fill one branch: null if the prompt denies the field or the depth is reached."""
        siblings = {key: value for key, value in schema.items() if key != union}
        branches = [self._resolve(branch) for branch in schema[union]]
        others = [branch for branch in branches if branch.get("type") != "null"]
        deep = depth > OPTIONAL_DEPTH
        if len(others) < len(branches) and (not others or deep or self._hints.denies(name)):
            return None
        if deep:
            others = sorted(others, key=_complexity)
        branch = next((branch for branch in others if self._is_mentioned(branch)), others[0])
        return self.fill(_merge(siblings, branch), name, depth)

    def _is_mentioned(self, schema: Json) -> bool:
        """Return True if the prompt has a number, or a value of the enum, for the schema."""
        if schema.get("type") in {"integer", "number"}:
            return bool(self._hints.numbers)
        return any(True for _ in self._mentioned_values(schema))

    def _fill_object(self, schema: Json, depth: int) -> Json:
        if depth > MAX_DEPTH:
            return {}
        properties: Json = schema.get("properties") or {}
        required = dict.fromkeys(schema.get("required") or [])
        filled = {
            key: self.fill(child, key, depth + 1)
            for key, child in properties.items()
            if key in required or self._should_fill(key, child, depth)
        }
        additional = schema.get("additionalProperties", {})
        for key in [key for key in required if key not in filled]:
            filled[key] = self.fill(additional, key, depth + 1)
        for number in range(len(filled), min(schema.get("minProperties") or 0, MAX_ITEMS)):
            filled[f"key{number + 1}"] = self.fill(additional, "", depth + 1)
        return filled

    def _should_fill(self, key: str, schema: Any, depth: int) -> bool:
        if depth > OPTIONAL_DEPTH:
            return False
        if self._fill_optional or self._hints.mentions(key.replace("_", " ")):
            return True
        return any(True for _ in self._mentioned_values(self._resolve(schema)))

    def _fill_array(self, schema: Json, name: str, depth: int) -> list[Any]:
        if depth > MAX_DEPTH:
            return []
        item_schema = schema.get("items", {})
        filled = [self.fill(child, name, depth + 1) for child in schema.get("prefixItems") or []]
        if item_schema is False:
            return filled
        length: int = schema.get("minItems") or 0
        if depth <= OPTIONAL_DEPTH:
            length = max(length, self._count_values(self._resolve(item_schema)))
        length = min(length, schema.get("maxItems", length), MAX_ITEMS)
        while len(filled) < length:
            item = self.fill(item_schema, name, depth + 1)
            if schema.get("uniqueItems") and item in filled:
                item = self._make_unique(item, self._resolve(item_schema), filled)
            filled.append(item)
        return filled

    def _count_values(self, item_schema: Json) -> int:
        """Return how many numbers or quotations the prompt has for the items, but at least one."""
        if item_schema.get("type") in {"integer", "number"}:
            return max(1, len(self._hints.numbers))
        if item_schema.get("type") == "string" and "enum" not in item_schema:
            return max(1, len(self._hints.quotations))
        return 1

    def _make_unique(self, item: Any, item_schema: Json, filled: list[Any]) -> Any:
        values = item_schema.get("enum") or []
        if isinstance(item, str) and not values:
            return f"{item} {len(filled) + 1}"
        if isinstance(item, int | float) and not isinstance(item, bool) and not values:
            return max(filled) + 1
        return next((value for value in [*values, True, False] if value not in filled), item)

    def _fill_number(self, schema: Json, name: str, *, integer: bool) -> float:
        value = self._named_number(name, integer=integer)
        if value is None:
            value = self._hints.take_number(integer=integer)
        step = schema.get("multipleOf") or (1 if integer else 0)
        low, high = _bounds(schema, step)
        value = min(max(1 if value is None else value, low), high)
        if step:
            value = math.floor(value / step) * step
            value += step if value < low else 0
        return int(value) if integer or float(value).is_integer() else value

    def _named_number(self, name: str, *, integer: bool) -> float | None:
        """Return the number that follows the name of the field in the prompt."""
        words = re.escape(name.replace("_", " "))
        pattern = rf"(?<!\w){words}\s*(?:=|:|is|of)?\s*(-?\d+(?:\.\d+)?)"
        searched = bool(name) and len(name) <= len(self._hints.text)
        match = re.search(pattern, self._hints.text, re.IGNORECASE) if searched else None
        number = float(match[1]) if match else None
        if number is None or (integer and not number.is_integer()):
            return None
        if number in self._hints.numbers:
            self._hints.numbers.remove(number)
        return number

    def _fill_string(self, schema: Json, name: str) -> str:
        if schema.get("format") in FORMATS:
            pattern, default = FORMATS[schema["format"]]
            return (self._hints.find(pattern) or default) if pattern else default
        first = _fit_length(self._text(name), schema)
        if not schema.get("pattern"):
            return first
        examples = [*(schema.get("examples") or []), schema.get("default")]
        texts = [text for text in examples if isinstance(text, str)]
        others = (_fit_length(text, schema) for text in (*texts, *PATTERN_GUESSES))
        pattern = _compile(schema["pattern"])
        matching = (text for text in chain([first], others) if pattern.search(text[:MAX_MATCHED]))
        return next(matching, first)

    def _text(self, name: str) -> str:
        text = self._hints.text
        pattern = rf"(?<!\w){re.escape(name)}\s*[=:]\s*['\"]?([^'\",;\n]+)"
        named = re.search(pattern, text) if name and name in text else None
        if named:
            return truncate(named[1].strip())
        place = take_next(self._hints.places) if name.lower() in PLACE_NAMES else None
        quoted = place or take_next(self._hints.quotations)
        is_name = re.split(r"[_\W]", name.lower())[-1] in NAMES
        noun = take_next(self._hints.names) if is_name and not quoted else None
        return truncate(quoted or noun or text or name or "text")


def _bounds(schema: Json, step: float) -> tuple[float, float]:
    """Return the lowest and highest value; exclusive bounds are moved by one step."""

    def bound(key: str, default: float) -> float:
        value = schema.get(key)
        # In draft 4 an exclusive bound is a boolean beside the inclusive one.
        return default if value is None or isinstance(value, bool) else float(value)

    margin = step or 1e-3
    low = max(bound("minimum", -math.inf), bound("exclusiveMinimum", -math.inf) + margin)
    high = min(bound("maximum", math.inf), bound("exclusiveMaximum", math.inf) - margin)
    if step and low > -math.inf:
        low = math.ceil(low / step) * step
    return low, high


def _fit_length(text: str, schema: Json) -> str:
    """Truncate or pad a string to the length that the schema allows."""
    text = text[: schema.get("maxLength", len(text))]
    length = min(schema.get("minLength") or 0, MAX_LENGTH)
    if len(text) < length:
        text = " ".join([text or "text"] * length)[:length].rstrip().ljust(length, "e")
    return text


def _compile(pattern: str) -> re.Pattern[str]:
    """Compile a pattern; one that is slow, or that Python does not know, becomes an empty one."""
    skeleton = PATTERN_ATOM.sub("", pattern)
    slow = REPEATED_GROUP.search(skeleton) or len(CHOICE.findall(skeleton)) > MAX_CHOICES
    try:
        return re.compile("" if slow else pattern)
    except (re.error, OverflowError, RecursionError):
        return re.compile("")


def _merge(first: Json, second: Json) -> Json:
    """Merge two schemas that both apply."""
    merged = {**first, **second}
    if "properties" in first and "properties" in second:
        merged["properties"] = {**first["properties"], **second["properties"]}
    if "required" in first and "required" in second:
        merged["required"] = [*first["required"], *second["required"]]
    return merged


def _complexity(schema: Json) -> int:
    """Return a sort key by which a recursion ends in the simplest branch."""
    return len(schema.get("required") or []) + 2 * (schema.get("type") in {"object", "array"})
