"""Validate a request body as Rust's serde does: the same strictness, the same error texts.

A validator checks a value, reports the first mismatch with its path, and collects unknown fields.
"""

from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

from xai_lowcode.emulator.provider_errors import ProviderError

I32 = range(-(2**31), 2**31)
UNDESERIALIZABLE = "Failed to deserialize the JSON body into the target type"
MAX_DEPTH = 127  # serde's limit


class DeserializationError(ProviderError):
    """The 422 for a value that does not match; the text has its path and the mismatch."""

    def __init__(self, problem: str) -> None:
        super().__init__(422, {"error": f"{UNDESERIALIZABLE}: {problem}"})


class Validator(Protocol):
    """Checks one JSON value."""

    def validate(self, value: Any, path: str, ignored: list[str]) -> None:
        """Raise `DeserializationError`, or append the paths of unknown fields to `ignored`."""


@dataclass(frozen=True)
class AnyJSON:
    """Any JSON value."""

    def validate(self, value: Any, path: str, ignored: list[str]) -> None:
        """Accept the value."""


@dataclass(frozen=True)
class Scalar:
    """A string, a boolean or a number; `expected` is serde's name of it."""

    expected: str
    types: tuple[type, ...]

    def validate(self, value: Any, path: str, ignored: list[str]) -> None:
        """Check the type; a boolean is not a number."""
        del ignored
        if not isinstance(value, self.types) or (
            isinstance(value, bool) and bool not in self.types
        ):
            fail_type(value, path, self.expected)
        if self.expected == "i32" and value not in I32:
            fail(path, f"invalid value: integer `{value}`, expected i32")


@dataclass(frozen=True)
class Nullable:
    """A value or null."""

    inner: Validator

    def validate(self, value: Any, path: str, ignored: list[str]) -> None:
        """Check the value unless it is null."""
        if value is not None:
            self.inner.validate(value, path, ignored)


@dataclass(frozen=True)
class ArrayOf:
    """An array whose items have one type."""

    item: Validator

    def validate(self, value: Any, path: str, ignored: list[str]) -> None:
        """Check every item."""
        if not isinstance(value, list):
            fail_type(value, path, "a sequence")
        for index, item in enumerate(value):
            self.item.validate(item, f"{path}[{index}]", ignored)


@dataclass(frozen=True)
class StringEnum:
    """One of several strings."""

    values: tuple[str, ...]

    def validate(self, value: Any, path: str, ignored: list[str]) -> None:
        """Check that the string is one of the values."""
        STRING.validate(value, path, ignored)
        if value not in self.values:
            fail_variant(value, path, self.values)


@dataclass(frozen=True)
class Struct:
    """An object: `required` fields are not null, `optional` ones may be null or missing.

    With `open`, fields that are not listed are accepted.
    """

    name: str
    required: dict[str, Validator] = field(default_factory=dict)
    optional: dict[str, Validator] = field(default_factory=dict)
    open: bool = False

    def validate(self, value: Any, path: str, ignored: list[str]) -> None:
        """Check every field and collect the unknown ones."""
        if not isinstance(value, dict):
            fail_type(value, path, f"struct {self.name}")
        for name in self.required:
            if name not in value:
                fail(path, f"missing field `{name}`")
        for name, content in value.items():
            self._validate_field(name, content, f"{path}.{name}" if path else name, ignored)

    def _validate_field(self, name: str, value: Any, path: str, ignored: list[str]) -> None:
        if name in self.required:
            self.required[name].validate(value, path, ignored)
        elif name not in self.optional:
            ignored.extend([] if self.open else [path])
        elif value is not None:
            self.optional[name].validate(value, path, ignored)


@dataclass(frozen=True)
class TaggedEnum:
    """An object whose field `tag` selects one of several structs."""

    tag: str
    variants: dict[str, Validator]

    def validate(self, value: Any, path: str, ignored: list[str]) -> None:
        """Select the struct by the tag and check the other fields."""
        if not isinstance(value, dict):
            fail_type(value, path, "internally tagged enum")
        if self.tag not in value:
            fail(path, f"missing field `{self.tag}`")
        tag, tag_path = value[self.tag], f"{path}.{self.tag}" if path else self.tag
        STRING.validate(tag, tag_path, ignored)
        if tag not in self.variants:
            fail_variant(tag, tag_path, tuple(self.variants))
        fields = {name: content for name, content in value.items() if name != self.tag}
        self.variants[tag].validate(fields, path, ignored)


@dataclass(frozen=True)
class UntaggedEnum:
    """One of several types, selected by the JSON type of the value."""

    name: str
    by_type: dict[type, Validator]

    def validate(self, value: Any, path: str, ignored: list[str]) -> None:
        """Select the validator by the type."""
        if type(value) not in self.by_type:
            fail(path, f"data did not match any variant of untagged enum {self.name}")
        self.by_type[type(value)].validate(value, path, ignored)


def fail(path: str, problem: str) -> NoReturn:
    """Raise the error for the value at a path."""
    raise DeserializationError(f"{path}: {problem}" if path else problem)


def fail_type(value: Any, path: str, expected: str) -> NoReturn:
    """Raise the error for a value of the wrong type."""
    fail(path, f"invalid type: {TYPES[type(value)].format(value)}, expected {expected}")


def fail_variant(value: str, path: str, variants: tuple[str, ...]) -> NoReturn:
    """Raise the error for a string that is not one of the variants."""
    names = ", ".join(f"`{variant}`" for variant in variants)
    lead = "expected one of " if len(variants) > 1 else "expected "
    fail(path, f"unknown variant `{value}`, {lead}{names}")


TYPES: dict[type, str] = {
    type(None): "null",
    bool: "boolean `{}`",
    int: "integer `{}`",
    float: "floating point `{}`",
    str: 'string "{}"',
    list: "sequence",
    dict: "map",
}
ANYTHING = AnyJSON()
STRING = Scalar("a string", (str,))
BOOLEAN = Scalar("a boolean", (bool,))
INTEGER = Scalar("i32", (int,))
NUMBER = Scalar("f32", (int, float))
OBJECT = Scalar("a map", (dict,))
