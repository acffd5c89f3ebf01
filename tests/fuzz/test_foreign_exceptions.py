"""Law: whatever comes as a response, nothing comes out but what was asked for, or an error of ours.

``MemoryError`` and ``KeyboardInterrupt`` are nobody's response, and come out unchanged.
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

from tests.fuzz.bodies import QUESTIONS, bodies
from tests.fuzz.invalid_values import MISSING, Place, json_values, kind_of, places, spoiled
from tests.fuzz.parsing import DIALECTS, looked_at
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
from xai_lowcode.protocol.steps import Call
from xai_lowcode.settings import Settings
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
# What each endpoint answers; those of chats are below.
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


# Values that some reader or other has no place for, as Python has them after decoding; other
# decoders than ours may let them in (recorded bodies, stubs of users' tests).
ODD: list[Any] = [
    *(MISSING, None, True, False, 0, -1, 2**63, 2**64 - 1, 10**25, 10**400, 1e300, -0.0),
    *(math.nan, math.inf, -math.inf, "", "x", "0", "-1", "1e400", "nan", "1" * 4_000, "1" * 5_000),
    *("\ud800", "\0", "é" * 300, [], {}, [None], [[]], [{}], ["\ud800"], [0, 1e300], [2**70]),
    *({"": None}, {"\ud800": 0}, {"Float": [None]}, {"Float": 5}, {"Base64": "AAAA"}),
    *(nested(codec.MAX_READ_DEPTH - 9, lambda x: [x]), nested(190, lambda x: {"a": x})),
]
# Python refuses to print it; only a reader that does not keep what it does not know can be asked
# for more than reading.
HUGE = 10**5_000


def spoiled_bodies(
    document: Any, values: list[Any], seen: set[Place] | None = None
) -> Iterator[Any]:
    """The document with each value at each kind of place that was not seen before."""
    seen = set() if seen is None else seen
    for place in places(document):
        if kind_of(place) not in seen:
            seen.add(kind_of(place))
            yield from (spoiled(document, place, value) for value in values)


def views(result: Any) -> None:
    """Whatever can be had from a result without arguments."""
    for item in result if isinstance(result, list | tuple) else [result]:
        if isinstance(item, Resource | ImageBatch | Image):
            names = [
                name for name, value in vars(type(item)).items() if isinstance(value, property)
            ]
            for name in names:
                of_ours(lambda item=item, name=name: getattr(item, name))
            views(getattr(item, "images", ()))
            assert repr(item)
        if isinstance(item, ImageBatch):
            assert isinstance(item._repr_html_(), str)


def of_ours(work: Callable[[], Any]) -> Any:
    """What comes of the work; None if it is an error of ours, which is the response's."""
    failed: XAILowCodeError
    try:
        return work()
    except XAILowCodeError as error:
        failed = error
    assert str(failed) + repr(failed.body)
    # An image that is an address is asked for its data; nothing else is the caller's fault.
    assert not isinstance(failed, UsageError) or failed.field == "response_format"
    return None


@pytest.mark.filterwarnings("ignore:xAI's moderation withheld:UserWarning")
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_any_endpoint_reads_any_value_anywhere(operation: Endpoint[Any]) -> None:
    """With each odd value at each place: what the endpoint returns, or an error of ours."""
    read = 0
    for body in spoiled_bodies(BODIES[operation.name], ODD):
        result = of_ours(lambda body=body: operation.parse(body))
        views(result)
        read += result is not None
        if operation is operations.CREATE_EMBEDDINGS and result is not None:
            of_ours(lambda result=result: embeddings.parse_vectors(result, 3))
            assert isinstance(embeddings._count_tokens(result.usage), int | None)
    assert read
    for body in spoiled_bodies(BODIES[operation.name], [HUGE, [HUGE], {"a": HUGE}]):
        of_ours(lambda body=body: operation.parse(body))


@pytest.mark.parametrize("form", QUESTIONS)
def test_any_dialect_reads_any_value_anywhere(form: str) -> None:
    """The same for each API of a chat."""
    dialect = DIALECTS[form]
    for content in bodies().plain[form]:
        for body in spoiled_bodies(json.loads(content), ODD):
            reply = of_ours(lambda body=body: dialect.parse(dialect.endpoint.parse(body)))
            if reply is not None:
                looked_at(reply)


