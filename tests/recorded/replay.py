"""Replays recorded chats in the gateway's envelopes, and checks the facts of the responses.

The expected facts are in the index; they were computed without any code of this project. Each
public class is reduced to ``Facts``, so that the same laws are tested with the core and both
frameworks.
"""

import asyncio
import hashlib
import json
import re
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
from tests.recorded.laws import bodies_of_law


@dataclass(frozen=True)
class Facts:
    """The facts of a response, for a comparison with the index."""

    text: str
    reasoning_chars: int
    calls: tuple[tuple[str, str], ...]
    finish: str
    usage: tuple[int, int, int, int | None, int | None] | None
    """Input, output, total, reasoning, cached."""


def sha256(text: str) -> str:
    """Return the digest that the index has of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def check(case: Case, facts: Facts) -> None:
    """Compare the facts of a response with the index."""
    expect = case.expect
    assert (len(facts.text), sha256(facts.text)) == (expect["text_chars"], expect["text_sha256"])
    assert [[name, sha256(arguments)] for name, arguments in facts.calls] == expect["calls"]
    assert facts.finish == expect["finish"]
    assert facts.reasoning_chars == expect["reasoning_chars"]
    assert facts.usage == expected_usage(expect["usage"])


def arguments_as_sent(case: Case, name: str, parsed: Any) -> str:
    """Return the arguments of a recorded call as text, for classes that only have them parsed.

    ``check`` compares the digest of the text with the index.
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
    """Return the expected token usage; reasoning tokens are part of the output tokens."""
    if sent is None:
        return None
    output = sent["completion"] + (sent["reasoning"] or 0)
    return sent["prompt"], output, sent["total"], sent["reasoning"], sent["cached"]


Envelope = Callable[[bytes], tuple[bytes, str]]


def plain_envelopes() -> dict[str, Envelope]:
    """Return the envelopes of a plain response."""

    def wrap(how: str) -> Envelope:
        return lambda content: (dumps(wrapped(json.loads(content), how)), "application/json")

    return {how: wrap(how) for how in ENVELOPES}


def stream_envelopes() -> dict[str, Envelope]:
    """Return the formats of a stream: unchanged, each chunk in an envelope, or a JSON string."""

    def chunked(how: str) -> Envelope:
        return lambda content: (wrap_chunks(content, how), "text/event-stream; charset=utf-8")

    def quoted(how: str) -> Envelope:
        return lambda content: (dumps(wrapped(content.decode(), how)), "application/json")

    return {
        "unchanged": lambda content: (content, "text/event-stream"),
        "unchanged as text": lambda content: (content, "text/plain"),
        "unchanged as json": lambda content: (content, "application/json"),
        "crlf": lambda content: (content.replace(b"\n", b"\r\n"), "text/event-stream"),
        **{f"chunks in {how}": chunked(how) for how in ("result", "data")},
        **{f"string in {how}": quoted(how) for how in ENVELOPES},
    }


def wrap_chunks(content: bytes, how: str) -> bytes:
    """Return the stream with each of its chunks in an envelope."""
    lines = []
    for line in content.split(b"\n"):
        data = line.removeprefix(b"data: ")
        if line.startswith(b"data: {"):
            lines.append(b"data: " + dumps(wrapped(json.loads(data), how)))
        else:
            lines.append(line)
    return b"\n".join(lines)


def dumps(document: Any) -> bytes:
    """Return JSON as JavaScript's ``JSON.stringify`` writes it: compact, without ASCII escapes."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def split_at_edges(content: bytes) -> list[bytes]:
    """Split inside characters, around line ends and braces, and before and after single bytes."""
    edges = {0, 1, 2, len(content) - 1, len(content)}
    inside = [at for at in range(0, len(content), 101) if content[at] in b'{}"']
    for match in re.finditer(rb"[\x80-\xff\n\r]", content):
        at = match.start()
        if at % 3 == 0 or match[0] not in b"\n\r":
            inside.append(at)
    edges.update(inside, (at + 1 for at in inside))
    order = sorted(edge for edge in edges if 0 <= edge <= len(content))
    return [content[a:b] for a, b in pairwise(order)]


CUTS: dict[str, Callable[[bytes], list[bytes]]] = {
    "whole": lambda content: [content],
    "at edges": split_at_edges,
}


class Replay:
    """A server that replays a recorded body.

    Attributes:
        base_url: For a client.
        api_token: For a client.
    """

    def __init__(self, server: FakeServer) -> None:
        self.server = server
        self.base_url = server.base_url
        self.api_token = TOKEN

    def set_body(
        self, case: Case, envelope: Envelope, cut: Callable[[bytes], Sequence[bytes]]
    ) -> None:
        """Respond to all further requests with this body."""
        content, content_type = envelope(case.content)
        pieces = tuple(cut(content))
        self.server.respond = lambda _request: Reply(pieces, content_type=content_type)


class Caller(ABC):
    """A model with the replaying server, and all methods that call it.

    Attributes:
        run: Runs a coroutine in the event loop of the async methods.
    """

    def __init__(self, runner: asyncio.Runner) -> None:
        # ``Runner.run`` passes its task to ``signal``, which makes the repr of the whole result.
        self.run = runner.get_loop().run_until_complete

    @abstractmethod
    def whole(self) -> list[Any]:
        """Return plain responses, sync and async."""

    @abstractmethod
    def streamed(self) -> list[Any]:
        """Return the responses that sync and async streams add up to."""

    @abstractmethod
    def facts_of(self, response: Any, case: Case) -> Facts:
        """Return the facts of one of these responses."""


CHATS = [case for case in bodies_of_law("facts") if case.api == "chat_completions"]
every_plain = for_each("case", {str(case): case for case in CHATS if not case.stream})
every_stream = for_each("case", {str(case): case for case in CHATS if case.stream})
every_plain_envelope = pytest.mark.parametrize("envelope", plain_envelopes())
every_stream_envelope = pytest.mark.parametrize("envelope", stream_envelopes())
# The adapters never see an envelope, so that each body in a third of them is enough.
every_stream_in_turn = for_each(
    ("case", "envelope"),
    {
        f"{case} {envelope}": (case, envelope)
        for number, case in enumerate(case for case in CHATS if case.stream)
        for place, envelope in enumerate(stream_envelopes())
        if (number + place) % 3 == 0
    },
)


def check_plain(caller: Caller, replay: Replay, case: Case, envelope: str) -> None:
    """Check that a plain response, whole and in chunks, has the facts of the index."""
    for cut in CUTS.values():
        replay.set_body(case, plain_envelopes()[envelope], cut)
        for response in (*caller.whole(), *caller.streamed()):
            check(case, caller.facts_of(response, case))


def check_stream(caller: Caller, replay: Replay, case: Case, envelope: str) -> None:
    """Check that a stream, split at edges, has the facts of the index."""
    replay.set_body(case, stream_envelopes()[envelope], CUTS["at edges"])
    for response in caller.streamed():
        check(case, caller.facts_of(response, case))
