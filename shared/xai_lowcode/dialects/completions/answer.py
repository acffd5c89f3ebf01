"""The answers of ``/v1/completions``, whole and in pieces, as our reply and events."""

from collections.abc import Iterable, Mapping
from typing import Any

from xai_lowcode.conversation import TextPart
from xai_lowcode.dialects import UNKNOWN
from xai_lowcode.dialects.bodies import index_of, read_facts, read_usage
from xai_lowcode.errors import UnreadableAnswerError
from xai_lowcode.events import Began, Finished, StreamEvent, TextDelta, Used
from xai_lowcode.members import objects_of, text_of
from xai_lowcode.reply import Choice, Reply, finish_reason


def read_reply(body: dict[str, Any]) -> Reply:
    """A plain answer.

    Raises:
        UnreadableAnswerError: It is no such answer.
    """
    choices = objects_of(body, "choices")
    if not choices:
        raise UnreadableAnswerError("The answer holds no choices.", body=body)
    return Reply(
        choices=tuple(_read_choice(choice) for choice in sorted(choices, key=index_of)),
        usage=read_usage(body.get("usage")),
        raw=body,
        api="completions",
        **read_facts(body),
    )


def is_complete(body: Mapping[str, Any]) -> bool:
    """Whether every choice has its finish reason."""
    return all(choice.get("finish_reason") for choice in objects_of(body, "choices"))


def _read_choice(choice: Mapping[str, Any]) -> Choice:
    text = text_of(choice, "text")
    return Choice((TextPart(text),) if text else (), _finish(choice.get("finish_reason")))


def _finish(said: Any) -> str:
    return finish_reason(said, has_calls=False)


# Fields of a chunk, of which it has at least one.
_KNOWN = frozenset({"choices", "usage"})


class CompletionsDecoder:
    """Turns chunks into events."""

    ended = False

    def __init__(self) -> None:
        self._began = False
        self._seen: set[int] = set()
        self._finished: set[int] = set()
        self._usage: Used | None = None

    def feed(self, chunk: dict[str, Any]) -> Iterable[StreamEvent]:
        """Events of the next chunk."""
        if not chunk.get("choices") and (_KNOWN.isdisjoint(chunk) or chunk.get("type") == "error"):
            return UNKNOWN
        return self._read(chunk)

    def _read(self, chunk: dict[str, Any]) -> Iterable[StreamEvent]:
        if not self._began:
            self._began = True
            yield Began(**read_facts(chunk), raw=chunk)
        for choice in objects_of(chunk, "choices"):
            index = index_of(choice)
            self._seen.add(index)
            if text := text_of(choice, "text"):
                yield TextDelta(text, index, raw=chunk)
            if said := choice.get("finish_reason"):
                self._finished.add(index)
                yield Finished(_finish(said), index, chunk)
        if usage := read_usage(chunk.get("usage")):
            # It may come with every chunk, as a running sum: the last one counts.
            self._usage = Used(usage, chunk)

    def done(self) -> Iterable[StreamEvent]:
        """The usage."""
        if self._usage is not None:
            yield self._usage

    @property
    def complete(self) -> bool:
        """Whether every choice that was seen has its finish reason."""
        return bool(self._seen) and self._seen == self._finished
