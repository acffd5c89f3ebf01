"""What the fuzzer runs: each target takes bytes, and raises nothing unless a law is broken.

The laws are those of ``tests/fuzz``. The first two bytes of an input choose the target and the wire
form, a third one how a stream is cut.
"""

from collections.abc import Callable

from tests.fuzz.reading import DIALECTS, fold, read_plain, read_stream

from tests.fuzz.scripted_network import check
from tests.fuzz.test_answers import IDS, OPERATIONS, driven, new_context
from xai_lowcode.protocol.call_flow import call_and_parse
from xai_lowcode.protocol.steps import Call, HTTPResponse

FORMS = tuple(DIALECTS)
STATUSES = (200, 202, 400, 401, 404, 429, 500)


def stream(chosen: int, content: bytes) -> None:
    """A stream says the same in one piece and in many, with and without stop strings."""
    form, length = FORMS[chosen % len(FORMS)], (content[0] if content else 0) + 1
    whole = content[1:]
    pieces = [whole[place : place + length] for place in range(0, len(whole), length)]
    events, error = read_stream(form, [whole])
    others, another = read_stream(form, pieces)
    assert repr(fold(events)) == repr(fold(others))
    assert type(error) is type(another)
    read_stream(form, pieces, ["."])


def answer(chosen: int, content: bytes) -> None:
    """An answer in one piece is read, or refused."""
    read_plain(FORMS[chosen % len(FORMS)], content)


def endpoint(chosen: int, content: bytes) -> None:
    """Any endpoint reads or refuses any body under any status."""
    operation = OPERATIONS[chosen % len(OPERATIONS)]
    status = STATUSES[content[0] % len(STATUSES)] if content else 200
    said = HTTPResponse(status, {"content-type": "application/json"}, content[1:])
    driven(call_and_parse(Call(operation, b"{}", ids=IDS), new_context()), lambda: said)


def connection(chosen: int, content: bytes) -> None:
    """Any bytes of a connection, heads and trailing ones included, reach one call only."""
    length = (content[0] if content else 0) + 1
    whole = content[1:]
    chunks = [whole[place : place + length] for place in range(0, len(whole), length)]
    check(chunks, ends=bool(chosen % 2))


TARGETS: tuple[Callable[[int, bytes], None], ...] = (stream, answer, endpoint, connection)


def run(data: bytes) -> None:
    """Runs the target that an input chooses."""
    if len(data) > 1:
        TARGETS[data[0] % len(TARGETS)](data[1], data[2:])
