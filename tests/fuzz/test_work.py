"""The work of parsing and rendering is linear in the size, in steps and in memory.

Steps are calls of functions, Python's and C's; they do not depend on the machine. Work inside one
call of C is not counted, but the memory of its copies is.
"""

import json
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from tests.cases import for_each
from tests.fuzz.bodies import REQUESTS, bodies
from tests.fuzz.parsing import read_plain, read_stream
from tests.fuzz.test_streams import chunks_of, sse
from xai_lowcode._internal import json as codec
from xai_lowcode.api.files import _without_envelope
from xai_lowcode.chat.dialects.responses import DIALECT as RESPONSES
from xai_lowcode.chat.stop_sequences import TextStopFilter
from xai_lowcode.errors import UsageError
from xai_lowcode.json_schema import sanitize_schema
from xai_lowcode.protocol.error_mapping import error_from_response, to_plain_text
from xai_lowcode.redaction import redact, redact_text
from xai_lowcode.types.messages import Message, TextPart, ToolCallPart
from xai_lowcode.types.requests import ChatRequest

pytestmark = pytest.mark.slow

SMALL, LARGE = 60, 240
# Four times the size may cost a little more than four times the work; quadratic work costs 16.
MAX_RATIO = 5.0


def steps(work: Callable[[], Any]) -> int:
    """Return how many functions are called."""
    count = 0

    def count_call(_frame: Any, event: str, _arg: Any) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(count_call)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def memory(work: Callable[[], Any]) -> int:
    """Return the peak of the memory in use, in bytes."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def is_linear(work: Callable[[int], Callable[[], Any]]) -> bool:
    """Return whether work is linear in its size. Its preparation is not counted."""
    small, large = work(SMALL), work(LARGE)
    small(), large()
    return (
        steps(large) <= MAX_RATIO * steps(small) + 200
        and memory(large) <= MAX_RATIO * memory(small) + 100_000
    )


def _stream(api: str, size: int, pieces: int) -> Callable[[], Any]:
    first, *rest = chunks_of(bodies().streams[api][0])
    whole = sse([first, *(rest or [first]) * size])
    length = len(whole) // pieces or 1
    cut = [whole[offset : offset + length] for offset in range(0, len(whole), length)]
    return lambda: read_stream(api, cut)


def _response(api: str, size: int) -> Callable[[], Any]:
    body = json.loads(bodies().plain[api][0])
    key = {"messages": "content", "responses": "output"}.get(api, "choices")
    body_bytes = json.dumps({**body, key: body[key] * size}).encode()
    return lambda: read_plain(api, body_bytes)


def _messages(size: int) -> Callable[[], Any]:
    messages = [
        Message("user", (TextPart("x"),)),
        Message("assistant", (ToolCallPart("c", "f", "{}"),)),
    ] * size
    request = ChatRequest(model="m", messages=messages)
    return lambda: codec.dumps(RESPONSES.render(request, stream=True))


def _deep(size: int) -> Any:
    document: Any = "x"
    for _ in range(size):
        document = {"a": [document]}
    return document


def _faulty(size: int) -> Callable[[], Any]:
    document = [{"a": [1] * 10} for _ in range(size)] + [object()]

    def dump() -> None:
        with pytest.raises(UsageError):
            codec.dumps(document)

    return dump


def _schema(size: int) -> Callable[[], Any]:
    property_schema = {"anyOf": [{"$ref": "#/$defs/a"}, {"enum": ["x", None]}]}
    schema = {"properties": {f"p{i}": property_schema | {"title": str(i)} for i in range(size)}}
    schema["$defs"] = {"a": {"type": "string"}}
    return lambda: sanitize_schema(schema, field="tools", name="f")


def _stops(size: int) -> Callable[[], Any]:
    def cut() -> None:
        stop_filter = TextStopFilter(["abab" * 4])
        for _ in range(size):
            stop_filter.feed("ab" * 5)
            stop_filter.feed("c")

    return cut


WORK: dict[str, Callable[[int], Callable[[], Any]]] = {
    **{f"{api}: one piece": lambda n, f=api: _stream(f, n, 1) for api in REQUESTS},
    **{f"{api}: many pieces": lambda n, f=api: _stream(f, n, n * 40) for api in REQUESTS},
    **{f"{api}: answer": lambda n, f=api: _response(f, n) for api in REQUESTS},
    "one long event": lambda n: lambda: read_stream("responses", [b"data: x"] + [b"x" * 50] * n),
    "newlines": lambda n: lambda: read_stream("responses", [b"\r\n" * 50] * n),
    "heartbeats": lambda n: lambda: read_stream("chat_completions", [b": x\n\n" * 9] * n),
    "data lines": lambda n: lambda: read_stream("chat_completions", [b"data: x\n" * 9] * n),
    "a text in JSON": lambda n: lambda: read_stream("messages", [b'"'] + [b"data: x"] * n),
    "turns": _messages,
    "schema": _schema,
    "fault in a body": _faulty,
    "stop strings": _stops,
    "redact a document": lambda n: lambda: redact([{"a": "at_r0000000", "b": [1] * 9}] * n, "t"),
    "redact a text": lambda n: lambda: redact_text("bearer   at_at_api_token=" * n, "t"),
    "redact what is deep": lambda n: lambda: redact(_deep(n), "t"),
    "a page": lambda n: lambda: to_plain_text("<html>" + "<script <p <" * n),
    "a refusal": lambda n: (
        lambda: error_from_response(400, {"error": "x" * 9 * n, "data": [1] * n}, {})
    ),
    "a file": lambda n: lambda: _without_envelope(b'{"result": "%s"}' % (b"x" * 99 * n), None),
}


@for_each("name", [*WORK])
def test_cost_grows_with_size(name: str) -> None:
    """Four times the size costs about four times the steps and the memory."""
    assert is_linear(WORK[name])


def test_quadratic_work_is_detected() -> None:
    """Work on each pair, and a copy of each prefix, are not linear."""
    assert not is_linear(lambda n: lambda: [len((i, j)) for i in range(n) for j in range(n)])
    assert not is_linear(lambda n: lambda: [bytes(i * 100) for i in range(n)])
