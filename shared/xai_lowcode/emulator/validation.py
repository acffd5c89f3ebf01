"""Reading a body into a type as Rust's serde does: the same strictness, the same complaints.

A shape reads a value, notes the members that nobody asked for, and complains by naming the place.
"""

from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

I32 = range(-(2**31), 2**31)


class MismatchError(Exception):
    """A value that does not fit; the text names the place and what is wrong there."""


class Shape(Protocol):
    """What a value must look like."""

    def read(self, value: Any, place: str, ignored: list[str]) -> None:
        """Raises `MismatchError`, or adds to `ignored` what would not be looked at."""


@dataclass(frozen=True)
class Anything:
    """Any JSON at all."""

    def read(self, value: Any, place: str, ignored: list[str]) -> None:
        """Accepts."""


@dataclass(frozen=True)
class Scalar:
    """A string, a boolean or a number; `word` is how serde calls it."""

    word: str
    kinds: tuple[type, ...]

    def read(self, value: Any, place: str, ignored: list[str]) -> None:
        """Accepts the kinds, of which a boolean is never a number."""
        del ignored
        if not isinstance(value, self.kinds) or (
            isinstance(value, bool) and bool not in self.kinds
        ):
            mistyped(value, place, self.word)
        if self.word == "i32" and value not in I32:
            fail(place, f"invalid value: integer `{value}`, expected i32")


@dataclass(frozen=True)
class Maybe:
    """A shape or null."""

    inner: Shape

    def read(self, value: Any, place: str, ignored: list[str]) -> None:
        """Accepts null, else asks the shape."""
        if value is not None:
            self.inner.read(value, place, ignored)


@dataclass(frozen=True)
class Listed:
    """An array of one shape."""

    item: Shape

    def read(self, value: Any, place: str, ignored: list[str]) -> None:
        """Reads every item."""
        if not isinstance(value, list):
            mistyped(value, place, "a sequence")
        for index, item in enumerate(value):
            self.item.read(item, f"{place}[{index}]", ignored)


@dataclass(frozen=True)
class Word:
    """One of a few strings."""

    words: tuple[str, ...]

    def read(self, value: Any, place: str, ignored: list[str]) -> None:
        """Accepts the words."""
        STRING.read(value, place, ignored)
        if value not in self.words:
            unknown_variant(value, place, self.words)


@dataclass(frozen=True)
class Struct:
    """An object: `required` members come without null, `optional` ones may be null or missing.

    An `open` one takes any other member for its own.
    """

    name: str
    required: dict[str, Shape] = field(default_factory=dict)
    optional: dict[str, Shape] = field(default_factory=dict)
    open: bool = False

    def read(self, value: Any, place: str, ignored: list[str]) -> None:
        """Reads every member and notes those it does not know."""
        if not isinstance(value, dict):
            mistyped(value, place, f"struct {self.name}")
        for name in self.required:
            if name not in value:
                fail(place, f"missing field `{name}`")
        for name, member in value.items():
            self._member(name, member, f"{place}.{name}" if place else name, ignored)

    def _member(self, name: str, member: Any, place: str, ignored: list[str]) -> None:
        if name in self.required:
            self.required[name].read(member, place, ignored)
        elif name not in self.optional:
            ignored.extend([] if self.open else [place])
        elif member is not None:
            self.optional[name].read(member, place, ignored)


@dataclass(frozen=True)
class Tagged:
    """An object whose member `tag` says which of several structs it is."""

    tag: str
    variants: dict[str, Shape]

    def read(self, value: Any, place: str, ignored: list[str]) -> None:
        """Chooses the struct by the tag."""
        if not isinstance(value, dict):
            mistyped(value, place, "internally tagged enum")
        if self.tag not in value:
            fail(place, f"missing field `{self.tag}`")
        tag, spot = value[self.tag], f"{place}.{self.tag}" if place else self.tag
        STRING.read(tag, spot, ignored)
        if tag not in self.variants:
            unknown_variant(tag, spot, tuple(self.variants))
        # The tag is read here, so the variant need not know it.
        rest = {name: member for name, member in value.items() if name != self.tag}
        self.variants[tag].read(rest, place, ignored)


@dataclass(frozen=True)
class Either:
    """One of several shapes, told apart by the JSON type."""

    name: str
    by_type: dict[type, Shape]

    def read(self, value: Any, place: str, ignored: list[str]) -> None:
        """Chooses the shape by the type."""
        if type(value) not in self.by_type:
            fail(place, f"data did not match any variant of untagged enum {self.name}")
        self.by_type[type(value)].read(value, place, ignored)


def fail(place: str, problem: str) -> NoReturn:
    """Complains about a place."""
    raise MismatchError(f"{place}: {problem}" if place else problem)


def mistyped(value: Any, place: str, expected: str) -> NoReturn:
    """Complains about a value of the wrong type."""
    fail(place, f"invalid type: {TYPES[type(value)].format(value)}, expected {expected}")


def unknown_variant(value: str, place: str, words: tuple[str, ...]) -> NoReturn:
    """Complains about a word that is none of those known."""
    known = ", ".join(f"`{word}`" for word in words)
    lead = "expected one of " if len(words) > 1 else "expected "
    fail(place, f"unknown variant `{value}`, {lead}{known}")


TYPES: dict[type, str] = {
    type(None): "null",
    bool: "boolean `{}`",
    int: "integer `{}`",
    float: "floating point `{}`",
    str: 'string "{}"',
    list: "sequence",
    dict: "map",
}
ANYTHING = Anything()
STRING = Scalar("a string", (str,))
BOOLEAN = Scalar("a boolean", (bool,))
INTEGER = Scalar("i32", (int,))
NUMBER = Scalar("f32", (int, float))
OBJECT = Scalar("a map", (dict,))
