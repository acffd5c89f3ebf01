"""Hostile requests: each gets a JSON response of bounded size.

The requests are sent with httpx only. The timeout is that of the client, for a test that hangs.
"""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest

from tests.cases import for_each
from xai_lowcode.emulator import Emulator, running
from xai_lowcode.emulator.handlers import ROUTES

HANGS = 60.0
MAX_RESPONSE = 1_000_000
JSON_TYPE = {"content-type": "application/json"}
ID = "no-such-id"


def path_of(path: str) -> str:
    """Return a path with values in place of its parameters."""
    for name in ("model_id", "request_id", "response_id", "file_id", "batch_job_id"):
        path = path.replace(f"{{{name}}}", ID)
    return path


ENDPOINTS = sorted({(route.method, path_of(route.path)) for route in ROUTES})
POSTS = [path for method, path in ENDPOINTS if method == "POST"]
CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """Run one emulator for all tests: a request that damages it makes the others fail."""
    with running(embeddings=True) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def client(emulator: Emulator) -> Iterator[httpx.Client]:
    """The client of all requests."""
    with httpx.Client(
        base_url=emulator.base_url,
        params={"api_token": emulator.api_token},
        trust_env=False,
        timeout=HANGS,
    ) as client:
        yield client


@pytest.fixture
def send(client: httpx.Client, emulator: Emulator) -> Iterator[Callable[..., httpx.Response]]:
    """Send a request, and check that its response is JSON, bounded, and not an internal error.

    After the requests of a test, the emulator is healthy.
    """

    def send(method: str, path: str, **options: Any) -> httpx.Response:
        response = client.request(method, path, **options)
        assert response.status_code < httpx.codes.INTERNAL_SERVER_ERROR, response.text[:500]
        assert len(response.content) < MAX_RESPONSE
        json.loads(response.content, parse_constant=pytest.fail)
        emulator.requests.clear()
        return response

    yield send
    assert client.get(f"{emulator.origin}/health-check").json() == {"status": "ok"}


# --- bodies, whatever the endpoint ---

BODIES = {
    "deep arrays": b"[" * 100_000,
    "closed deep arrays": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "closed deep objects": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "deep member": b'{"input":' + b"[" * 200 + b"]" * 200 + b"}",
    "long number": b'{"n":' + b"9" * 10_000 + b"}",
    "infinite number": b'{"temperature":1e999,"top_p":-1e999}',
    "bare number": b"1e999",
    "constant": b'{"a":NaN}',
    "not UTF-8": b'{"a":"\xff\xfe"}',
    "byte order mark": b'\xef\xbb\xbf{"a":1}',
    "lone surrogate": b'{"model":"grok-4.7","input":"\\ud800","prompt":"\\ud800"}',
    "null byte": b'{"a":"\x00"}',
    "only spaces": b"   ",
    "list": b"[]",
    "string": b'"x"',
    "open string": b'"x',
}
HEADERS: dict[str, tuple[dict[str, str], bytes | None]] = {
    "gzip of no gzip": ({"content-encoding": "gzip"}, b"{}"),
    "upper case": ({"content-encoding": "GZIP"}, gzip.compress(b"{}")),
    "cut gzip": ({"content-encoding": "gzip"}, gzip.compress(b'{"a":1}')[:-12]),
    "gzip bomb": ({"content-encoding": "gzip"}, None),
    "deflate": ({"content-encoding": "deflate"}, zlib.compress(b"{}")),
    "unknown encoding": ({"content-encoding": "zstd"}, b"{}"),
    "unknown charset": ({"content-type": "application/json; charset=x"}, b"{}"),
    "form": ({"content-type": "application/x-www-form-urlencoded"}, b"a=%ff&=&&a"),
    "no boundary": ({"content-type": "multipart/form-data"}, b"--"),
    "range": ({"range": "bytes=9-1"}, b"{}"),
    "accept nothing": ({"accept": "x/y", "accept-encoding": "gzip;q=x"}, b"{}"),
    "long value": ({"x-long": "x" * 10_000}, b"{}"),
}


