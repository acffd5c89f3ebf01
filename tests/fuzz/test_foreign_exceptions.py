"""Any response gives a result or a documented error, and no other exception.

``MemoryError`` and ``KeyboardInterrupt`` are raised unchanged.
"""

import json
import math
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import for_each
from tests.fuzz.bodies import REQUESTS, bodies
from tests.fuzz.invalid_values import (
    MISSING,
    KeyPath,
    json_values,
    key_paths,
    replaced,
    with_types,
)
from tests.fuzz.parsing import DIALECTS, check_views
from xai_lowcode._internal import json as codec
from xai_lowcode.api import embeddings
from xai_lowcode.api import endpoints as operations
from xai_lowcode.api.client import AsyncGateway, Gateway
from xai_lowcode.api.embeddings import EmbeddingRequest
from xai_lowcode.api.files import Upload, _guess_content_type
from xai_lowcode.api.images import parse_images
from xai_lowcode.api.tokens import TokenCounter
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.errors import InvalidResponseError, UsageError, XAILowCodeError
from xai_lowcode.protocol.call_flow import call_and_parse
from xai_lowcode.protocol.endpoint import Endpoint
from xai_lowcode.protocol.error_mapping import (
    MAX_VALID_RETRY_AFTER,
    error_from_response,
    parse_retry_after,
)
from xai_lowcode.protocol.steps import Call, HTTPResponse
from xai_lowcode.settings import Settings
from xai_lowcode.transport.sync_client import SyncAPIClient
from xai_lowcode.types.images import Image, ImageBatch, ImageRequest
from xai_lowcode.types.messages import Message, TextPart
from xai_lowcode.types.requests import ChatRequest, PollingOptions
from xai_lowcode.types.resources import Model, Resource, parse_resource, parse_resources

pytestmark = pytest.mark.slow

TOKEN = "at_r" + "0" * 32
SETTINGS = Settings.create(api_token=TOKEN, max_retries=0)