# JSON texts that are put in place of a value, as bytes; many are no JSON.
RAW: dict[str, bytes] = {
    "deep lists": b"[" * 1_000 + b"]" * 1_000,
    "deep dicts": b'{"a":' * 1_000 + b"1" + b"}" * 1_000,
    "deeper": b"[" * 100_000 + b"]" * 100_000,
    "as deep as may be": b"[" * 180 + b"]" * 180,
    "an int of 25 digits": b"1" * 25,
    "an int of 5,000 digits": b"1" * 5_000,
    "overflow": b"1e400",
    "minus zero": b"-0",
    "NaN": b"NaN",
    "Infinity": b"-Infinity",
    "half a surrogate": b'"\\ud800"',
    "no UTF-8": b'"\xff"',
    "a key twice": b'{"a":1,"a":[]}',
    "a comment": b"/**/1",
    "nothing": b"",
    "zero bytes": b'"\\u0000\x00"',
}
# Whole contents.
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
_PLACE = "the place of it"


def raw_contents(document: Any, seen: set[Place] | None = None) -> Iterator[bytes]:
    """The document with each raw text at each kind of place."""
    for body in spoiled_bodies(document, [_PLACE], seen):
        text = json.dumps(body).encode()
        yield from (text.replace(b'"%s"' % _PLACE.encode(), raw) for raw in RAW.values())


class Answering:
    """A gateway in the same process that answers everything alike, and a client of it."""

    def __init__(self) -> None:
        self.contents = [b""]
        self.status = 200
        self.headers: dict[str, str] = {}
        self.asked = 0
        http = httpx.Client(transport=httpx.MockTransport(self._answer))
        self.gateway = Gateway(SETTINGS, http_client=http)
        self.model = ChatModel(SETTINGS, http_client=http)

    def _answer(self, _request: httpx.Request) -> httpx.Response:
        content = self.contents[min(self.asked, len(self.contents) - 1)]
        self.asked += 1
        headers = {"content-type": "application/json", **self.headers}
        return httpx.Response(self.status, content=content, headers=headers)

    def answer(self, *contents: bytes, status: int = 200, **headers: str) -> None:
        """Sets what is answered from now on, one after the other; the last one for ever."""
        self.contents, self.status, self.headers, self.asked = [*contents], status, headers, 0


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answering]:
    """What the gateway answers, and its clients, which wait for a restart without waiting."""
    clock = Clock()
    monkeypatch.setattr("xai_lowcode.transport.config.monotonic", clock)
    monkeypatch.setattr("xai_lowcode.transport.sync_client.monotonic", clock)
    monkeypatch.setattr("xai_lowcode.transport.sync_client.sleep", clock.sleep)
    made = Answering()
    with made.gateway:
        yield made


IDS = dict.fromkeys(("model_id", "response_id", "request_id", "file_id", "batch_job_id"), "x")
STATUSES = [200, 202, 302, 400, 401, 429, 502]


def chat(form: str) -> ChatRequest:
    hello = (Message("user", (TextPart("Hi"),)),)
    return ChatRequest(model="grok-4.3", messages=hello, api=form, max_tokens=9)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_any_endpoint_reads_any_content(operation: Endpoint[Any], answering: Answering) -> None:
    """With each raw text at each place of a body, and with other contents under any status."""
    call = Call(operation, b"{}", ids=IDS)
    for content in raw_contents(BODIES[operation.name]):
        answering.answer(content)
        views(
            of_ours(
                lambda: answering.gateway.execute(call_and_parse(call, answering.gateway.context))
            )
        )
    for content, status in product(CONTENTS.values(), STATUSES):
        answering.answer(content, status=status)
        views(
            of_ours(
                lambda: answering.gateway.execute(call_and_parse(call, answering.gateway.context))
            )
        )


@pytest.mark.parametrize("form", QUESTIONS)
def test_a_model_reads_any_content(form: str, answering: Answering) -> None:
    """The same for whole replies, through the class that both adapters use."""
    request, seen, replies = chat(form), set[Place](), 0
    for body in bodies().plain[form]:
        for content in raw_contents(json.loads(body), seen):
            answering.answer(content)
            reply = of_ours(lambda: answering.model.generate(request))
            if reply is not None:
                replies += 1
                looked_at(reply)
    for content, status in product(CONTENTS.values(), STATUSES):
        answering.answer(content, status=status)
        of_ours(lambda: answering.model.generate(request))
    assert replies


