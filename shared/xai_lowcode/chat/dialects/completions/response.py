"""The answers of ``/v1/completions``, whole and in pieces, as our reply and events."""

from collections.abc import Iterable, Mapping
from typing import Any

from xai_lowcode._internal.parsing import get_dicts, get_str
from xai_lowcode.chat.dialects.base import UNKNOWN
from xai_lowcode.chat.dialects.common import get_index, parse_metadata, parse_usage
from xai_lowcode.errors import InvalidResponseError
from xai_lowcode.types.events import (
    ChoiceFinished,
    ResponseStarted,
    StreamEvent,
    TextDelta,
    UsageReported,
)
from xai_lowcode.types.messages import TextPart
from xai_lowcode.types.responses import ChatResponse, Choice, normalize_finish_reason


def read_reply(body: dict[str, Any]) -> ChatResponse:
    """A plain answer.

    Raises:
        InvalidResponseError: It is no such answer.
    """
    choices = get_dicts(body, "choices")
    if not choices:
        raise InvalidResponseError("The answer holds no choices.", body=body)
    return ChatResponse(
        choices=tuple(_read_choice(choice) for choice in sorted(choices, key=get_index)),
        usage=parse_usage(body.get("usage")),
        raw=body,
        api="completions",
        **parse_metadata(body),
    )


def is_complete(body: Mapping[str, Any]) -> bool:
    """Whether every choice has its finish reason."""
    return all(choice.get("finish_reason") for choice in get_dicts(body, "choices"))


def _read_choice(choice: Mapping[str, Any]) -> Choice:
    text = get_str(choice, "text")
    return Choice((TextPart(text),) if text else (), _finish(choice.get("finish_reason")))


def _finish(said: Any) -> str:
    return normalize_finish_reason(said, has_calls=False)


# Fields of a chunk, of which it has at least one.
_KNOWN = frozenset({"choices", "usage"})


class CompletionsDecoder:
    """Turns chunks into events."""

    ended = False

    def __init__(self) -> None:
        self._began = False
        self._seen: set[int] = set()
        self._finished: set[int] = set()
        self._usage: UsageReported | None = None

    def feed(self, chunk: dict[str, Any]) -> Iterable[StreamEvent]:
        """Events of the next chunk."""
        if not chunk.get("choices") and (_KNOWN.isdisjoint(chunk) or chunk.get("type") == "error"):
            return UNKNOWN
        return self._read(chunk)

    def _read(self, chunk: dict[str, Any]) -> Iterable[StreamEvent]:
        if not self._began:
            self._began = True
            yield ResponseStarted(**parse_metadata(chunk), raw=chunk)
        for choice in get_dicts(chunk, "choices"):
            index = get_index(choice)
            self._seen.add(index)
            if text := get_str(choice, "text"):
                yield TextDelta(text, index, raw=chunk)
            if said := choice.get("finish_reason"):
                self._finished.add(index)
                yield ChoiceFinished(_finish(said), index, chunk)
        if usage := parse_usage(chunk.get("usage")):
            # It may come with every chunk, as a running sum: the last one counts.
            self._usage = UsageReported(usage, chunk)

    def done(self) -> Iterable[StreamEvent]:
        """The usage."""
        if self._usage is not None:
            yield self._usage

    @property
    def complete(self) -> bool:
        """Whether every choice that was seen has its finish reason."""
        return bool(self._seen) and self._seen == self._finished
