"""Values: what the fake model decided to answer."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Decision:
    """One choice of an answer; `reasoning` is thought, whether or not it may be read."""

    text: str
    calls: tuple[Call, ...]
    reasoning: str
    finish: str
    stopped_by: str | None = None
