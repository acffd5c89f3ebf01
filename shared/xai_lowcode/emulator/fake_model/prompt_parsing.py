"""Parse a conversation, and extract values such as numbers and quotations from a prompt."""

import re
from dataclasses import dataclass, field
from typing import Any

from xai_lowcode.emulator.fake_model.image_input import ImageInfo, inspect_image
from xai_lowcode.emulator.json_values import Json

NUMBER = re.compile(r"(?<![\w.])-?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?")
# By the closing mark. An opening mark is searched only in a text that has the closing one, because
# each of many opening marks would otherwise be searched to the end of its line.
QUOTATIONS = {
    "'": r"(?<!\w)'([^'\n]+)'(?!\w)",
    '"': r"\"([^\"\n]+)\"",
    "\u201d": r"\u201c([^\u201d\n]+)\u201d",
    "\u2019": r"\u2018([^\u2019\n]+)\u2019",
    "»": r"«([^»\n]+)»",
    "」": r"「([^」\n]+)」",
    "`": r"`([^`\n]+)`",
}
DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
DATE_TIME = re.compile(r"\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:Z|[+-]\d{2}:\d{2})")
EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*\w")
URL = re.compile(r"https?://[^\s\"'<>]+[^\s\"'<>.,;!?]")
PLACE = re.compile(
    r"\b(?:in|at|for|of|from|to|near)\s+((?:[A-Z][\w\u2019-]*)(?:,? [A-Z][\w\u2019-]*)*)"
)
CAPITALIZED = re.compile(r"\b[A-Z\u00c0-\u00de][\w\u2019-]+(?: [A-Z\u00c0-\u00de][\w\u2019-]+)*")
SENTENCE_START = re.compile(r"(?:^|[.!?:\n])\W*$")
# After these, the first word of a sentence is its subject, and no imperative.
VERB = re.compile(r" (?:is|was|are|were|has|had|and|lives|lived|works|worked|wrote)\b|,")
WORD = re.compile(r"[^\W_]+")
SUFFIX = re.compile(r"(?:ing|ers?|ors?|ed|es|s)$")
MIN_STEM_LENGTH = 3
MAX_SEARCHED = 10_000
MAX_DIGITS = 100


@dataclass
class PromptHints:
    """Values in a prompt for the fields of a schema; each is used once while there are others."""

    text: str
    numbers: list[float] = field(default_factory=list)
    quotations: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def mentions(self, phrase: str) -> bool:
        """Return True if the prompt has a phrase, in any case."""
        pattern = rf"(?<!\w){re.escape(phrase)}(?!\w)"
        fits = len(phrase) <= len(self.text)
        return fits and re.search(pattern, self.text, re.IGNORECASE) is not None

    def denies(self, name: str) -> bool:
        """Return True if the prompt says `no` or `without` before the name of a field."""
        if not 0 < len(name) <= len(self.text):
            return False
        words = re.escape(name.replace("_", " "))
        pattern = rf"\b(?:no|without|omit|skip)\b(?: an?| any| the)? {words}"
        return re.search(pattern, self.text, re.IGNORECASE) is not None

    def take_number(self, *, integer: bool) -> float | None:
        """Remove and return the next number, or the next integer."""
        for index, number in enumerate(self.numbers):
            if not integer or number.is_integer():
                return self.numbers.pop(index)
        return None

    def find(self, pattern: re.Pattern[str]) -> str | None:
        """Return the first match in the prompt."""
        match = pattern.search(self.text)
        return match[0] if match else None


def take_next(values: list[str]) -> str | None:
    """Return the first value, and remove it unless it is the only one."""
    if len(values) > 1:
        return values.pop(0)
    return values[0] if values else None


def extract_hints(text: str, start: int = 0) -> PromptHints:
    """Extract the hints of a prompt; those after the index `start` come first.

    The patterns take time that grows with the square of the length, so that a long text is cut.
    """
    text = text[:MAX_SEARCHED]

    def find_all(pattern: re.Pattern[str], text: str) -> list[re.Match[str]]:
        return sorted(pattern.finditer(text), key=lambda match: match.start() < start)

    without_dates = DATE.sub(lambda date: " " * len(date[0]), text)
    return PromptHints(
        text,
        [
            float(match[0].replace(",", ""))
            for match in find_all(NUMBER, without_dates)
            if len(match[0]) <= MAX_DIGITS
        ],
        [
            next(part for part in match.groups() if part)
            for match in find_all(_quotation_pattern(text), text)
        ],
        [match[1] for match in find_all(PLACE, text)],
        [name for match in find_all(CAPITALIZED, text) if (name := _proper_noun(match))],
    )


def _quotation_pattern(text: str) -> re.Pattern[str]:
    """Return the pattern of the quotations that a text can have; without one, it never matches."""
    kinds = [pattern for mark, pattern in QUOTATIONS.items() if mark in text]
    return re.compile("|".join(kinds) or r"(?!)")


def _proper_noun(match: re.Match[str]) -> str:
    """Return capitalized words without an imperative or article that begins the sentence."""
    before = match.string[max(match.start() - 3, 0) : match.start()]
    if not SENTENCE_START.search(before) or VERB.match(match.string, match.end()):
        return match[0]
    return match[0].partition(" ")[2]


def word_stems(text: str) -> set[str]:
    """Split a string into words without their suffixes, so that `adder` and `add` are equal."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", text)
    return {_stem(word) for word in WORD.findall(spaced.lower())}


def _stem(word: str) -> str:
    stem = SUFFIX.sub("", word)
    return stem if len(stem) >= MIN_STEM_LENGTH else word


@dataclass(frozen=True, slots=True)
class Conversation:
    """The facts of a conversation that the fake model uses.

    Attributes:
        prompt: The last user message.
        earlier: The user messages before it.
        instructions: The system messages.
        tool_results: The tool messages at the end.
        called_tools: The names of the functions called since the last user message.
        images: The images of all messages.
        file_count: The number of files of all messages.
        message_count: The number of messages.
        findings: Sentences that server-side tools contribute to the response.
    """

    prompt: str
    earlier: str
    instructions: str
    tool_results: tuple[str, ...]
    called_tools: frozenset[str]
    images: tuple[ImageInfo, ...]
    file_count: int
    message_count: int
    findings: tuple[str, ...] = ()


def parse_conversation(messages: list[Json]) -> Conversation:
    """Parse the messages of a chat request."""
    users = [index for index, message in enumerate(messages) if message["role"] == "user"]
    parts = [part for message in messages for part in _parts(message.get("content"))]
    last_user = users[-1] if users else -1
    results = []
    for message in reversed(messages):
        if message["role"] not in {"tool", "function"}:
            break
        results.append(join_text(message.get("content")))
    return Conversation(
        prompt=join_text(messages[last_user].get("content")) if users else "",
        earlier="\n".join(join_text(messages[index].get("content")) for index in users[:-1]),
        instructions="\n".join(
            join_text(message.get("content")) for message in messages if message["role"] == "system"
        ),
        tool_results=tuple(reversed(results)),
        called_tools=frozenset(
            call["function"]["name"]
            for message in messages[last_user + 1 :]
            for call in message.get("tool_calls") or ()
        ),
        images=tuple(
            inspect_image(part["image_url"]) for part in parts if part["type"] == "image_url"
        ),
        file_count=sum(part["type"] in {"file", "text_file"} for part in parts),
        message_count=len(messages),
    )


def join_text(content: Any) -> str:
    """Join the text parts of a message content, which can be a string, a list or None."""
    return "\n".join(part.get("text") or "" for part in _parts(content) if "text" in part)


def _parts(content: Any) -> list[Json]:
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}] if content else []