@pytest.mark.parametrize("form", QUESTIONS)
@given(content=st.binary(max_size=60) | json_values.map(json.dumps).map(str.encode))
def test_a_model_reads_any_bytes(form: str, content: bytes) -> None:
    """The same for whatever hypothesis thinks of."""
    answering = Answering()
    for status in (200, 400):
        answering.answer(content, status=status)
        of_ours(lambda: answering.model.generate(chat(form)))


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_other_flows_read_any_content(content: bytes, answering: Answering) -> None:
    """Vectors, counts of tokens, downloads, uploads and pages of files, from any content."""
    gateway, texts = answering.gateway, ["a", "b"]
    counter = TokenCounter(gateway, AsyncGateway(SETTINGS))
    for status in STATUSES:
        answering.answer(content, status=status)
        of_ours(lambda: gateway.embed(EmbeddingRequest(texts=texts)))
        of_ours(lambda status=status: counter.count(f"text {status}", model="m"))
        of_ours(lambda: gateway.download_file("f"))
        of_ours(lambda: gateway.upload_file(b"abc", name="a.txt"))
        of_ours(lambda: [*gateway.iterate_files()])


ODD_IDS = ["", "a/b", "..", " ", "\ud800", "x" * 600, "é", "a?b", "id\n"]


@pytest.mark.parametrize("request_id", [*ODD_IDS, None, 5, [], {}, ["x"]], ids=ascii)
def test_an_odd_ticket_is_no_fault_of_the_callers(request_id: Any, answering: Answering) -> None:
    """A promise under an id that cannot be one is an unreadable response, before it is sent."""
    answering.answer(json.dumps({"request_id": request_id}).encode())
    deferral = PollingOptions(timeout=0.01, initial_delay=0.001)
    with pytest.raises(InvalidResponseError):
        answering.model.generate(chat("chat_completions"), deferral)
    assert answering.asked == 1


@pytest.mark.parametrize("token_id", [-1, 2**63 - 1, 2**63, 2**64, "9" * 30, "9" * 5_000, 1e30])
def test_any_number_of_a_token_is_kept_or_refused(token_id: Any, answering: Answering) -> None:
    """Numbers of tokens are kept in arrays, which have 64 bits for each."""
    tokens = [{"token_id": token_id, "string_token": "a"}]
    answering.answer(json.dumps({"token_ids": tokens}).encode())
    ids = of_ours(lambda: answering.model.tokens.ids("a", model="m"))
    assert ids in (None, [token_id])
    assert (ids is None) == (token_id not in (-1, 2**63 - 1))


@pytest.mark.parametrize("vector", [["nan"], ["inf", 1], [1e308, 1e308], "AADAfw==", "AACAfw=="])
def test_a_vector_holds_finite_numbers(vector: Any, answering: Answering) -> None:
    """Texts count as numbers, base64 holds any; NaN and infinity would spoil every comparison."""
    answering.answer(json.dumps({"data": [{"embedding": vector}]}).encode())
    batch = of_ours(lambda: answering.gateway.embed(EmbeddingRequest(texts=["a"])))
    assert (batch is None) == (vector != [1e308, 1e308])


@pytest.mark.parametrize("size", [None, -1, -(2**63), 4, 2**62, "2", "-2", 2.0, 1e300, "1" * 5_000])
def test_an_odd_size_does_not_resume_an_upload(size: Any, answering: Answering) -> None:
    """An upload goes on at a place inside its file, or not at all."""
    record = {"id": "f", "bytes": size, "upload_status": "Uploading"}
    answering.answer(json.dumps(record).encode())
    job = Upload(b"abc", "a.txt", file_id="f", size=3)
    failed: XAILowCodeError | None = None
    try:
        answering.gateway.upload_file(job)
    except XAILowCodeError as error:
        failed = error
    assert (failed is None) == (size in {"2", 2.0})
    assert failed is None or answering.asked == 1
    assert not isinstance(failed, UsageError) or failed.field == "source"
    assert 0 <= job.sent <= 3


