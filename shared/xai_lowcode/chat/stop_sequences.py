"""Stop strings, enforced on our side, since reasoning models refuse them.

The text is cut before the first stop string and the rest of the stream is not read. Reasoning and
tool arguments are never searched.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from xai_lowcode.errors import XAILowCodeError
from xai_lowcode.types.events import ChoiceFinished, StreamEvent, TextDelta, ToolCallDelta
from xai_lowcode.types.messages import TextPart
from xai_lowcode.types.responses import ChatResponse, Choice


class TextStopFilter:
    """Passes text on until a stop string, holding back only what may still become one.

    Example:
        >>> cutter = TextCutter(["END"])
        >>> [cutter.feed(piece) for piece in ("one E", "ast, two EN", "D three")]
        ['one ', 'East, two ', '']
        >>> cutter.stopped
        True
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._longest = max(map(len, stops))
        self._held = ""
        self.stopped = False

    def feed(self, text: str) -> str:
        """Takes more text, returns what may be shown."""
        if self.stopped:
            return ""
        text = self._held + text
        cut = find_stop(text, self._stops)
        if cut is not None:
            self.stopped, self._held = True, ""
            return text[:cut]
        keep = len(text) - self._doubtful(text)
        self._held = text[keep:]
        return text[:keep]

    def flush(self) -> str:
        """Returns what was held back; no more text will come."""
        held, self._held = self._held, ""
        return held

    def _doubtful(self, text: str) -> int:
        """Length of the longest ending that is the beginning of a stop string."""
        for length in range(min(self._longest - 1, len(text)), 0, -1):
            if any(stop.startswith(text[-length:]) for stop in self._stops):
                return length
        return 0


def find_stop(text: str, stops: Sequence[str]) -> int | None:
    """Where the stop string begins that is complete first; None if there is none.

    The one complete first, not the one beginning first: that is where a service stops writing, and
    a stream, which cannot look ahead, is cut at the same place as the whole text.
    """
    places = [(place + len(stop), place) for stop in stops if (place := text.find(stop)) >= 0]
    return min(places)[1] if places else None


class StopSequenceFilter:
    """Applies stop strings to the events of a stream, for each answer apart."""

    def __init__(self, stops: Sequence[str], answers: int = 1) -> None:
        self._stops = stops
        self._answers = answers
        self._cutters: dict[int, TextStopFilter] = {}

    @property
    def finished(self) -> bool:
        """Whether every answer has been stopped, so that nothing more need be read."""
        stopped = sum(cutter.stopped for cutter in self._cutters.values())
        return stopped == self._answers

    def cut(self, events: Iterable[StreamEvent]) -> Iterator[StreamEvent]:
        """Passes events on, as far as they are to be seen.

        Of what comes after the end, only facts such as the usage are; that it breaks is none.
        """
        try:
            for event in events:
                yield from self._seen(event)
        except XAILowCodeError:
            if not self.finished:
                raise

    def _seen(self, event: StreamEvent) -> Iterable[StreamEvent]:
        match event:
            case TextDelta():
                return self._cut_text(event)
            case ToolCallDelta() | ChoiceFinished():
                return self._flush(event)
            case _:
                return (event,)

    def _cut_text(self, event: TextDelta) -> Iterator[StreamEvent]:
        cutter = self._cutters.get(event.choice)
        if cutter is None:
            cutter = self._cutters[event.choice] = TextStopFilter(self._stops)
        if cutter.stopped:
            return
        text = cutter.feed(event.text)
        if text or event.logprobs:
            yield replace(event, text=text)
        if cutter.stopped:
            yield ChoiceFinished("stop", event.choice, event.raw)

    def _flush(self, event: ToolCallDelta | ChoiceFinished) -> Iterator[StreamEvent]:
        cutter = self._cutters.get(event.choice)
        if cutter is not None:
            if cutter.stopped:
                return
            if held := cutter.flush():
                yield TextDelta(held, event.choice, raw=event.raw)
        yield event


def truncate_response(reply: ChatResponse, stops: Sequence[str]) -> ChatResponse:
    """Applies stop strings to a reply that came in one piece."""
    return replace(
        reply, choices=tuple(_truncate_choice(choice, stops) for choice in reply.choices)
    )


def _truncate_choice(choice: Choice, stops: Sequence[str]) -> Choice:
    cut = find_stop(choice.text, stops)
    if cut is None:
        return choice
    kept = choice.text[:cut]
    parts = [part for part in choice.parts if not isinstance(part, TextPart)]
    thoughts = [part for part in parts if part not in choice.tool_calls]
    return replace(
        choice,
        # What the model wrote after the stop string, its calls included, was not to be.
        parts=(*thoughts, *((TextPart(kept),) if kept else ())),
        finish_reason="stop",
        # Items sent back verbatim would bring the rest of the text with them.
        items=(),
        dialect="",
    )
