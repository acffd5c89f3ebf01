"""Decode a streaming response: SSE, buffered SSE, SSE inside JSON, or a plain JSON body.

Gateways forward a stream, buffer it, wrap each chunk, put the whole stream into a JSON string, or
return one JSON object; an error can be reported at any point. A stream is complete with a finish
reason for every choice or with the terminal event of its API; otherwise an error is raised.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain, takewhile
from typing import Any

from xai_lowcode._internal import json
from xai_lowcode.chat.accumulator import response_to_events
from xai_lowcode.chat.dialect_selection import detect_dialect
from xai_lowcode.chat.dialects.base import UNKNOWN, Dialect
from xai_lowcode.chat.dialects.common import interrupted_error
from xai_lowcode.chat.stop_sequences import StopSequenceFilter
from xai_lowcode.chat.surrogates import SurrogateJoiner
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
from xai_lowcode.types.events import (
    ChoiceFinished,
    ResponseCompleted,
    ResponseStarted,
    StreamEvent,
    ToolCallDelta,
    UsageReported,
)
from xai_lowcode.types.responses import ChatResponse

_DONE = b"[DONE]"
_INVALID_JSON = object()
_JSON_PREFIXES = (b"{", b"[", b'"')
_SSE_PREFIXES = (b"data:", b"event:", b"id:", b"retry:", b":")
_MAX_REASON_LENGTH = 200

# Keys with which a chunk of an unknown type may report an error.
_ERROR_KEYS = frozenset(
    {"code", "detail", "errors", "message", "status", "statusCode", "status_code", "title"}
)


class StreamReader:
    """Decodes the bytes of one stream into events.

    Events without content (response started, usage) are buffered until the first event with
    content, so that a stream that fails earlier can be requested again without a second
    ``ResponseStarted`` for the caller.

    Args:
        dialect: The API of the request.
        token: The token, which is redacted in errors.
        stops: Stop sequences to enforce.
        choices: Number of requested choices.
        tool_names: Names of tools that are replaced in events, and the names in their place.

    Attributes:
        response_started: Whether an event with content, or the end of the response, was returned.
    """

    def __init__(
        self,
        dialect: Dialect,
        *,
        token: str = "",
        stops: Sequence[str] = (),
        choices: int = 1,
        tool_names: Mapping[str, str] | None = None,
    ) -> None:
        self.dialect = dialect
        self._decoder = dialect.decoder()
        self._token = token
        self._tool_names = tool_names
        self._surrogates: SurrogateJoiner | None = None
        self._sse_decoder = SSEDecoder()
        self._stop_filter = StopSequenceFilter(stops, choices) if stops else None
        self._json_body: list[bytes] | None = None
        self._chunk_received = self._done = self.response_started = False
        self._first_bytes = b""
        self._buffered_events: list[StreamEvent] = []
        self._unknown_chunk: Any = None

    @property
    def finished(self) -> bool:
        """Whether the rest of the stream need not be read."""
        return self._done or self.stopped

    @property
    def stopped(self) -> bool:
        """Whether the stream was truncated at a stop sequence before its end was received."""
        return not self._done and self._stop_filter is not None and self._stop_filter.finished

    def failed_before_content(self, error: BaseException) -> bool:
        """Return whether the stream itself reported this error, before any content."""
        return (
            isinstance(error, APIStatusError)
            and bool(self._first_bytes)
            and not self.response_started
        )

    def feed(self, data: bytes) -> Iterable[StreamEvent]:
        """Return the events of the next bytes."""
        events = self._feed(data)
        return _rename_calls(events, self._tool_names) if self._tool_names else events

    def _feed(self, data: bytes) -> Iterable[StreamEvent]:
        if not self.response_started:
            return self._feed_before_content(data)
        chunks = self._sse_decoder.feed(data)
        if not chunks:
            return ()
        events = self._decode_chunks(chunks)
        return events if self._stop_filter is None else self._stop_filter.apply(events)

    def close(self) -> Iterable[StreamEvent]:
        """Return the remaining events, at the end of the bytes.

        Raises:
            StreamInterruptedError: The stream is not complete.
        """
        events = self._close()
        return _rename_calls(events, self._tool_names) if self._tool_names else events

    def _close(self) -> Iterable[StreamEvent]:
        if self._done:
            return ()
        if self._json_body is not None:
            return self._filter_events(self._decode_json_body(b"".join(self._json_body)))
        return self._filter_events(self._decode_end())

    def _feed_before_content(self, data: bytes) -> Iterable[StreamEvent]:
        """Return the events of the next bytes, of which the first show the format of the stream."""
        if not self._chunk_received:
            previous = self._first_bytes
            self._first_bytes = (previous + data[:MAX_TEXT]).lstrip()[: 2 * MAX_TEXT]
            if self._first_bytes and not previous:
                self._json_body = [] if self._first_bytes.startswith(_JSON_PREFIXES) else None
        if self._json_body is not None:
            self._json_body.append(data)
            return ()
        chunks = self._sse_decoder.feed(data)
        return self._filter_events(self._decode_chunks(chunks)) if chunks else ()

    def _filter_events(self, events: Iterable[StreamEvent]) -> Iterable[StreamEvent]:
        if not self.response_started:
            events = self._buffer_until_content(events)
        return events if self._stop_filter is None else self._stop_filter.apply(events)

    def _buffer_until_content(self, events: Iterable[StreamEvent]) -> Iterable[StreamEvent]:
        """Buffer events until one has content, then return the buffered and the remaining ones."""
        iterator = iter(events)
        for event in iterator:
            self._buffered_events.append(event)
            if not isinstance(event, ResponseStarted | ResponseCompleted | UsageReported):
                self.response_started = True
                return chain(self._buffered_events, iterator)
        return ()

    def _decode_end(self) -> Iterable[StreamEvent]:
        chunks = self._sse_decoder.close()
        if any(map(_is_truncated, chunks)):
            raise self._build_interrupted_error()
        yield from self._decode_chunks(chunks)
        if self._done:
            return
        if not self._chunk_received and not self._first_bytes.startswith(_SSE_PREFIXES):
            text = self._first_bytes.decode("utf-8", "replace")
            raise unparsable_response_error(text, {}, self._token)
        yield from self._finish()

    def _finish(self) -> Iterable[StreamEvent]:
        if not self._decoder.complete:
            raise self._build_interrupted_error()
        self._done = True
        events = self._decoder.finish()
        return events if self._surrogates is None else self._surrogates.join(events)

    def _decode_chunks(self, chunks: Iterable[bytes]) -> Iterable[StreamEvent]:
        if self._done:
            return
        for data in chunks:
            if data.strip() == _DONE:
                yield from self._finish()
                return
            if data:
                yield from self._decode_chunk(data)
                if self._decoder.ended:
                    self._done = True
                    return

    def _decode_chunk(self, data: bytes) -> Iterable[StreamEvent]:
        chunk, has_surrogates = _INVALID_JSON, False
        with suppress(json.JSONDecodeError):
            chunk, has_surrogates = json.loads_chunk(data)
        if chunk is _INVALID_JSON:
            raise self._build_chunk_error(data)
        self._chunk_received = True
        chunk = unwrap_chunk(chunk)
        if not isinstance(chunk, dict):
            self._unknown_chunk = self._unknown_chunk if chunk is None else chunk
            return ()
        if chunk.get("error"):
            raise error_from_event(chunk, self._token)
        events = self._decoder.feed(chunk)
        if events is UNKNOWN:
            return self._check_unknown_chunk(chunk)
        if has_surrogates and self._surrogates is None:
            self._surrogates = SurrogateJoiner()
        return events if self._surrogates is None else self._surrogates.join(events)

    def _check_unknown_chunk(self, chunk: dict[str, Any]) -> Iterable[StreamEvent]:
        """Ignore a chunk of an unknown type, unless it reports an error.

        New event types of an API have a ``type``; they are kept only if they may report an error.
        A first chunk may show that the stream is one of another API.
        """
        dialect = detect_dialect(self.dialect, chunk)
        if dialect is not self.dialect and not self._buffered_events:
            self.dialect, self._decoder = dialect, dialect.decoder()
            return self._decoder.feed(chunk)
        if "type" not in chunk or chunk["type"] == "error" or not _ERROR_KEYS.isdisjoint(chunk):
            self._unknown_chunk = chunk
            if error := error_from_response(200, chunk, {}, self._token):
                raise error
        return ()

    def _build_chunk_error(self, data: bytes) -> XAILowCodeError:
        """Return the error for an SSE event named ``error``, or for a chunk that is not JSON."""
        text = data.decode("utf-8", "replace")
        if not data.startswith(ERROR_EVENT_PREFIX):
            message = f"A chunk of the stream is not JSON: {self._excerpt(text)}"
            return InvalidResponseError(message, body=text).redact_token(self._token)
        data = data.removeprefix(ERROR_EVENT_PREFIX).removeprefix(b"\n")
        document = _parse_json(data)
        if document is _INVALID_JSON:
            document = data.decode("utf-8", "replace")
        return error_from_event(unwrap_chunk(document), self._token)

    def _decode_json_body(self, content: bytes) -> Iterable[StreamEvent]:
        self._done = True
        document = _parse_json(content)
        if document is _INVALID_JSON:
            raise unparsable_response_error(content.decode("utf-8", "replace"), {}, self._token)
        if error := error_from_response(200, document, {}, self._token):
            raise error
        body = unwrap(document).body
        if isinstance(body, str):
            self._done = False
            chunks = self._sse_decoder.feed(body.encode("utf-8", "surrogatepass"))
            yield from self._decode_chunks(chunks)
            if not self._done:
                yield from self._decode_end()
            return
        self.dialect = detect_dialect(self.dialect, body)
        events = response_to_events(self._parse_response(body))
        if not self.dialect.is_complete(body):
            yield from takewhile(lambda event: not isinstance(event, ChoiceFinished), events)
            raise self._build_interrupted_error()
        yield from events

    def _parse_response(self, body: Any) -> ChatResponse:
        try:
            return self.dialect.parse(self.dialect.endpoint.parse(body))
        except InvalidResponseError as error:
            error.redact_token(self._token)
            raise

    def _build_interrupted_error(self) -> StreamInterruptedError:
        """Return the error for an incomplete stream, quoting the last unknown chunk."""
        if self._unknown_chunk is None:
            return interrupted_error()
        reason = parse_error(200, self._unknown_chunk).text
        if not reason:
            reason = json.dumps(bounded(self._unknown_chunk, self._token)).decode()
        return interrupted_error(
            "The stream ended before its terminal event. An unknown event in it reports:"
            f" {self._excerpt(reason)}"
        )

    def _excerpt(self, text: str) -> str:
        return excerpt(to_plain_text(text, self._token), self._token, limit=_MAX_REASON_LENGTH)


def _rename_calls(events: Iterable[StreamEvent], names: Mapping[str, str]) -> Iterable[StreamEvent]:
    """Yield events with the caller's names of the tools; see ``chat.reserved_names``."""
    for event in events:
        if isinstance(event, ToolCallDelta) and event.name in names:
            yield replace(event, name=names[event.name])
        else:
            yield event


def _is_truncated(data: bytes) -> bool:
    """Return whether the last data of a stream is an incomplete chunk."""
    is_complete = data.strip() in {b"", _DONE} or data.startswith(ERROR_EVENT_PREFIX)
    return not is_complete and _parse_json(data) is _INVALID_JSON


def _parse_json(data: bytes) -> Any:
    # Not an exception: JSONDecodeError holds the whole input, which may quote the token.
    try:
        return json.loads(data)
    except json.JSONDecodeError:
        return _INVALID_JSON