@for_each("body", BODIES)
@pytest.mark.parametrize("path", POSTS)
def test_bodies(send: Callable[..., httpx.Response], path: str, body: bytes) -> None:
    send("POST", path, content=body, headers=JSON_TYPE)


@pytest.mark.parametrize("name", ["deep arrays", "closed deep objects", "deep member"])
def test_deep_json_is_refused(send: Callable[..., httpx.Response], name: str) -> None:
    response = send("POST", RESPONSES, content=BODIES[name], headers=JSON_TYPE)
    assert response.status_code == httpx.codes.BAD_REQUEST
    assert "recursion limit exceeded" in response.text


@pytest.mark.parametrize(("headers", "body"), HEADERS.values(), ids=HEADERS)
def test_headers(
    send: Callable[..., httpx.Response], headers: dict[str, str], body: bytes | None
) -> None:
    if body is None:  # a bomb; not compressed while tests are collected
        body = gzip.compress(b" " * 300_000_000, 1)
    send("POST", RESPONSES, content=body, headers={**JSON_TYPE, **headers})


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
@for_each(
    "query",
    {
        "long number": {"limit": "9" * 5000},
        "foreign digit": {"limit": "\u0663"},
        "words": {"limit": "1e9", "order": "\0", "sort_by": "__class__"},
        "long token": {"pagination_token": "x" * 10_000},
        "dots": {"format": "../.."},
        "filter": {"filter": "(" * 5000},
    },
)
def test_queries(
    send: Callable[..., httpx.Response], method: str, path: str, query: dict[str, str]
) -> None:
    send(method, path, params=query)


@pytest.mark.parametrize("method", ["PUT", "OPTIONS", "TRACE", "BREW"])
def test_methods(send: Callable[..., httpx.Response], method: str) -> None:
    assert send(method, RESPONSES).status_code == httpx.codes.NOT_FOUND


@pytest.mark.parametrize(
    "name", ["%00", "%2e%2e%2f", "%25", "x" * 20_000, "a%2Fb", "%E2%80%AE", "?", "%0d%0a"]
)
def test_paths(send: Callable[..., httpx.Response], name: str) -> None:
    for base in ("/v1/models/", "/v1/files/", "/v1/responses/", "/v1/chat/deferred-completion/"):
        send("GET", base + name)


def test_more_headers_than_the_server_reads(
    send: Callable[..., httpx.Response], emulator: Emulator
) -> None:
    # As in the gateway, the HTTP parser rejects them before the API.
    with suppress(httpx.TransportError):
        response = httpx.get(
            emulator.base_url, headers={"x-long": "x" * 1_000_000}, trust_env=False
        )
        assert response.is_client_error
    send("GET", "/v1/models")


# --- valid bodies with hostile values ---

