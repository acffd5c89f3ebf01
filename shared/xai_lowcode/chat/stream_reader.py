"""Read a stream's bytes as events, whatever the stream turned out to be.

A gateway may pass a stream on live, buffer it into one block, wrap each chunk, put the whole text
as a string into JSON, or answer with one plain JSON object; and an error may come at any point. A
stream is whole with a finish reason for every choice, or with the terminal event of its API.
Anything else raises: a cut response is never passed off as a whole one.
"""

from collections.abc import Iterable, Sequence
from itertools import chain, takewhile
from typing import Any

from xai_lowcode._internal import json
from xai_lowcode.chat.accumulator import response_to_events
from xai_lowcode.chat.dialects.base import UNKNOWN, Dialect
from xai_lowcode.chat.dialects.common import interrupted_error
from xai_lowcode.chat.stop_sequences import StopSequenceFilter
from xai_lowcode.errors import (
    APIStatusError,
    InvalidResponseError,
    StreamInterruptedError,
    XAILowCodeError,
)
from xai_lowcode.protocol.envelope import unwrap, unwrap_chunk
from xai_lowcode.protocol.error_mapping import (
    MAX_TEXT,
    error_from_event,
    error_from_response,
    parse_error,
    to_plain_text,
    unparsable_response_error,
)
from xai_lowcode.protocol.sse import ERROR_EVENT_PREFIX, SSEDecoder
from xai_lowcode.redaction import bounded, excerpt
from xai_lowcode.types.events import ChoiceFinished, ResponseStarted, StreamEvent, UsageReported
from xai_lowcode.types.responses import ChatResponse

_DONE = b"[DONE]"
_NO_JSON = object()
_BEGINS_JSON = (b"{", b"[", b'"')
_BEGINS_SSE = (b"data:", b"event:", b"id:", b"retry:", b":")
_LONGEST_REASON = 200

# Fields with which a chunk of an unknown kind may report an error, or say why the stream ends.
_TELLING = frozenset(
    {"code", "detail", "errors", "message", "status", "statusCode", "status_code", "title"}
)


