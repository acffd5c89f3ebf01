"""What can be read out of a prompt without understanding it: numbers, quotations, dates, names."""

import re
from dataclasses import dataclass, field
from typing import Any

from xai_lowcode.emulator.fake_model.image_input import Seen, seen
from xai_lowcode.emulator.handler_types import Json

NUMBER = re.compile(r"(?<![\w.])-?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?")
QUOTED = re.compile(
    r"(?<!\w)'([^'\n]+)'(?!\w)|\"([^\"\n]+)\"|\u201c([^\u201d\n]+)\u201d|\u2018([^\u2019\n]+)\u2019|«([^»\n]+)»|「([^」\n]+)」|`([^`\n]+)`"
)
DAY = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
STAMP = re.compile(r"\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:Z|[+-]\d{2}:\d{2})")
MAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*\w")
ADDRESS = re.compile(r"https?://[^\s\"'<>]+[^\s\"'<>.,;!?]")
PLACE = re.compile(
    r"\b(?:in|at|for|of|from|to|near)\s+((?:[A-Z][\w\u2019-]*)(?:,? [A-Z][\w\u2019-]*)*)"
)
WORD = re.compile(r"[^\W_]+")
STEM = re.compile(r"(?:ing|ers?|ors?|ed|es|s)$")
SHORTEST_STEM = 3


@dataclass
class Clues:
    """The finds of one prompt; what has been used is not used again while there is more."""

    text: str
    numbers: list[float] = field(default_factory=list)
    quotations: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)

    def mentions(self, phrase: str) -> bool:
        """Tells whether the prompt holds a phrase, whatever its case."""
        return re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", self.text, re.IGNORECASE) is not None

    def number(self, *, whole: bool) -> float | None:
        """Takes the next number, the next whole one if need be."""
        for index, number in enumerate(self.numbers):
            if not whole or number.is_integer():
                return self.numbers.pop(index)
        return None

    def quotation(self) -> str | None:
        """Takes the next quoted text; the last one stays."""
        if len(self.quotations) > 1:
            return self.quotations.pop(0)
        return self.quotations[0] if self.quotations else None

    def first(self, pattern: re.Pattern[str]) -> str | None:
        """Finds the first match in the prompt."""
        match = pattern.search(self.text)
        return match[0] if match else None


def gathered(text: str, start: int = 0) -> Clues:
    """Gathers the clues of a prompt; those after `start` come first."""
    bare = DAY.sub(lambda day: " " * len(day[0]), text)
    return Clues(
        text,
        [float(match[0].replace(",", "")) for match in _rotated(NUMBER, bare, start)],
        [next(part for part in match.groups() if part) for match in _rotated(QUOTED, text, start)],
        [match[1] for match in _rotated(PLACE, text, start)],
    )


def stems(text: str) -> set[str]:
    """Cuts a text into words without their endings, so that `adder` and `add` are one."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", text)
    return {stem(word) for word in WORD.findall(spaced.lower())}


def stem(word: str) -> str:
    """Cuts off an ending, where enough of the word is left."""
    short = STEM.sub("", word)
    return short if len(short) >= SHORTEST_STEM else word


def _rotated(pattern: re.Pattern[str], text: str, start: int) -> list[re.Match[str]]:
    matches = list(pattern.finditer(text))
    after = [match for match in matches if match.start() >= start]
    return after + [match for match in matches if match.start() < start]


@dataclass(frozen=True, slots=True)
class Conversation:
    """The messages, read once."""

    prompt: str
    instructions: str
    results: tuple[str, ...]
    called: frozenset[str]
    pictures: tuple[Seen, ...]
    files: int
    length: int
    findings: tuple[str, ...] = ()


def read_conversation(messages: list[Json]) -> Conversation:
    """Reads the messages; `results` are those of tools that nobody has spoken after."""
    users = [message for message in messages if message["role"] == "user"]
    parts = [part for message in messages for part in _parts(message.get("content"))]
    return Conversation(
        prompt=text_of(users[-1].get("content")) if users else "",
        instructions="\n".join(
            text_of(message.get("content")) for message in messages if message["role"] == "system"
        ),
        results=_results(messages),
        called=_called(messages),
        pictures=tuple(seen(part["image_url"]) for part in parts if part["type"] == "image_url"),
        files=sum(part["type"] in {"file", "text_file"} for part in parts),
        length=len(messages),
    )


def text_of(content: Any) -> str:
    """Joins the texts of a content, whichever form it has."""
    return "\n".join(part.get("text") or "" for part in _parts(content) if "text" in part)


def _parts(content: Any) -> list[Json]:
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}] if content else []


def _results(messages: list[Json]) -> tuple[str, ...]:
    found: list[str] = []
    for message in reversed(messages):
        if message["role"] not in {"tool", "function"}:
            break
        found.append(text_of(message.get("content")))
    return tuple(reversed(found))


def _called(messages: list[Json]) -> frozenset[str]:
    """Names of the tools that were called since a user spoke last."""
    found: set[str] = set()
    for message in reversed(messages):
        if message["role"] == "user":
            break
        found.update(call["function"]["name"] for call in message.get("tool_calls") or ())
    return frozenset(found)
