"""Recorded chats of xAI, dressed as a gateway may, and what a reader must find in them.

What must be found is the ``expect`` of the index, computed apart from any code of this project. It
is compared with ``Found``, which every public class is boiled down to, so that one set of laws runs
over the core and over both frameworks.
"""

import asyncio
import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from tests.cases import for_each
from tests.core.fake_server import TOKEN, FakeServer, Reply
from tests.core.wire import ENVELOPES, wrapped
from tests.recorded.bodies import Case
from tests.recorded.laws import bodies_under


@dataclass(frozen=True)
class Found:
    """What a reader found: the facts that the index states, in our accounting."""

    text: str
    reasoning_chars: int
    calls: tuple[tuple[str, str], ...]
    finish: str
    usage: tuple[int, int, int, int | None, int | None] | None
    """Input, output, total, reasoning, cached."""


def sha256(text: str) -> str:
    """As in the index."""
    return hashlib.sha256(text.encode()).hexdigest()


def check(case: Case, found: Found) -> None:
    """Compares what was found with what the index says."""
    expect = case.expect
    assert (len(found.text), sha256(found.text)) == (expect["text_chars"], expect["text_sha256"])
    assert [[name, sha256(arguments)] for name, arguments in found.calls] == expect["calls"]
    assert found.finish == expect["finish"]
    assert found.reasoning_chars == expect["reasoning_chars"]
    assert found.usage == expected_usage(expect["usage"])


def arguments_as_sent(case: Case, name: str, parsed: Any) -> str:
    """The argument text of the recorded call that parses to this; for readers that parse it.

    The text is looked for in the body by the standard library, and ``check`` compares its digest
    with the index, so that nothing rests on this search.
    """
    body = case.content.decode()
    documents = [line[6:] for line in body.split("\n") if line.startswith("data: {")]
    for document in documents if case.stream else [body]:
        for choice in json.loads(document).get("choices", ()):
            for call in (choice.get("delta") or choice.get("message")).get("tool_calls") or ():
                text: str = call["function"]["arguments"]
                if call["function"]["name"] == name and json.loads(text) == parsed:
                    return text
    return f"no call of {name} has the arguments {parsed!r}"


def expected_usage(
    sent: dict[str, Any] | None,
) -> tuple[int, int, int, int | None, int | None] | None:
    """The figures as sent, in our accounting: output is what was seen and thought."""
    if sent is None:
        return None
    output = sent["completion"] + (sent["reasoning"] or 0)
    return sent["prompt"], output, sent["total"], sent["reasoning"], sent["cached"]


Dress = Callable[[bytes], tuple[bytes, str]]


def plain_dresses() -> dict[str, Dress]:
    """The envelopes of a plain answer."""

    def dress(how: str) -> Dress:
        return lambda content: (dumps(wrapped(json.loads(content), how)), "application/json")

    return {how: dress(how) for how in ENVELOPES}


def stream_dresses() -> dict[str, Dress]:
    """The forms a stream may take on its way: live, chunks wrapped, text as a string in JSON."""

    def chunked(how: str) -> Dress:
        return lambda content: (wrap_chunks(content, how), "text/event-stream; charset=utf-8")

    def quoted(how: str) -> Dress:
        return lambda content: (dumps(wrapped(content.decode(), how)), "application/json")

    return {
        "live": lambda content: (content, "text/event-stream"),
        "live as text": lambda content: (content, "text/plain"),
        "live as json": lambda content: (content, "application/json"),
        "crlf": lambda content: (content.replace(b"\n", b"\r\n"), "text/event-stream"),
        **{f"chunks in {how}": chunked(how) for how in ("result", "data")},
        **{f"string in {how}": quoted(how) for how in ENVELOPES},
    }


def wrap_chunks(content: bytes, how: str) -> bytes:
    """The stream with each of its chunks in an envelope."""
    lines = []
    for line in content.split(b"\n"):
        data = line.removeprefix(b"data: ")
        if line.startswith(b"data: {"):
            lines.append(b"data: " + dumps(wrapped(json.loads(data), how)))
        else:
            lines.append(line)
    return b"\n".join(lines)


def dumps(document: Any) -> bytes:
    """JSON as a gateway in JavaScript writes it: nothing escaped that need not be."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def awkward(content: bytes) -> list[bytes]:
    """Pieces cut where it hurts: inside characters, around line ends and braces, one byte alone."""
    edges = {0, 1, 2, len(content) - 1, len(content)}
    for at, byte in enumerate(content):
        if byte >= 0x80 or (byte in b"\n\r" and at % 3 == 0) or (byte in b'{}"' and at % 101 == 0):
            edges |= {at, at + 1}
    order = sorted(edge for edge in edges if 0 <= edge <= len(content))
    return [content[a:b] for a, b in pairwise(order)]


CUTS: dict[str, Callable[[bytes], list[bytes]]] = {
    "whole": lambda content: [content],
    "awkward": awkward,
}


class Replay:
    """The server with a body in hand.

    Attributes:
        base_url: For a client.
        api_token: For a client.
    """

    def __init__(self, server: FakeServer) -> None:
        self.server = server
        self.base_url = server.base_url
        self.api_token = TOKEN

    def hold(self, case: Case, dress: Dress, cut: Callable[[bytes], Sequence[bytes]]) -> None:
        """Answers every request from now on with this body."""
        content, content_type = dress(case.content)
        pieces = tuple(cut(content))
        self.server.respond = lambda _request: Reply(pieces, content_type=content_type)


class Ways(ABC):
    """A model behind the replaying server, and all the ways in which it can be asked.

    Attributes:
        runner: The loop that its async ways run on.
    """

    def __init__(self, runner: asyncio.Runner) -> None:
        self.runner = runner

    @abstractmethod
    def whole(self) -> list[Any]:
        """Asked for a whole answer, sync and async."""

    @abstractmethod
    def streamed(self) -> list[Any]:
        """Asked for a stream, sync and async, and what its pieces add up to."""

    @abstractmethod
    def found_in(self, answer: Any, case: Case) -> Found:
        """The facts of one of these answers."""


CHATS = [case for case in bodies_under("facts") if case.form == "chat_completions"]
every_plain = for_each("case", {str(case): case for case in CHATS if not case.stream})
every_stream = for_each("case", {str(case): case for case in CHATS if case.stream})
every_plain_dress = pytest.mark.parametrize("dress", plain_dresses())
every_stream_dress = pytest.mark.parametrize("dress", stream_dresses())
# What stands on the core never sees the dress: each body in a third of them is enough there.
every_stream_in_turn = for_each(
    ("case", "dress"),
    {
        f"{case} {dress}": (case, dress)
        for number, case in enumerate(case for case in CHATS if case.stream)
        for place, dress in enumerate(stream_dresses())
        if (number + place) % 3 == 0
    },
)


def check_plain(ways: Ways, replay: Replay, case: Case, dress: str) -> None:
    """A plain answer, whole and in pieces, has the facts of the index in all four ways."""
    for cut in CUTS.values():
        replay.hold(case, plain_dresses()[dress], cut)
        for answer in (*ways.whole(), *ways.streamed()):
            check(case, ways.found_in(answer, case))


def check_stream(ways: Ways, replay: Replay, case: Case, dress: str) -> None:
    """A stream that is cut where it hurts has the facts of the index in both ways."""
    replay.hold(case, stream_dresses()[dress], CUTS["awkward"])
    for answer in ways.streamed():
        check(case, ways.found_in(answer, case))
