"""Bytes to stream events, whatever the stream turned out to be.

A gateway may pass a stream on live, buffer it into one block, wrap each chunk, put the whole text
as a string into JSON, or answer with one plain JSON object; and an error may come at any point. A
stream that ends without its closing sign raises: a cut answer is never passed off as a whole one.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from xai_lowcode import codec
from xai_lowcode.classification import LONGEST_TEXT, classify, not_readable
from xai_lowcode.dialects import Dialect
from xai_lowcode.envelope import unwrap, unwrap_chunk
from xai_lowcode.errors import StreamInterruptedError, UnreadableAnswerError
from xai_lowcode.events import StreamEvent
from xai_lowcode.folding import events_of
from xai_lowcode.reply import Reply
from xai_lowcode.sse import EventCutter
from xai_lowcode.stop import EventCutter as StopCutter

_DONE = b"[DONE]"
_NO_JSON = object()
_BEGINS_JSON = (b"{", b"[", b'"')


class StreamReader:
    """Reads one stream.

    Args:
        dialect: The wire form that was asked for.
        token: The token in use, blanked wherever an error quotes it.
        stops: Stop strings to enforce.
        answers: How many answers were asked for.
    """

    def __init__(
        self, dialect: Dialect, *, token: str = "", stops: Sequence[str] = (), answers: int = 1
    ) -> None:
        self._dialect = dialect
        self._decoder = dialect.decoder()
        self._token = token
        self._cutter = EventCutter()
        self._stop = StopCutter(stops, answers) if stops else None
        self._document: list[bytes] | None = None
        self._begun = self._any = self._done = False
        self._head = b""

    @property
    def begun(self) -> bool:
        """Whether any of the answer was read."""
        return self._any

    @property
    def finished(self) -> bool:
        """Whether nothing more need be read."""
        return self._done or self.stopped

    @property
    def stopped(self) -> bool:
        """Whether it was cut at a stop string, before it had said all."""
        return not self._done and self._stop is not None and self._stop.finished

    def feed(self, piece: bytes) -> Iterable[StreamEvent]:
        """Events of the next bytes."""
        if not self._any:
            self._begin(piece)
        if self._document is not None:
            self._document.append(piece)
            return ()
        data = self._cutter.feed(piece)
        return self._seen(self._decode(data)) if data else ()

    def close(self) -> Iterable[StreamEvent]:
        """Events that the end of the bytes brings.

        Raises:
            StreamInterruptedError: The stream had not said that it was complete.
        """
        if self._done:
            return ()
        if self._document is not None:
            return self._seen(self._read_document(b"".join(self._document)))
        return self._seen(self._end())

    def _begin(self, piece: bytes) -> None:
        self._head = (self._head + piece[:LONGEST_TEXT]).lstrip()[: 2 * LONGEST_TEXT]
        if self._head and not self._begun:
            self._begun = True
            self._document = [] if self._head.startswith(_BEGINS_JSON) else None

    def _seen(self, events: Iterable[StreamEvent]) -> Iterable[StreamEvent]:
        return events if self._stop is None else self._stop.cut(events)

    def _end(self) -> Iterable[StreamEvent]:
        try:
            yield from self._decode(self._cutter.close())
        except UnreadableAnswerError as unreadable:
            # Its frames hold what was read, which may quote the token.
            raise _interrupted() from unreadable.with_traceback(None)
        if self._done:
            return
        if not self._any:
            raise not_readable(self._head.decode("utf-8", "replace"), {}, self._token)
        if not self._decoder.complete:
            raise _interrupted()
        self._done = True
        yield from self._decoder.done()

    def _decode(self, data: Iterable[bytes]) -> Iterable[StreamEvent]:
        for text in data:
            if self._done:
                return
            if text == _DONE:
                self._done = True
                if not self._any:
                    raise UnreadableAnswerError("The stream ended before it said anything.")
                yield from self._decoder.done()
            elif text:
                yield from self._read_chunk(text)
                self._done = self._decoder.ended

    def _read_chunk(self, text: bytes) -> Iterable[StreamEvent]:
        chunk = _load(text)
        if chunk is _NO_JSON:
            raise UnreadableAnswerError(
                "A chunk of the stream is not JSON.", body=text.decode("utf-8", "replace")
            ).without(self._token)
        chunk = unwrap_chunk(chunk)
        if not isinstance(chunk, dict):
            return ()
        if ("error" in chunk or chunk.get("type") == "error") and (
            error := classify(200, chunk, {}, self._token)
        ):
            raise error
        self._any = True
        return self._decoder.feed(chunk)

    def _read_document(self, content: bytes) -> Iterable[StreamEvent]:
        self._done = True
        document = _load(content)
        if document is _NO_JSON:
            raise not_readable(content.decode("utf-8", "replace"), {}, self._token)
        if error := classify(200, document, {}, self._token):
            raise error
        body = unwrap(document).body
        if isinstance(body, str):
            self._done = False
            yield from self._decode(self._cutter.feed(body.encode("utf-8", "surrogatepass")))
            if not self._done:
                yield from self._end()
        else:
            yield from events_of(self._parse(body))

    def _parse(self, body: Any) -> Reply:
        try:
            return self._dialect.parse(self._dialect.operation.parse(body))
        except UnreadableAnswerError as error:
            error.without(self._token)
            raise


def _load(content: bytes) -> Any:
    # The decoder's own error holds the whole text, so none of ours may be raised beside it.
    try:
        return codec.load(content)
    except codec.JSONDecodeError:
        return _NO_JSON


def _interrupted() -> StreamInterruptedError:
    return StreamInterruptedError(
        "The stream ended before its closing sign.",
        hint="What was received is not the whole answer.",
    )