MODEL = {
    "id": "m",
    "created": 1,
    "owned_by": "x",
    "aliases": ["a"],
    "context_length": 1,
    "fingerprint": "f",
    "version": "1",
    "input_modalities": ["text"],
    "image_price": 1,
    "output_modalities": ["text"],
    "max_prompt_length": 5,
    "prompt_text_token_price": 1,
    "cached_prompt_text_token_price": 1,
    "completion_text_token_price": 1,
    "new": {"a": 1},
}
FILE = {
    "id": "f",
    "filename": "a.txt",
    "bytes": 3,
    "content_type": "text/plain",
    "hash": "h",
    "created_at": 1,
    "expires_at": "x",
    "upload_status": "Complete",
    "processing_status": "x",
}
KEY = {"redacted_api_key": "x", "name": "n", "team_id": "t", "acls": ["a"], "team_blocked": False}
IMAGES = {
    "data": [
        {"url": "https://x.ai/a.png", "mime_type": "image/png", "respect_moderation": True},
        {"b64_json": "iVBORw0KGgo=", "revised_prompt": "r"},
    ],
    "model": "i",
    "usage": {"cost_in_usd_ticks": 5},
}
VECTORS = {
    "data": [
        {"index": 0, "embedding": [0.5, 1.0]},
        {"index": 1, "embedding": {"Float": [0.5, 1.0]}},
        {"index": 2, "embedding": "AACAPwAAgD8="},
    ],
    "model": "e",
    "usage": {"total_tokens": 3, "prompt_tokens": 3},
}
TEXT = {
    "id": "c",
    "model": "m",
    "choices": [{"index": 0, "text": "t", "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1},
}
TOKENS = {"token_ids": [{"token_id": 1, "string_token": "a", "token_bytes": [97]}]}
DELETION = {"id": "x", "deleted": True}
# A response of each endpoint but those of chats.
BODIES: dict[str, Any] = {
    "List Models": {"data": [MODEL]},
    "Retrieve Model": MODEL,
    "Get API Key": KEY,
    "Retrieve Previous Response": {"id": "r"},
    "Delete Previous Response": DELETION,
    "Create Image Generation": IMAGES,
    "List Language Models": {"models": [MODEL]},
    "Get Language Model": MODEL,
    "List Image Generation Models": {"models": [MODEL]},
    "Get Image Generation Model": MODEL,
    "Tokenize Text": TOKENS,
    "Get Deferred Chat Completion": {"choices": []},
    "Create Completion": TEXT,
    "Create Completion (Anthropic Compatible)": {"id": "c", "completion": "x", "model": "m"},
    "List Files": {"data": [FILE], "pagination_token": "p"},
    "Get File Metadata": FILE,
    "Delete File": DELETION,
    "Download File": "x",
    "Update File": FILE,
    "Initialize File Upload": {"file_id": "f"},
    "Upload File Chunk": FILE,
    "Batch Upload Files": {"batch_job_id": "b"},
    "Complete Batch Upload": {"batch_job_id": "b"},
    "Create Embeddings": VECTORS,
    "Get Definition": {"paths": {"/v1/models/model_id": {"get": {}}}},
    "Get OpenAPI": {"paths": {}},
}
OPERATIONS = [
    value
    for value in vars(operations).values()
    if isinstance(value, Endpoint) and value.name in BODIES
]


def nested(depth: int, wrap: Callable[[Any], Any]) -> Any:
    document: Any = 0
    for _ in range(depth):
        document = wrap(document)
    return document


# Decoded values that some parser may not expect. Some come from other JSON decoders only (recorded
# bodies, stubs of users' tests).
INVALID: list[Any] = [
    *(MISSING, None, True, False, 0, -1, 2**63, 2**64 - 1, 10**25, 10**400, 1e300, -0.0),
    *(math.nan, math.inf, -math.inf, "", "x", "0", "-1", "1e400", "nan", "1" * 4_000, "1" * 5_000),
    *("\ud800", "\0", "é" * 300, [], {}, [None], [[]], [{}], ["\ud800"], [0, 1e300], [2**70]),
    *({"": None}, {"\ud800": 0}, {"Float": [None]}, {"Float": 5}, {"Base64": "AAAA"}),
    *(nested(codec.MAX_READ_DEPTH - 9, lambda x: [x]), nested(190, lambda x: {"a": x})),
]
# Python cannot print it: it is parsed only, since parsed objects keep unknown fields.
HUGE = 10**5_000


def invalid_bodies(
    document: Any, values: list[Any], visited: set[KeyPath] | None = None
) -> Iterator[Any]:
    """Yield the document with each value at each path that was not visited before."""
    visited = set() if visited is None else visited
    for path in key_paths(document):
        if (typed := with_types(document, path)) not in visited:
            visited.add(typed)
            yield from (replaced(document, path, value) for value in values)


def check_properties(result: Any) -> None:
    """Read all properties of a result."""
    for item in result if isinstance(result, list | tuple) else [result]:
        if isinstance(item, Resource | ImageBatch | Image):
            names = [
                name for name, value in vars(type(item)).items() if isinstance(value, property)
            ]
            for name in names:
                run_checked(lambda item=item, name=name: getattr(item, name))
            check_properties(getattr(item, "images", ()))
            assert repr(item)
        if isinstance(item, ImageBatch):
            assert isinstance(item._repr_html_(), str)


def run_checked(work: Callable[[], Any]) -> Any:
    """Return the result; None if a documented error is raised that is the response's fault."""
    failed: XAILowCodeError
    try:
        return work()
    except XAILowCodeError as error:
        failed = error
    assert str(failed) + repr(failed.body)
    # Reading the data of an image with a URL is a UsageError; no other error is the caller's fault.
    assert not isinstance(failed, UsageError) or failed.field == "response_format"
    return None


@pytest.mark.filterwarnings("ignore:xAI's moderation withheld:UserWarning")
@for_each("operation", OPERATIONS)
def test_any_endpoint_parses_any_value(operation: Endpoint[Any]) -> None:
    """Each invalid value at each path gives a result or a documented error."""
    read = 0
    for body in invalid_bodies(BODIES[operation.name], INVALID):
        result = run_checked(lambda body=body: operation.parse(body))
        check_properties(result)
        read += result is not None
        if operation is operations.CREATE_EMBEDDINGS and result is not None:
            run_checked(lambda result=result: embeddings.parse_vectors(result, 3))
            assert isinstance(embeddings._count_tokens(result.usage), int | None)
    assert read
    for body in invalid_bodies(BODIES[operation.name], [HUGE, [HUGE], {"a": HUGE}]):
        run_checked(lambda body=body: operation.parse(body))


@pytest.mark.parametrize("api", REQUESTS)
def test_any_dialect_parses_any_value(api: str) -> None:
    """Each invalid value in a chat response gives a response or a documented error."""
    dialect, visited = DIALECTS[api], set[KeyPath]()
    for content in bodies().plain[api]:
        for body in invalid_bodies(json.loads(content), INVALID, visited):
            response = run_checked(lambda body=body: dialect.parse(dialect.endpoint.parse(body)))
            if response is not None:
                check_views(response)


# Bytes that replace a value of a JSON document; many are invalid JSON.
RAW: dict[str, bytes] = {
    "deep lists": b"[" * 1_000 + b"]" * 1_000,
    "deep dicts": b'{"a":' * 1_000 + b"1" + b"}" * 1_000,
    "deeper": b"[" * 100_000 + b"]" * 100_000,
    "the allowed depth": b"[" * 180 + b"]" * 180,
    "an int of 25 digits": b"1" * 25,
    "an int of 5,000 digits": b"1" * 5_000,
    "overflow": b"1e400",
    "minus zero": b"-0",
    "NaN": b"NaN",
    "Infinity": b"-Infinity",
    "a lone surrogate": b'"\\ud800"',
    "no UTF-8": b'"\xff"',
    "a key twice": b'{"a":1,"a":[]}',
    "a comment": b"/**/1",
    "nothing": b"",
    "zero bytes": b'"\\u0000\x00"',
}
# Complete bodies.
CONTENTS: dict[str, bytes] = {
    **RAW,
    "a BOM": b"\xef\xbb\xbf{}",
    "UTF-16": '{"id":"x"}'.encode("utf-16"),
    "no images and no cost": b'{"data":[],"usage":{"cost_in_usd_ticks":0}}',
    "a list": b"[]",
    "a text": b'"data: x"',
    "deep headers": b'{"result":{},"provider":"x","response_headers":{"a":%s}}'
    % (b"[" * 1_000 + b"]" * 1_000),
    "deep headers of an error": b'{"error":"x","headers":{"a":%s}}' % (b"[" * 180 + b"]" * 180),
    "a deep error": b'{"error":%s}' % (b'{"error":' * 150 + b"1" + b"}" * 150),
    "stream in one piece": b"data: [[[[\n\n",
}
_PLACEHOLDER = "placeholder"


def raw_contents(document: Any, visited: set[KeyPath] | None = None) -> Iterator[bytes]:
    """Yield the document with each of the ``RAW`` bytes at each path."""
    for body in invalid_bodies(document, [_PLACEHOLDER], visited):
        text = json.dumps(body).encode()
        yield from (text.replace(b'"%s"' % _PLACEHOLDER.encode(), raw) for raw in RAW.values())


class FixedGateway:
    """A gateway in the same process that returns fixed responses, and its clients."""

    def __init__(self) -> None:
        self.contents = [b""]
        self.status = 200
        self.headers: dict[str, str] = {}
        self.requests = 0
        http = httpx.Client(transport=httpx.MockTransport(self._handle))
        self.gateway = Gateway(SETTINGS, http_client=http)
        self.model = ChatModel(SETTINGS, http_client=http)

    def receive(self) -> HTTPResponse:
        """Return the next response."""
        content = self.contents[min(self.requests, len(self.contents) - 1)]
        self.requests += 1
        headers = {"content-type": "application/json", **self.headers}
        return HTTPResponse(self.status, headers, content)

    def _handle(self, _request: httpx.Request) -> httpx.Response:
        response = self.receive()
        return httpx.Response(
            response.status, content=response.content, headers=dict(response.headers)
        )

    def respond_with(self, *contents: bytes, status: int = 200, **headers: str) -> None:
        """Set the contents of the next responses, in order; the last one is repeated."""
        self.contents, self.status, self.headers, self.requests = [*contents], status, headers, 0


class Clock:
    """A clock that advances only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Advance the clock."""
        self.now += seconds


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FixedGateway]:
    """A gateway with fixed responses, whose clients sleep without waiting."""
    clock = Clock()
    monkeypatch.setattr("xai_lowcode.transport.config.monotonic", clock)
    monkeypatch.setattr("xai_lowcode.transport.sync_client.monotonic", clock)
    monkeypatch.setattr("xai_lowcode.transport.sync_client.sleep", clock.sleep)
    fixed = FixedGateway()
    with fixed.gateway:
        yield fixed


@pytest.fixture
def sans_io(server: FixedGateway, monkeypatch: pytest.MonkeyPatch) -> FixedGateway:
    """The same gateway, but its responses reach the flows of the clients without httpx."""
    monkeypatch.setattr(SyncAPIClient, "_send", lambda _client, _step: (server.receive(), None))
    return server


IDS = dict.fromkeys(("model_id", "response_id", "request_id", "file_id", "batch_job_id"), "x")
STATUSES = [200, 202, 302, 400, 401, 429, 502]


def chat(api: str) -> ChatRequest:
    hello = (Message("user", (TextPart("Hi"),)),)
    return ChatRequest(model="grok-4.3", messages=hello, api=api, max_tokens=9)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_any_endpoint_parses_any_content(operation: Endpoint[Any], sans_io: FixedGateway) -> None:
    """Invalid JSON at each path, and other contents with any status, give a result or our error."""
    call = Call(operation, b"{}", ids=IDS)

    def execute() -> Any:
        return sans_io.gateway.execute(call_and_parse(call, sans_io.gateway.context))

    for content in raw_contents(BODIES[operation.name]):
        sans_io.respond_with(content)
        check_properties(run_checked(execute))
    for content, status in product(CONTENTS.values(), STATUSES):
        sans_io.respond_with(content, status=status)
        check_properties(run_checked(execute))


@pytest.mark.parametrize("api", REQUESTS)
def test_a_model_parses_any_content(api: str, sans_io: FixedGateway) -> None:
    """The chat model that both adapters use raises documented errors only, for any content."""
    request, visited, responses = chat(api), set[KeyPath](), 0
    for body in bodies().plain[api]:
        for content in raw_contents(json.loads(body), visited):
            sans_io.respond_with(content)
            response = run_checked(lambda: sans_io.model.generate(request))
            if response is not None:
                responses += 1
                check_views(response)
    for content, status in product(CONTENTS.values(), STATUSES):
        sans_io.respond_with(content, status=status)
        run_checked(lambda: sans_io.model.generate(request))
    assert responses


@pytest.mark.parametrize("api", REQUESTS)
@given(content=st.binary(max_size=60) | json_values.map(json.dumps).map(str.encode))
def test_a_model_parses_any_bytes(api: str, content: bytes) -> None:
    """The chat model raises documented errors only, for random bytes."""
    server = FixedGateway()
    for status in (200, 400):
        server.respond_with(content, status=status)
        run_checked(lambda: server.model.generate(chat(api)))


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_other_flows_parse_any_content(content: bytes, server: FixedGateway) -> None:
    """Embeddings, token counts, downloads, uploads and file lists raise documented errors only."""
    gateway, texts = server.gateway, ["a", "b"]
    counter = TokenCounter(gateway, AsyncGateway(SETTINGS))
    for status in STATUSES:
        server.respond_with(content, status=status)
        run_checked(lambda: gateway.embed(EmbeddingRequest(texts=texts)))
        run_checked(lambda status=status: counter.count(f"text {status}", model="m"))
        run_checked(lambda: gateway.download_file("f"))
        run_checked(lambda: gateway.upload_file(b"abc", name="a.txt"))
        run_checked(lambda: [*gateway.iterate_files()])


INVALID_IDS = ["", "a/b", "..", " ", "\ud800", "x" * 600, "é", "a?b", "id\n"]


@pytest.mark.parametrize("request_id", [*INVALID_IDS, None, 5, [], {}, ["x"]], ids=ascii)
def test_an_invalid_request_id_is_an_invalid_response(
    request_id: Any, server: FixedGateway
) -> None:
    """A deferred completion with an invalid request id raises `InvalidResponseError`, unpolled."""
    server.respond_with(json.dumps({"request_id": request_id}).encode())
    polling = PollingOptions(timeout=0.01, initial_delay=0.001)
    with pytest.raises(InvalidResponseError):
        server.model.generate(chat("chat_completions"), polling)
    assert server.requests == 1


@pytest.mark.parametrize("token_id", [-1, 2**63 - 1, 2**63, 2**64, "9" * 30, "9" * 5_000, 1e30])
def test_token_ids_have_64_bits_or_are_rejected(token_id: Any, server: FixedGateway) -> None:
    """Token ids are stored in arrays of 64-bit integers; others are rejected."""
    tokens = [{"token_id": token_id, "string_token": "a"}]
    server.respond_with(json.dumps({"token_ids": tokens}).encode())
    ids = run_checked(lambda: server.model.tokens.ids("a", model="m"))
    assert ids in (None, [token_id])
    assert (ids is None) == (token_id not in (-1, 2**63 - 1))


@pytest.mark.parametrize("vector", [["nan"], ["inf", 1], [1e308, 1e308], "AADAfw==", "AACAfw=="])
def test_vectors_with_nan_or_infinity_are_rejected(vector: Any, server: FixedGateway) -> None:
    """NaN and infinity are rejected, as strings and in base64."""
    server.respond_with(json.dumps({"data": [{"embedding": vector}]}).encode())
    batch = run_checked(lambda: server.gateway.embed(EmbeddingRequest(texts=["a"])))
    assert (batch is None) == (vector != [1e308, 1e308])


@pytest.mark.parametrize("size", [None, -1, -(2**63), 4, 2**62, "2", "-2", 2.0, 1e300, "1" * 5_000])
def test_an_invalid_size_does_not_resume_an_upload(size: Any, server: FixedGateway) -> None:
    """An upload is resumed at an offset inside its file, or not at all."""
    record = {"id": "f", "bytes": size, "upload_status": "Uploading"}
    server.respond_with(json.dumps(record).encode())
    job = Upload(b"abc", "a.txt", file_id="f", size=3)
    failed: XAILowCodeError | None = None
    try:
        server.gateway.upload_file(job)
    except XAILowCodeError as error:
        failed = error
    assert (failed is None) == (size in {"2", 2.0})
    assert failed is None or server.requests == 1
    assert not isinstance(failed, UsageError) or failed.field == "source"
    assert 0 <= job.sent <= 3


NAMES = [
    *INVALID_IDS,
    "//[x",
    "http://[x/a.png",
    "data:",
    "data:,",
    "a\0b.png",
    "[::1",
    "x" * 10**5,
]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name[:20]))
@pytest.mark.parametrize("content_type", [None, "", "x" * 10**5, "text/"])
def test_a_file_of_any_name_is_downloaded(
    name: str, content_type: str | None, server: FixedGateway
) -> None:
    """Any file name has a content type, and content may resemble an envelope."""
    record = {"id": "f", "filename": name, "content_type": content_type, "bytes": 4}
    enveloped = b'{"result":%s}' % (b"[" * 220 + b"]" * 220)
    for content in (b"abcd", b"abc", b"\xef\xbf\xbda", b'{"a', b'"\\ud800"', enveloped):
        server.respond_with(json.dumps(record, ensure_ascii=True).encode(), content)
        run_checked(lambda: server.gateway.download_file("f"))