class StreamReader:
    """Reads one stream.

    Events without content (the response has begun, usage) are held back until the first one with
    content, so that a stream which fails before may be requested again without its consumer seeing
    a response begin twice.

    Args:
        dialect: The API that was asked.
        token: The token in use, blanked wherever an error quotes it.
        stops: Stop strings to enforce.
        choices: Number of requested choices.

    Attributes:
        response_started: Whether content was received; of a whole response, its finish at least.
    """

    def __init__(
        self, dialect: Dialect, *, token: str = "", stops: Sequence[str] = (), choices: int = 1
    ) -> None:
        self._dialect = dialect
        self._decoder = dialect.decoder()
        self._token = token
        self._sse_decoder = SSEDecoder()
        self._stop = StopSequenceFilter(stops, choices) if stops else None
        self._document: list[bytes] | None = None
        self._any = self._done = self.response_started = False
        self._head = b""
        self._held: list[StreamEvent] = []
        self._unknown: Any = None

    @property
    def finished(self) -> bool:
        """Whether nothing more need be read."""
        return self._done or self.stopped

    @property
    def stopped(self) -> bool:
        """Whether it was truncated at a stop string, before its end was received."""
        return not self._done and self._stop is not None and self._stop.finished

    def failed_before_content(self, error: BaseException) -> bool:
        """Whether an error is one that the stream itself reported, before any content."""
        return isinstance(error, APIStatusError) and bool(self._head) and not self.response_started

    def feed(self, piece: bytes) -> Iterable[StreamEvent]:
        """Return the events of the next bytes."""
        if not self.response_started:
            return self._feed_first(piece)
        data = self._sse_decoder.feed(piece)
        if not data:
            return ()
        events = self._decode(data)
        return events if self._stop is None else self._stop.cut(events)

    def close(self) -> Iterable[StreamEvent]:
        """Return the events that the end of the bytes brings.

        Raises:
            StreamInterruptedError: The stream was not whole.
        """
        if self._done:
            return ()
        if self._document is not None:
            return self._first(self._read_document(b"".join(self._document)))
        return self._first(self._end())

    def _feed_first(self, piece: bytes) -> Iterable[StreamEvent]:
        """Take bytes while no content has come: they show what kind of stream it is."""
        if not self._any:
            seen, self._head = self._head, (self._head + piece[:MAX_TEXT]).lstrip()
            self._head = self._head[: 2 * MAX_TEXT]
            if self._head and not seen:
                self._document = [] if self._head.startswith(_BEGINS_JSON) else None
        if self._document is not None:
            self._document.append(piece)
            return ()
        data = self._sse_decoder.feed(piece)
        return self._first(self._decode(data)) if data else ()

    def _first(self, events: Iterable[StreamEvent]) -> Iterable[StreamEvent]:
        if not self.response_started:
            events = self._from_content(events)
        return events if self._stop is None else self._stop.cut(events)

    def _from_content(self, events: Iterable[StreamEvent]) -> Iterable[StreamEvent]:
        """Hold events back until one has content; what follows is passed on as it comes."""
        rest = iter(events)
        for event in rest:
            self._held.append(event)
            if not isinstance(event, ResponseStarted | UsageReported):
                self.response_started = True
                return chain(self._held, rest)
        return ()

    def _end(self) -> Iterable[StreamEvent]:
        left = self._sse_decoder.close()
        if any(map(_is_truncated, left)):
            raise self._interrupted()
        yield from self._decode(left)
        if self._done:
            return
        if not self._any and not self._head.startswith(_BEGINS_SSE):
            raise unparsable_response_error(self._head.decode("utf-8", "replace"), {}, self._token)
        yield from self._completed()

    def _completed(self) -> Iterable[StreamEvent]:
        if not self._decoder.complete:
            raise self._interrupted()
        self._done = True
        return self._decoder.done()

    def _decode(self, data: Iterable[bytes]) -> Iterable[StreamEvent]:
        if self._done:
            return
        decoder = self._decoder
        for text in data:
            if text == _DONE:
                yield from self._completed()
                return
            if text:
                yield from self._read_chunk(text)
                if decoder.ended:
                    self._done = True
                    return

    def _read_chunk(self, text: bytes) -> Iterable[StreamEvent]:
        chunk = _parse_json(text)
        if chunk is _NO_JSON:
            raise self._not_json(text)
        self._any = True
        chunk = unwrap_chunk(chunk)
        if not isinstance(chunk, dict):
            self._unknown = self._unknown if chunk is None else chunk
            return ()
        if chunk.get("error"):
            raise error_from_event(chunk, self._token)
        events = self._decoder.feed(chunk)
        return self._read_unknown(chunk) if events is UNKNOWN else events

    def _read_unknown(self, chunk: dict[str, Any]) -> Iterable[StreamEvent]:
        """Ignore a chunk of an unknown kind, unless it reports an error.

        Kinds that come to exist have a type, and are of interest only for what they may report.
        """
        if "type" not in chunk or chunk["type"] == "error" or not _TELLING.isdisjoint(chunk):
            self._unknown = chunk
            if error := error_from_response(200, chunk, {}, self._token):
                raise error
        return ()

    def _not_json(self, text: bytes) -> XAILowCodeError:
        """Make the error for an event that is named ``error``, or for a chunk that is not JSON."""
        body = text.decode("utf-8", "replace")
        if not text.startswith(ERROR_EVENT_PREFIX):
            message = f"A chunk of the stream is not JSON: {self._shortened(body)}"
            return InvalidResponseError(message, body=body).redact_token(self._token)
        data = text.removeprefix(ERROR_EVENT_PREFIX).removeprefix(b"\n")
        document = _parse_json(data)
        if document is _NO_JSON:
            document = data.decode("utf-8", "replace")
        return error_from_event(unwrap_chunk(document), self._token)

    def _read_document(self, content: bytes) -> Iterable[StreamEvent]:
        self._done = True
        document = _parse_json(content)
        if document is _NO_JSON:
            raise unparsable_response_error(content.decode("utf-8", "replace"), {}, self._token)
        if error := error_from_response(200, document, {}, self._token):
            raise error
        body = unwrap(document).body
        if isinstance(body, str):
            self._done = False
            yield from self._decode(self._sse_decoder.feed(body.encode("utf-8", "surrogatepass")))
            if not self._done:
                yield from self._end()
            return
        events = response_to_events(self._parse(body))
        if not self._dialect.is_complete(body):
            yield from takewhile(lambda event: not isinstance(event, ChoiceFinished), events)
            raise self._interrupted()
        yield from events

    def _parse(self, body: Any) -> ChatResponse:
        try:
            return self._dialect.parse(self._dialect.endpoint.parse(body))
        except InvalidResponseError as error:
            error.redact_token(self._token)
            raise

    def _interrupted(self) -> StreamInterruptedError:
        """Make the error for a stream that is not whole, with what an unknown chunk said of it."""
        if self._unknown is None:
            return interrupted_error()
        reason = parse_error(200, self._unknown).text
        if not reason:
            reason = json.dumps(bounded(self._unknown, self._token)).decode()
        return interrupted_error(
            "The stream ended before its terminal event. An unknown event in it reports:"
            f" {self._shortened(reason)}"
        )

    def _shortened(self, text: str) -> str:
        return excerpt(to_plain_text(text, self._token), self._token, limit=_LONGEST_REASON)


def _is_truncated(text: bytes) -> bool:
    """Whether the last data of a stream is the beginning of a chunk."""
    is_whole = text in {b"", _DONE} or text.startswith(ERROR_EVENT_PREFIX)
    return not is_whole and _parse_json(text) is _NO_JSON


def _parse_json(content: bytes) -> Any:
    # The decoder's own error holds the whole text, so none of ours may be raised beside it.
    try:
        return json.loads(content)
    except json.JSONDecodeError:
        return _NO_JSON