NAMES = [*ODD_IDS, "//[x", "http://[x/a.png", "data:", "data:,", "a\0b.png", "[::1", "x" * 10**6]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name[:20]))
@pytest.mark.parametrize("content_type", [None, "", "x" * 10**6, "text/"])
def test_a_file_of_any_name_is_fetched(
    name: str, content_type: str | None, answering: Answering
) -> None:
    """The type is guessed from any name, and content that begins like an envelope may be none."""
    record = {"id": "f", "filename": name, "content_type": content_type, "bytes": 4}
    enveloped = b'{"result":%s}' % (b"[" * 220 + b"]" * 220)
    for content in (b"abcd", b"abc", b"\xef\xbf\xbda", b'{"a', b'"\\ud800"', enveloped):
        answering.answer(json.dumps(record, ensure_ascii=True).encode(), content)
        of_ours(lambda: answering.gateway.download_file("f"))


def test_a_type_is_guessed_whatever_the_guesser_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """Newer Pythons parse the name as a URL, and refuse some."""

    def refuse(_name: str) -> tuple[str, None]:
        raise ValueError("Invalid IPv6 URL")

    monkeypatch.setattr("mimetypes.guess_type", refuse)
    assert _guess_content_type("//[x") == "application/octet-stream"


@pytest.mark.parametrize("place", ["usage", "prompt_tokens", "index", "cost_in_usd_ticks"])
def test_an_answer_without_images_and_without_a_cost(place: str, answering: Answering) -> None:
    """No images at no cost, which somebody might divide, is an unreadable response."""
    answering.answer(json.dumps({"data": [], "usage": {place: 0}}).encode())
    with pytest.raises(InvalidResponseError):
        answering.gateway.create_images(ImageRequest(prompt="a fox"))


MOMENTS = [
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


DATES = ["", *MOMENTS[:3], MOMENTS[6], MOMENTS[10]]


@pytest.mark.parametrize("name", ["retry-after", "retry-after-ms"])
def test_any_wait_is_usable_or_none(name: str) -> None:
    """Whatever a header says, the wait is at least nothing and at most a year."""
    for moment, date in product(MOMENTS, DATES):
        seconds = parse_retry_after({name: moment, "date": date})
        assert seconds is None or 0 <= seconds <= MAX_VALID_RETRY_AFTER, (moment, date)
        for headers, document in (
            ({name: moment, "date": date}, {"error": "slow"}),
            ({}, {"error": "slow", "headers": {name: moment, "date": date}}),
            ({name: moment}, {"error": "slow", "response_headers": {name: [moment]}}),
        ):
            error = error_from_response(429, document, headers)
            assert error is not None, (moment, date)
            seconds = error.retry_after
            assert seconds is None or 0 <= seconds <= MAX_VALID_RETRY_AFTER, (headers, document)


@given(st.text(), st.text())
def test_any_text_is_a_wait_or_none(moment: str, date: str) -> None:
    """The same for whatever hypothesis thinks of."""
    seconds = parse_retry_after({"retry-after": moment, "date": date})
    assert seconds is None or 0 <= seconds <= MAX_VALID_RETRY_AFTER


@pytest.mark.parametrize("failure", [MemoryError, KeyboardInterrupt])
@pytest.mark.parametrize(
    ("place", "status"),
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
def test_lack_of_memory_and_interruptions_come_out(
    place: str,
    status: int,
    failure: type[BaseException],
    answering: Answering,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are no faults of a response, and are neither wrapped nor retried."""

    def fail(*_: Any, **__: Any) -> None:
        raise failure

    monkeypatch.setattr(f"xai_lowcode.{place}", fail)
    answering.answer(b'{"choices": []}' if status == 200 else b'{"error": "x"}', status=status)
    with pytest.raises(failure):
        answering.model.generate(chat("chat_completions"))
    assert answering.asked == 1


@pytest.mark.parametrize("failure", [MemoryError, KeyboardInterrupt])
@pytest.mark.parametrize("row", ["one", "many", "images"])
def test_parsers_do_not_wrap_them_either(
    row: str, failure: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same inside a parser."""

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