LONG = 100_000
PROMPTS = {
    "open quotations": "\u201c" * LONG,
    "address without host": "a" * LONG,
    "digits": "1" * LONG,
    "numbers": "9e9 " * (LONG // 4),
    "huge integer": f"Call f with {'9' * 400}",
    "commas": "1,111" * (LONG // 5),
    "spaces": " " * LONG,
    "places": "in A" * (LONG // 4),
    "citations": "[[1]](" * (LONG // 6),
    "dictation": f"Say '{'word ' * (LONG // 5)}'",
    "dictations": "say \u201c" * (LONG // 5),
    "open braces": '"properties" ' + '{"a":' * (LONG // 5),
    "keys": "JSON " + " ".join(f"'k{number}'" for number in range(LONG // 8)),
    "turns": "\n\nHuman:" + " " * LONG + "x",
    "story": "story " * (LONG // 6),
    "nulls": "\0" * 1000,
    "lines": "\n" * LONG,
}
MODEL = "grok-4.20-non-reasoning"


def bodies_with(prompt: str) -> dict[str, dict[str, Any]]:
    """Return bodies of every endpoint that reads text."""
    messages = [{"role": "user", "content": prompt}]
    json_object = {"type": "json_object"}
    return {
        CHAT: {
            "model": MODEL, "n": 2, "messages": messages, "response_format": json_object,
        },
        RESPONSES: {
            "model": MODEL, "input": prompt,
            "tools": [{"type": kind} for kind in ("web_search", "x_search", "code_interpreter")],
            "tool_choice": "required",
        },
        MESSAGES: {"model": MODEL, "max_tokens": 10, "messages": messages},
        "/v1/completions": {"model": MODEL, "prompt": [prompt] * 2, "n": 2},
        "/v1/complete": {"model": MODEL, "prompt": prompt, "max_tokens_to_sample": 10},
        "/v1/embeddings": {"model": "v1", "input": prompt},
        "/v1/images/generations": {"prompt": prompt, "response_format": "url"},
    }  # fmt: skip


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
def test_prompts(send: Callable[..., httpx.Response], prompt: str) -> None:
    for path, body in bodies_with(prompt).items():
        send("POST", path, json=body)
        send("POST", path, json={**body, "stream": True}) if path == "/v1/complete" else None


NESTED = {f"d{level}": {"type": "object", "properties": {
    f"p{number}": {"$ref": f"#/$defs/d{level + 1}"} for number in range(10)
}, "required": [f"p{number}" for number in range(10)]} for level in range(20)}  # fmt: skip
MERGED = {f"d{level}": {"allOf": [{"$ref": f"#/$defs/d{level + 1}"}] * 2} for level in range(40)}
CHAIN = {f"d{level}": {"$ref": f"#/$defs/d{level + 1}"} for level in range(2_000)}
HUGE = 10**9


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _definitions(last: str, definitions: dict[str, Any]) -> dict[str, Any]:
    root = _object(a={"$ref": "#/$defs/d0"})
    return {**root, "$defs": {**definitions, last: {"type": "string"}}}


SCHEMAS: dict[str, Any] = {
    "many items": _object(a={"type": "array", "items": {"type": "string"}, "minItems": HUGE}),
    "nested items": _object(
        a={"type": "array", "minItems": HUGE, "items": {"type": "array", "minItems": HUGE, "items":
           {"type": "array", "minItems": HUGE, "items": {"type": "string"}}}}
    ),
    "unique items": _object(
        a={"type": "array", "items": {"type": "boolean"}, "minItems": HUGE, "uniqueItems": True}
    ),
    "many properties": {"type": "object", "minProperties": HUGE},
    "long string": _object(a={"type": "string", "minLength": HUGE}),
    "nested references": _definitions("d20", NESTED),
    "merged references": _definitions("d40", MERGED),
    "chain of references": _definitions("d2000", CHAIN),
    "recursive": {**_object(a={"$ref": "#"})},
    "recursive array": _object(a={"type": "array", "items": {"$ref": "#/properties/a"}}),
    "recursive union": _object(a={"anyOf": [{"$ref": "#/properties/a"}, {"type": "null"}]}),
    "own reference": {"$ref": "#"},
    "two references": {"$ref": "#/$defs/a", "$defs": {
        "a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
    "own part": {"type": "object", "allOf": [{"$ref": "#"}]},
    "reference to nothing": _object(a={"$ref": "#/$defs/none"}),
    "reference to a value": {**_object(a={"$ref": "#/default"}), "default": {"minItems": "x"}},
    "reference elsewhere": _object(a={"$ref": "https://example.com/schema"}),
    "reference that is no text": _object(a={"$ref": 5}),
    "slow pattern": _object(a={"type": "string", "pattern": "^(a+)+$"}, b={"default": "a" * 60}),
    "slow default": _object(
        a={"type": "string", "pattern": "^(a|a)*$", "default": "a" * 60 + "!"}
    ),
    "many choices": _object(
        a={"type": "string", "pattern": "a*" * 40 + "b", "default": "a" * 2000}
    ),
    "broken pattern": _object(a={"type": "string", "pattern": "(("}),
    "pattern that is no text": _object(a={"type": "string", "pattern": {}}),
    "huge bounds": _object(a={"type": "integer", "minimum": 1e308, "multipleOf": 1e-308}),
    "crossed bounds": _object(a={"type": "number", "minimum": 5, "maximum": 1}),
    "bounds that are text": _object(a={"type": "number", "minimum": "x"}),
    "multiple of zero": _object(a={"type": "integer", "multipleOf": 0}),
    "negative length": _object(a={"type": "string", "maxLength": -5}),
    "length that is text": _object(a={"type": "array", "minItems": "x"}),
    "properties that are a list": {"type": "object", "properties": []},
    "required that is a number": {"type": "object", "required": 5},
    "required numbers": {"type": "object", "required": [5, None, {}]},
    "type that is an object": _object(a={"type": {}}),
    "unknown type": _object(a={"type": "thing"}),
    "empty type": _object(a={"type": []}),
    "types that are numbers": _object(a={"type": [1, 2]}),
    "enum that is a number": _object(a={"enum": 5}),
    "long enum": _object(a={"enum": [f"v{number}" for number in range(20_000)]}),
    "format that is a list": _object(a={"type": "string", "format": []}),
    "union that is an object": _object(a={"anyOf": {}}),
    "branches that are numbers": _object(a={"anyOf": [1, 2]}),
    "examples that are a number": _object(a={"type": "string", "examples": 5}),
    "long name": _object(**{"x" * 100_000: {"type": "number"}}),
    "many names": _object(**{f"x{number}": {"type": "string"} for number in range(6_000)}),
    "many required": {"type": "object", "required": [f"x{number}" for number in range(6_000)]},
    "number": 5,
    "text": "object",
    "null": None,
    "list": [],
}  # fmt: skip


def bodies_with_schema(schema: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield bodies with a schema in each field that accepts one."""
    prompt = "Call make with 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!', 5"
    messages = [{"role": "user", "content": prompt}]
    chat = {"model": MODEL, "messages": messages}
    responses = {"model": MODEL, "input": prompt}
    function = {"name": "make", "parameters": schema}
    named = {"name": "make", "schema": schema}
    yield CHAT, {**chat, "tools": [{"type": "function", "function": function}]}
    yield CHAT, {**chat, "response_format": {"type": "json_schema", "json_schema": named}}
    yield RESPONSES, {**responses, "tools": [{"type": "function", **function}]}
    yield RESPONSES, {**responses, "text": {"format": {"type": "json_schema", **named}}}
    tool = {"name": "make", "description": "Make", "input_schema": schema}
    yield MESSAGES, {**chat, "max_tokens": 9, "tools": [tool]}
    instructions = f"Use the schema {json.dumps(schema)}"
    yield CHAT, {**chat, "messages": [{"role": "system", "content": instructions}, *messages]}


# The others are rejected.
SERVED = {
    *("many items", "unique items", "many properties", "long string", "recursive"),
    *("recursive array", "slow pattern", "slow default", "many choices", "broken pattern"),
    *("crossed bounds", "long enum", "long name"),
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas(send: Callable[..., httpx.Response], name: str) -> None:
    for path, body in bodies_with_schema(SCHEMAS[name]):
        response = send("POST", path, json=body)
        has_schema = path != MESSAGES and ("tools" in body or "text" in body)
        if has_schema:
            assert response.is_success == (name in SERVED), response.text[:500]
        if response.is_success and body.get("tools"):
            assert '"make"' in response.text


def _image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


IMAGES = [
    "http://[::1", "data:image/png;base64,\u00e4", "data:image/png;base64," + "A" * 100_000,
    "data:image/png;base64,", "x" * 100_000, "http://", "\0",
    # The header of a PNG image of 2^31 - 1 pixels in each direction.
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUn////9/////CAYAAAAAAAAA",
]  # fmt: skip


@pytest.mark.parametrize("url", IMAGES, ids=range(len(IMAGES)))
def test_images(send: Callable[..., httpx.Response], url: str) -> None:
    messages = [{"role": "user", "content": [_image(url), {"type": "text", "text": "?"}]}]
    send("POST", CHAT, json={"model": "grok-4.7", "messages": messages})
    item = {"role": "user", "content": [{"type": "input_image", "image_url": url}]}
    send("POST", RESPONSES, json={"model": "grok-4.7", "input": [item]})


def _calls(number: int) -> list[dict[str, Any]]:
    calls = [
        {"id": f"c{index}", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        for index in range(number)
    ]
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": "1"} for call in reversed(calls)
    ]
    assistant = {"role": "assistant", "content": "", "tool_calls": calls}
    return [{"role": "user", "content": "x"}, assistant, *results]


VALUES: list[tuple[str, dict[str, Any]]] = [
    (CHAT, {"messages": _calls(20_000)}),
    (CHAT, {"messages": [{"role": "user", "content": "x"}] * 50_000}),
    (CHAT, {"messages": [], "n": 2**31}),
    (CHAT, {"messages": [{"role": "user", "content": "x"}], "max_tokens": 10**300}),
    (CHAT, {"messages": [{"role": "user", "content": "x"}], "seed": 1e300}),
    (CHAT, {"messages": [{"role": "user", "content": "x"}], "temperature": -1e300}),
    (CHAT, {"messages": [{"role": "user", "content": "x"}], "stop": ["x"] * 100_000}),
    (
        CHAT,
        {
            "messages": [
                {
                    "role": "assistant",
                    "content": "",
                    "tool_calls": [
                        {
                            "id": "c",
                            "type": "function",
                            "function": {"name": "f", "arguments": "[" * 100_000},
                        }
                    ],
                }
            ]
        },
    ),
    (
        RESPONSES,
        {
            "input": [
                {
                    "type": "function_call",
                    "call_id": "c",
                    "name": "f",
                    "arguments": '{"a":' * 100_000,
                }
            ]
        },
    ),
    (RESPONSES, {"input": "x", "top_k": 10**400, "min_p": 10**300}),
    (RESPONSES, {"input": "x", "max_output_tokens": 0}),
    (RESPONSES, {"input": "x", "previous_response_id": "x" * 100_000}),
    (RESPONSES, {"input": "x", "include": ["x"] * 100_000}),
    (RESPONSES, {"input": [[]] * 1000}),
    ("/v1/completions", {"prompt": ["x"] * 20_000, "n": 128}),
    ("/v1/embeddings", {"input": "x", "dimensions": 10**9}),
    ("/v1/embeddings", {"input": ["x y z " * 50_000] * 9}),
    ("/v1/embeddings", {"input": [[1] * 100_000]}),
    ("/v1/images/generations", {"prompt": "x", "n": 10**9}),
    ("/v1/images/generations", {"prompt": "word " * 200_000}),
    ("/v1/tokenize-text", {"text": "a b " * 500_000}),
    ("/v1/files:initialize", {"name": "x" * 10_000, "content_type": "a\r\nb: c"}),
    ("/v1/files:initialize", {"name": "\u00e4", "content_type": "\u00e4"}),
    ("/v1/files:uploadChunks", {"file_id": "x", "chunk": "\u00e4"}),
    ("/v1/files/batch_upload", {"files": [{"name": "x", "content_type": "x"}] * 20_000}),
]


@pytest.mark.parametrize(("path", "body"), VALUES, ids=range(len(VALUES)))
def test_values(send: Callable[..., httpx.Response], path: str, body: dict[str, Any]) -> None:
    send("POST", path, content=json.dumps({"model": MODEL, **body}), headers=JSON_TYPE)


def test_chunks_that_are_not_strings(send: Callable[..., httpx.Response]) -> None:
    created = send("POST", "/v1/files:initialize", json={"name": "x", "content_type": "text/plain"})
    name = created.json()["result"]["file_id"]
    refused = send("POST", "/v1/files:uploadChunks", json={"file_id": name, "chunk": "\u00e4"})
    assert refused.status_code == httpx.codes.BAD_REQUEST
