"""Law: whatever comes as an answer, it is read or refused with an error of ours, in few steps."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.bodies import QUESTIONS, bodies
from tests.fuzz.invalid_values import json_values, odd_versions, spoiled_documents
from tests.fuzz.parsing import read_plain
from xai_lowcode._internal import json as codec
from xai_lowcode.api import embeddings, files
from xai_lowcode.api import endpoints as operations
from xai_lowcode.api.deferred import poll
from xai_lowcode.errors import APIStatusError, UsageError, XAILowCodeError
from xai_lowcode.protocol.call_flow import CallContext, call_and_parse, call_flow
from xai_lowcode.protocol.endpoint import Endpoint
from xai_lowcode.protocol.envelope import text_headers, unwrap, unwrap_chunk
from xai_lowcode.protocol.error_mapping import (
    error_from_response,
    parse_retry_after,
    unparsable_response_error,
)
from xai_lowcode.protocol.steps import Call, Flow, HTTPResponse, RunBlocking, SendRequest, Sleep
from xai_lowcode.settings import Settings
from xai_lowcode.transport.config import create_context
from xai_lowcode.types.requests import PollingOptions

pytestmark = pytest.mark.slow

OPERATIONS = [value for value in vars(operations).values() if isinstance(value, Endpoint)]
TOKEN = "at_r" + "0" * 32
IDS = dict.fromkeys(("model_id", "response_id", "request_id", "file_id", "batch_job_id"), "x")
MOST_STEPS = 40

forms = pytest.mark.parametrize("form", QUESTIONS)
header_values = st.text(st.characters(codec="latin-1"), max_size=30) | st.sampled_from(
    ["nan", "-1", "1e999", "Wed, 25 Nov 2026 10:00:00 GMT", "Mon, 99 Foo 99999 1:1:1 +9999", "0x1"]
)
headers = st.dictionaries(
    st.sampled_from(["retry-after", "retry-after-ms", "date", "x-request-id", "content-type"]),
    header_values,
    max_size=4,
)


@forms
def test_any_value_may_stand_at_any_member(form: str) -> None:
    """Each kind of value at each place: a reply, or an error of ours."""
    seen: set[Any] = set()
    documents = map(json.loads, bodies().plain[form])
    versions = [odd for document in documents for odd in odd_versions(document, seen)]
    replies = [read_plain(form, json.dumps(document).encode()) for document in versions]
    assert any(reply is None for reply in replies)
    assert sum(reply is not None for reply in replies) > len(replies) // 3


@st.composite
def contents(draw: Any) -> bytes:
    """A body: a spoiled one, any JSON, or bytes without sense."""
    known = [body for some in bodies().plain.values() for body in some] + bodies().others
    whole = draw(
        spoiled_documents([json.loads(body) for body in known]).map(json.dumps)
        | json_values.map(json.dumps)
        | st.sampled_from(["", " ", "null", "<html>", "data: {}\n\n", '"data: {}"'])
    ).encode()
    noisy = draw(st.integers(0, 9)) == 0
    return draw(st.binary(max_size=40)) + whole[draw(st.integers(0, 20)) :] if noisy else whole


statuses = st.sampled_from([200, 201, 202, 204, 301, 400, 401, 404, 429, 500, 502, 599])
answers = st.builds(HTTPResponse, statuses, headers, contents())


def driven(flow: Flow[Any], answer: Callable[[], HTTPResponse]) -> Any:
    """What comes of a flow that gets nothing but answers; its waits are looked at, not waited."""
    outcome: Any = None
    for _ in range(MOST_STEPS):
        try:
            step = flow.send(outcome)
        except StopIteration as finished:
            return finished.value
        except XAILowCodeError as error:
            return _ours(error)
        if isinstance(step, Sleep):
            assert 0 <= step.seconds < float("inf")
            outcome = None
        else:
            outcome = step.run() if isinstance(step, RunBlocking) else answer()
            assert isinstance(step, RunBlocking | SendRequest)
    raise AssertionError("the flow does not end")


def _ours(error: XAILowCodeError) -> XAILowCodeError:
    # Of a caller's own input, only a source that xAI does not know any more may be blamed.
    assert not isinstance(error, UsageError) or error.field == "source"
    assert TOKEN not in f"{error}{error.body}"
    return error


def new_context() -> CallContext:
    """Return a context whose clock advances by itself, so that waiting ends."""
    made = create_context(Settings.create(api_token=TOKEN, max_retries=2))
    ticks = iter(range(10**9))
    return CallContext(
        made.policy, made.url_formats, made.token, lambda: float(next(ticks)), lambda: 0.5
    )


@given(st.sampled_from(OPERATIONS), st.booleans(), answers)
def test_any_endpoint_reads_or_refuses(
    operation: Endpoint[Any], stream: bool, answer: HTTPResponse
) -> None:
    """Any status, headers and body: a record, or an error of ours after a bounded number of calls.

    An answer to a stream that came in one piece is for the stream's reader.
    """
    call = Call(operation, b"{}", ids=IDS, stream=stream and operation.method == "POST")
    if call.stream:
        driven(call_flow(call, new_context()), lambda: answer)
    else:
        driven(call_and_parse(call, new_context()), lambda: answer)


@settings(max_examples=25)
@given(st.lists(answers, min_size=1, max_size=6), st.booleans())
def test_flows_of_several_calls_end(some: list[HTTPResponse], as_text: bool) -> None:
    """Uploads, downloads, polling and embeddings end with every sequence of responses."""
    for flow in (
        files.upload(new_context(), b"abc", name="a.txt", chunk_size=1),
        files.upload(new_context(), files.Upload(b"abc", "a.txt", file_id="f"), chunk_size=2),
        files.download(new_context(), "file", as_text=as_text),
        poll("r", PollingOptions(timeout=20), new_context()),
        embeddings.embed_batches(
            new_context(), embeddings.EmbeddingRequest(texts=["a", "b"], batch_size=1)
        ),
    ):
        turn = iter(range(10**9))
        driven(flow, lambda turn=turn: some[next(turn) % len(some)])


@given(st.integers(200, 599), json_values, headers)
def test_every_error_is_mapped(status: int, document: Any, said: dict[str, str]) -> None:
    """Any document under any status is a success or one of the error tree."""
    error = error_from_response(status, document, said, TOKEN)
    assert error is None or isinstance(error, APIStatusError)
    assert error is not None or status < 300
    seconds = parse_retry_after(said)
    assert seconds is None or 0 <= seconds < float("inf")
    assert unparsable_response_error(str(document), said, TOKEN).message


@given(json_values, st.booleans())
def test_an_envelope_is_taken_off_or_is_none(document: Any, own: bool) -> None:
    """Any JSON has a body and headers of text; what is left is part of what was given."""
    body, said = unwrap(document, body_has_data_key=own)
    assert all(isinstance(text, str) for pair in said.items() for text in pair)
    assert body is document or any(body is value for value in document.values())
    chunk = unwrap_chunk(document)
    assert chunk is document or chunk in document.values()
    assert len(text_headers(document)) <= (len(document) if isinstance(document, dict) else 0)


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_json_or_said_not_to_be(content: bytes) -> None:
    """Reading bytes gives a document, or the one error that stands for no JSON."""
    try:
        document = codec.loads(content)
    except codec.JSONDecodeError:
        return
    codec.dumps(document)
