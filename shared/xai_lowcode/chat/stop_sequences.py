"""Enforce stop sequences client-side, since reasoning models reject them.

The text is truncated before the first stop sequence, and the rest of a stream is not read.
Citations whose marker is in the rest of the text are left out.
Reasoning and tool arguments are not searched.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from xai_lowcode.errors import XAILowCodeError
from xai_lowcode.types.events import (
    ChoiceFinished,
    CitationAdded,
    OutputItemDone,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
)
from xai_lowcode.types.messages import TextPart, ToolCallPart
from xai_lowcode.types.responses import ChatResponse, Choice


class TextStopFilter:
    """Passes text on up to a stop sequence, buffering only what may become one.

    Args:
        stops: The stop sequences.

    Attributes:
        stopped: Whether a stop sequence was found.
        length: Length of the text that was passed on.

    Example:
        >>> text_filter = TextStopFilter(["END"])
        >>> [text_filter.feed(delta) for delta in ("one E", "ast, two EN", "D three")]
        ['one ', 'East, two ', '']
        >>> text_filter.stopped
        True
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._max_length = max(map(len, stops))
        self._buffer = ""
        self.stopped = False
        self.length = 0

    def feed(self, text: str) -> str:
        """Add text and return what can be passed on."""
        if self.stopped:
            return ""
        text = self._buffer + text
        stop_index = find_stop(text, self._stops)
        if stop_index is not None:
            self.stopped, self._buffer = True, ""
            self.length += stop_index
            return text[:stop_index]
        safe_length = len(text) - self._partial_match_length(text)
        self._buffer = text[safe_length:]
        self.length += safe_length
        return text[:safe_length]

    def flush(self) -> str:
        """Return the buffered text, at the end of the text."""
        buffered, self._buffer = self._buffer, ""
        self.length += len(buffered)
        return buffered

    def _partial_match_length(self, text: str) -> int:
        """Return the length of the longest suffix of the text that is a prefix of a stop."""
        for length in range(min(self._max_length - 1, len(text)), 0, -1):
            if any(stop.startswith(text[-length:]) for stop in self._stops):
                return length
        return 0


def find_stop(text: str, stops: Sequence[str]) -> int | None:
    """Return the start index of the stop sequence that ends first; None if there is none.

    The end counts, not the start: there a service stops generating, and a stream, which is filtered
    without lookahead, is truncated at the same index as the whole text.
    """
    matches = [(start + len(stop), start) for stop in stops if (start := text.find(stop)) >= 0]
    return min(matches)[1] if matches else None


class StopSequenceFilter:
    """Applies stop sequences to the events of a stream, to each choice separately.

    Args:
        stops: The stop sequences.
        choices: Number of requested choices.
    """

    def __init__(self, stops: Sequence[str], choices: int = 1) -> None:
        self._stops = stops
        self._choices = choices
        self._text_filters: dict[int, TextStopFilter] = {}
        # Citations with a position in text that was not passed on yet.
        self._citations: list[CitationAdded] = []
        # Items, which hold the whole text: passed on if the choice ends without a stop sequence.
        self._items: dict[int, list[OutputItemDone]] = {}

    @property
    def finished(self) -> bool:
        """Whether every choice was stopped, so that the rest need not be read."""
        stopped = sum(text_filter.stopped for text_filter in self._text_filters.values())
        return stopped == self._choices

    def apply(self, events: Iterable[StreamEvent]) -> Iterator[StreamEvent]:
        """Yield the events without text, tool calls and finish reasons after a stop sequence.

        A choice that is stopped has no output items: they would hold the rest of its text.

        Other events, such as the usage, are passed on. Errors are ignored once every choice was
        stopped.
        """
        try:
            for event in events:
                yield from self._filter_event(event)
        except XAILowCodeError:
            if not self.finished:
                raise

    def _filter_event(self, event: StreamEvent) -> Iterable[StreamEvent]:
        match event:
            case TextDelta():
                return self._filter_text(event)
            case ToolCallDelta() | ChoiceFinished():
                return self._flush_before(event)
            case OutputItemDone():
                self._items.setdefault(event.choice, []).append(event)
                return ()
            case CitationAdded():
                self._citations.append(event)
                return self._release_citations()
            case _:
                return (event,)

    def _filter_text(self, event: TextDelta) -> Iterator[StreamEvent]:
        text_filter = self._text_filters.get(event.choice)
        if text_filter is None:
            text_filter = self._text_filters[event.choice] = TextStopFilter(self._stops)
        if text_filter.stopped:
            return
        text = text_filter.feed(event.text)
        if text or event.logprobs:
            yield replace(event, text=text)
        if self._citations:
            yield from self._release_citations()
        if text_filter.stopped:
            yield ChoiceFinished("stop", event.choice, event.raw)

    def _flush_before(self, event: ToolCallDelta | ChoiceFinished) -> Iterator[StreamEvent]:
        text_filter = self._text_filters.get(event.choice)
        if text_filter is not None:
            if text_filter.stopped:
                return
            if buffered := text_filter.flush():
                yield TextDelta(buffered, event.choice, raw=event.raw)
            yield from self._release_citations()
        if isinstance(event, ChoiceFinished):
            yield from self._items.pop(event.choice, ())
        yield event

    def _release_citations(self) -> list[StreamEvent]:
        """Return the citations whose position is in the text that was passed on.

        Only Responses reports positions, and has one choice.
        """
        text_filter = self._text_filters.get(0)
        length = text_filter.length if text_filter else 0
        held, self._citations = self._citations, []
        released: list[StreamEvent] = []
        for event in held:
            if event.citation.is_within(length):
                released.append(event)
            else:
                self._citations.append(event)
        return released


def truncate_response(response: ChatResponse, stops: Sequence[str]) -> ChatResponse:
    """Apply stop sequences to a response that was not streamed."""
    choices = tuple(_truncate_choice(choice, stops) for choice in response.choices)
    if choices == response.choices:
        return response
    length = len(choices[0].text)
    citations = tuple(c for c in response.citations if c.is_within(length))
    return replace(response, choices=choices, citations=citations)


def _truncate_choice(choice: Choice, stops: Sequence[str]) -> Choice:
    stop_index = find_stop(choice.text, stops)
    if stop_index is None:
        return choice
    text = choice.text[:stop_index]
    # Tool calls follow the text, hence the stop sequence.
    other_parts = [part for part in choice.parts if not isinstance(part, TextPart | ToolCallPart)]
    return replace(
        choice,
        parts=(*other_parts, *((TextPart(text),) if text else ())),
        finish_reason="stop",
        # Items that are sent back unchanged would contain the rest of the text.
        items=(),
        dialect="",
    )
