"""Any response is parsed or rejected with a documented error, in a bounded number of steps."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.bodies import REQUESTS, bodies
from tests.fuzz.invalid_values import changed_documents, invalid_versions, json_values
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
MAX_STEPS = 40

each_api = pytest.mark.parametrize("api", REQUESTS)
header_values = st.text(st.characters(codec="latin-1"), max_size=30) | st.sampled_from(
    ["nan", "-1", "1e999", "Wed, 25 Nov 2026 10:00:00 GMT", "Mon, 99 Foo 99999 1:1:1 +9999", "0x1"]
)
headers = st.dictionaries(
    st.sampled_from(["retry-after", "retry-after-ms", "date", "x-request-id", "content-type"]),
    header_values,
    max_size=4,
)


@each_api
def test_any_field_may_have_any_value(api: str) -> None:
    """Each kind of value at each path gives a response or a documented error."""
    visited: set[Any] = set()
    documents = map(json.loads, bodies().plain[api])
    versions = [
        version for document in documents for version in invalid_versions(document, visited)
    ]
    responses = [read_plain(api, json.dumps(document).encode()) for document in versions]
    assert any(response is None for response in responses)
    assert sum(response is not None for response in responses) > len(responses) // 3


@st.composite
def contents(draw: Any) -> bytes:
    """Draw a body: a changed one, any JSON, or random bytes."""
    known_bodies = [
        body for responses in bodies().plain.values() for body in responses
    ] + bodies().others
    whole = draw(
        changed_documents([json.loads(body) for body in known_bodies]).map(json.dumps)
        | json_values.map(json.dumps)
        | st.sampled_from(["", " ", "null", "<html>", "data: {}\n\n", '"data: {}"'])
    ).encode()
    noisy = draw(st.integers(0, 9)) == 0
    return draw(st.binary(max_size=40)) + whole[draw(st.integers(0, 20)) :] if noisy else whole


statuses = st.sampled_from([200, 201, 202, 204, 301, 400, 401, 404, 429, 500, 502, 599])
http_responses = st.builds(HTTPResponse, statuses, headers, contents())


def run_flow(flow: Flow[Any], http_response: Callable[[], HTTPResponse]) -> Any:
    """Return the result or the error of a flow that gets these responses; check its sleeps."""
    outcome: Any = None
    for _ in range(MAX_STEPS):
        try:
            step = flow.send(outcome)
        except StopIteration as finished:
            return finished.value
        except XAILowCodeError as error:
            return _check_error(error)
        if isinstance(step, Sleep):
            assert 0 <= step.seconds < float("inf")
            outcome = None
        else:
            outcome = step.run() if isinstance(step, RunBlocking) else http_response()
            assert isinstance(step, RunBlocking | SendRequest)
    raise AssertionError("the flow does not end")


def _check_error(error: XAILowCodeError) -> XAILowCodeError:
    # The only invalid input of a caller may be an upload whose file xAI does not know any more.
    assert not isinstance(error, UsageError) or error.field == "source"
    assert TOKEN not in f"{error}{error.body}"
    return error


def new_context() -> CallContext:
    """Return a context whose clock advances by itself, so that waiting ends."""
    base = create_context(Settings.create(api_token=TOKEN, max_retries=2))
    ticks = iter(range(10**9))
    return CallContext(
        base.policy, base.url_formats, base.token, lambda: float(next(ticks)), lambda: 0.5
    )


@given(st.sampled_from(OPERATIONS), st.booleans(), http_responses)
def test_any_endpoint_parses_or_rejects(
    operation: Endpoint[Any], stream: bool, http_response: HTTPResponse
) -> None:
    """Any status, headers and body give a record or a documented error, in bounded calls.

    A plain response to a streaming request is parsed by the stream reader.
    """
    call = Call(operation, b"{}", ids=IDS, stream=stream and operation.method == "POST")
    if call.stream:
        run_flow(call_flow(call, new_context()), lambda: http_response)
    else:
        run_flow(call_and_parse(call, new_context()), lambda: http_response)


@settings(max_examples=25)
@given(st.lists(http_responses, min_size=1, max_size=6), st.booleans())
def test_flows_of_several_calls_end(responses: list[HTTPResponse], as_text: bool) -> None:
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
        index = iter(range(10**9))
        run_flow(flow, lambda index=index: responses[next(index) % len(responses)])


@given(st.integers(200, 599), json_values, headers)
def test_any_error_document_is_mapped(
    status: int, document: Any, response_headers: dict[str, str]
) -> None:
    """Any document with any status is a success or an `APIStatusError`."""
    error = error_from_response(status, document, response_headers, TOKEN)
    assert error is None or isinstance(error, APIStatusError)
    assert error is not None or status < 300
    seconds = parse_retry_after(response_headers)
    assert seconds is None or 0 <= seconds < float("inf")
    assert unparsable_response_error(str(document), response_headers, TOKEN).message


@given(json_values, st.booleans())
def test_any_document_is_unwrapped(document: Any, own: bool) -> None:
    """Any JSON has a body, which is a part of it, and headers that are strings."""
    body, response_headers = unwrap(document, body_has_data_key=own)
    assert all(isinstance(text, str) for pair in response_headers.items() for text in pair)
    assert body is document or any(body is value for value in document.values())
    chunk = unwrap_chunk(document)
    assert chunk is document or chunk in document.values()
    assert len(text_headers(document)) <= (len(document) if isinstance(document, dict) else 0)


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_json_or_a_decode_error(content: bytes) -> None:
    """Any bytes are decoded to a document, or raise `JSONDecodeError`."""
    try:
        document = codec.loads(content)
    except codec.JSONDecodeError:
        return
    codec.dumps(document)