def test_a_content_type_is_guessed_if_mimetypes_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that newer versions of Python reject as a URL has the default content type."""

    def refuse(_name: str) -> tuple[str, None]:
        raise ValueError("Invalid IPv6 URL")

    monkeypatch.setattr("mimetypes.guess_type", refuse)
    assert _guess_content_type("//[x") == "application/octet-stream"


@pytest.mark.parametrize("path", ["usage", "prompt_tokens", "index", "cost_in_usd_ticks"])
def test_a_response_without_images_and_cost_is_invalid(path: str, server: FixedGateway) -> None:
    """A response without images and without a cost raises `InvalidResponseError`."""
    server.respond_with(json.dumps({"data": [], "usage": {path: 0}}).encode())
    with pytest.raises(InvalidResponseError):
        server.gateway.create_images(ImageRequest(prompt="a fox"))


RETRY_AFTER_VALUES = [
    *("Mon, 23 Nov 2026 09:00:10 GMT", "Mon, 23 Nov 99999 09:00:10 GMT", "", " ", "soon", ","),
    *("Mon, 23 Nov 99999999999999999999 09:00:10 GMT", "Mon, 99 Foo 99999 1:1:1 +9999"),
    *("Mon, 23 Nov 2026 09:00:10 +99999999999", "Mon, 23 Nov 2026 09:00:10 -0000", "1 2 3 4 5"),
    *("Mon, 23 Nov 9999 23:59:59 -2359", "Mon, 01 Jan 0001 00:00:00 +2359", "23 Nov 26 9:9:9"),
    *("Mon, 23 Nov 2026 99999999999999999999:00:10 GMT", "Mon, -1 Nov -1 -1:-1:-1 -1", ":::"),
    *("0", "-0", "-1", "1e400", "-1e400", "1e300", "nan", "inf", "-inf", "Infinity", "1_0", "٣"),
    *(
        "1" * 400,
        "1" * 5_000,
        "0." + "0" * 5_000 + "1",
        "0x10",
        "1,5",
        "\ud800",
        "\0",
        "1767225600",
    ),
]


DATES = ["", *RETRY_AFTER_VALUES[:3], RETRY_AFTER_VALUES[6], RETRY_AFTER_VALUES[10]]


@pytest.mark.parametrize("name", ["retry-after", "retry-after-ms"])
def test_any_retry_after_is_bounded_or_none(name: str) -> None:
    """The delay of any ``retry-after`` is between zero and the maximum, or None."""
    for value, date in product(RETRY_AFTER_VALUES, DATES):
        seconds = parse_retry_after({name: value, "date": date})
        assert seconds is None or 0 <= seconds <= MAX_VALID_RETRY_AFTER, (value, date)
        for headers, document in (
            ({name: value, "date": date}, {"error": "slow"}),
            ({}, {"error": "slow", "headers": {name: value, "date": date}}),
            ({name: value}, {"error": "slow", "response_headers": {name: [value]}}),
        ):
            error = error_from_response(429, document, headers)
            assert error is not None, (value, date)
            seconds = error.retry_after
            assert seconds is None or 0 <= seconds <= MAX_VALID_RETRY_AFTER, (headers, document)


@given(st.text(), st.text())
def test_any_retry_after_text_is_bounded_or_none(value: str, date: str) -> None:
    """The delay of any text is between zero and the maximum, or None."""
    seconds = parse_retry_after({"retry-after": value, "date": date})
    assert seconds is None or 0 <= seconds <= MAX_VALID_RETRY_AFTER


@pytest.mark.parametrize("failure", [MemoryError, KeyboardInterrupt])
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("_internal.json.loads", 200),
        ("_internal.json.orjson.loads", 200),
        ("protocol.call_flow.unwrap", 200),
        ("_internal.json.loads", 400),
        ("protocol.call_flow.build_error", 400),
        ("protocol.error_mapping.bounded", 400),
        ("protocol.error_mapping.to_plain_text", 400),
        ("redaction._pattern", 400),
    ],
)
def test_memory_errors_and_interruptions_are_raised_unchanged(
    path: str,
    status: int,
    failure: type[BaseException],
    server: FixedGateway,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`MemoryError` and `KeyboardInterrupt` are neither wrapped nor retried."""

    def fail(*_: Any, **__: Any) -> None:
        raise failure

    monkeypatch.setattr(f"xai_lowcode.{path}", fail)
    server.respond_with(b'{"choices": []}' if status == 200 else b'{"error": "x"}', status=status)
    with pytest.raises(failure):
        server.model.generate(chat("chat_completions"))
    assert server.requests == 1


@pytest.mark.parametrize("failure", [MemoryError, KeyboardInterrupt])
@pytest.mark.parametrize("row", ["one", "many", "images"])
def test_parsers_raise_memory_errors_and_interruptions_unchanged(
    row: str, failure: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A parser wraps neither `MemoryError` nor `KeyboardInterrupt`."""

    def fail(*_: Any, **__: Any) -> None:
        raise failure

    monkeypatch.setattr("xai_lowcode.types.resources.Model.model_validate", fail)
    monkeypatch.setattr(f"{parse_images.__module__}.get_nonempty_str", fail)
    parse: Any = {
        "one": parse_resource(Model),
        "many": parse_resources(Model, "data"),
        "images": parse_images,
    }[row]
    with pytest.raises(failure):
        parse({"data": [{"url": "u"}]})
