"""The targets of the fuzzer: each takes bytes, and raises only if a law is violated.

The laws are those of ``tests/fuzz``. The first two bytes of an input choose the target and the API,
a third one the size of a stream's chunks.
"""

from collections.abc import Callable

from tests.fuzz.parsing import DIALECTS, fold, read_plain, read_stream
from tests.fuzz.scripted_network import check_two_calls
from tests.fuzz.test_answers import IDS, OPERATIONS, new_context, run_flow
from xai_lowcode.protocol.call_flow import call_and_parse
from xai_lowcode.protocol.steps import Call, HTTPResponse

APIS = tuple(DIALECTS)
STATUSES = (200, 202, 400, 401, 404, 429, 500)


def stream(chosen: int, content: bytes) -> None:
    """A stream gives the same events in one chunk and in many, with and without stop strings."""
    api, length = APIS[chosen % len(APIS)], (content[0] if content else 0) + 1
    whole = content[1:]
    chunks = [whole[offset : offset + length] for offset in range(0, len(whole), length)]
    events, error = read_stream(api, [whole])
    other_events, other_error = read_stream(api, chunks)
    assert repr(fold(events)) == repr(fold(other_events))
    assert type(error) is type(other_error)
    read_stream(api, chunks, ["."])


def response(chosen: int, content: bytes) -> None:
    """A plain response is parsed or rejected."""
    read_plain(APIS[chosen % len(APIS)], content)


def endpoint(chosen: int, content: bytes) -> None:
    """Each endpoint parses or rejects any body with any status."""
    operation = OPERATIONS[chosen % len(OPERATIONS)]
    status = STATUSES[content[0] % len(STATUSES)] if content else 200
    response_ = HTTPResponse(status, {"content-type": "application/json"}, content[1:])
    run_flow(call_and_parse(Call(operation, b"{}", ids=IDS), new_context()), lambda: response_)


def connection(chosen: int, content: bytes) -> None:
    """The bytes of a connection, including headers and trailing bytes, reach one call only."""
    length = (content[0] if content else 0) + 1
    whole = content[1:]
    chunks = [whole[offset : offset + length] for offset in range(0, len(whole), length)]
    check_two_calls(chunks, ends=bool(chosen % 2))


TARGETS: tuple[Callable[[int, bytes], None], ...] = (stream, response, endpoint, connection)


def run(data: bytes) -> None:
    """Run the target that an input chooses."""
    if len(data) > 1:
        TARGETS[data[0] % len(TARGETS)](data[1], data[2:])
