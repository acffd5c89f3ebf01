"""What a model notices in the messages: who spoke last, what was asked, shown and found out."""

from dataclasses import dataclass
from typing import Any

from xai_lowcode.emulator.answers import Json
from xai_lowcode.emulator.chat.pictures import Seen, seen


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
