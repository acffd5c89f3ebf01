"""Inherited methods compare, hash and represent instances like those of a dataclass."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from math import nan
from typing import Any

import pytest

from xai_lowcode._internal.values import Value


@dataclass(slots=True, unsafe_hash=True)
class Compiled:
    """A dataclass with its own methods."""

    name: str
    number: Any = None
    hidden: Any = field(default=0, repr=False)
    ignored: Any = field(default=0, compare=False)
    unhashed: Any = field(default=0, hash=False)


@dataclass(slots=True, eq=False, repr=False)
class Inherited(Value):
    """The same fields with the methods of ``Value``."""

    name: str
    number: Any = None
    hidden: Any = field(default=0, repr=False)
    ignored: Any = field(default=0, compare=False)
    unhashed: Any = field(default=0, hash=False)


ARGUMENTS: tuple[dict[str, Any], ...] = (
    {"name": "a"},
    {"name": "b"},
    {"name": "a", "number": nan},
    {"name": "a", "number": (1, "x")},
    {"name": "a", "hidden": 1},
    {"name": "a", "ignored": 1},
    {"name": "a", "unhashed": 1},
    {"name": "a", "unhashed": []},
)


def build(kind: Callable[..., Any]) -> list[Any]:
    """Return an instance for each of the arguments."""
    return [kind(**arguments) for arguments in ARGUMENTS]


def test_equality() -> None:
    """Instances are equal if those of the dataclass are; other classes are never equal."""
    compiled, inherited = (
        [first == second for first, second in product(build(kind), build(kind))]
        for kind in (Compiled, Inherited)
    )
    assert inherited == compiled
    assert Inherited("a") != Compiled("a")
    assert Inherited("a") != ("a", None, 0, 0, 0)


def test_hash() -> None:
    """Hashes are those of the dataclass, and an unhashable field raises the same error."""
    assert [hash(value) for value in build(Inherited)] == [hash(v) for v in build(Compiled)]
    with pytest.raises(TypeError, match="unhashable"):
        hash(Inherited("a", []))


def test_repr() -> None:
    """The repr is that of the dataclass, also of an instance that contains itself."""
    for inherited, compiled in zip(build(Inherited), build(Compiled), strict=True):
        assert repr(inherited) == repr(compiled).replace("Compiled", "Inherited")
    value = Inherited("a")
    value.number = value
    assert repr(value) == "Inherited(name='a', number=..., ignored=0, unhashed=0)"
