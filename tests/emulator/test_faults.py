"""Faults: each is applied to exactly one request."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from xai_lowcode.emulator import (
    CutStream,
    Drop,
    Empty,
    Emulator,
    EndStreamEarly,
    ErrorIn200,
    ErrorInStream,
    Fault,
    Garbage,
    Heartbeats,
    Html,
    NoDone,
    Redirect,
    Refuse,
    SlowDrip,
    Stall,
    StreamAsJson,
)

Send = Callable[..., httpx.Response]
Chunks = Callable[[str], list[Any]]
ALL = [
    Refuse(429),
    Html(),
    Empty(),
    Garbage(b"x", "text/plain"),
    Drop(),
    CutStream(),
    EndStreamEarly(),
    ErrorInStream(),
    ErrorIn200(),
    Stall(0.01),
    SlowDrip(0.001),
    Redirect("http://elsewhere/"),
    StreamAsJson(),
    NoDone(),
    Heartbeats(2),
]


@pytest.mark.parametrize("fault", ALL, ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize("stream", [False, True])
def test_one_fault_one_request(
    gateway: Emulator, send_chat: Send, fault: Fault, stream: bool
) -> None:
    """After a fault the next request succeeds."""
    gateway.inject(fault)
    try:
        send_chat(stream=stream)
    except httpx.RemoteProtocolError:
        assert isinstance(fault, Drop | CutStream)
    response = send_chat(stream=stream)
    assert response.status_code == 200
    assert response.text.endswith("data: [DONE]\n\n") == stream


def test_order(gateway: Emulator, send_chat: Send, http: httpx.Client) -> None:
    """Faults are applied in the order of injection, and only to API routes."""
    gateway.inject(Refuse(503), Refuse(429))
    assert http.get("/v1/nothing").status_code == 404
    assert [send_chat().status_code for _ in range(3)] == [503, 429, 200]


@pytest.mark.parametrize(
    ("shape", "error"),
    [
        ("xai", {"code": "resource-exhausted", "error": "slow"}),
        (
            "openai",
            {
                "error": {
                    "message": "slow",
                    "type": "invalid_request_error",
                    "param": None,
                    "code": "resource-exhausted",
                }
            },
        ),
        ("text", "slow"),
    ],
)
def test_refuse_by_provider(gateway: Emulator, send_chat: Send, shape: Any, error: Any) -> None:
    """A provider error has its shape inside the gateway's envelope."""
    gateway.inject(Refuse(429, "slow", shape=shape))
    response = send_chat()
    assert response.status_code == 429
    assert response.json()["error"] == error
    assert "headers" in response.json()


def test_refuse_with_empty_body(gateway: Emulator, send_chat: Send) -> None:
    """The gateway replaces an empty error by headers and status."""
    gateway.inject(Refuse(500, shape="empty"))
    body = send_chat().json()
    assert body["error"] == {"headers": body["headers"], "code": 500}


def test_refuse_as_documented(gateway: Emulator, send_chat: Send) -> None:
    """The documented error shape has no envelope."""
    gateway.inject(Refuse(400, "why", code="C", shape="documented"))
    assert send_chat().json() == {"data": {"error": {"message": "why", "code": "C"}}}


@pytest.mark.parametrize("envelope", ["result", "data", "bare"])
def test_refuse_by_gateway(gateway: Emulator, send_chat: Send, envelope: Any) -> None:
    """A gateway error has no headers; a 5xx is a failure to reach the provider."""
    gateway.envelope = envelope
    gateway.inject(Refuse(403, "no", source="gateway"), Refuse(500, "hang up", source="gateway"))
    assert send_chat().json() == {"message": "no", "provider": "xai", "error": {"code": 403}}
    assert send_chat().json() == {
        "message": "hang up",
        "provider": "xai",
        "error": {"message": "hang up"},
    }


@pytest.mark.parametrize(
    ("place", "inside", "outside"),
    [("body", "7", None), ("header", None, "7"), ("both", "7", "7")],
)
def test_retry_after(
    gateway: Emulator, send_chat: Send, place: Any, inside: str | None, outside: str | None
) -> None:
    """`Retry-After` is in the body, in the HTTP header, or in both."""
    gateway.inject(Refuse(429, retry_after=7, retry_after_in=place))
    response = send_chat()
    assert response.json()["headers"].get("retry-after") == inside
    assert response.headers.get("retry-after") == outside


@pytest.mark.parametrize(
    "fault",
    [Refuse(429, retry_after=3, source="gateway"), Refuse(429, retry_after=3, shape="documented")],
)
def test_retry_after_without_headers_in_the_body(
    gateway: Emulator, send_chat: Send, fault: Refuse
) -> None:
    """If the body has no headers, `Retry-After` is an HTTP header."""
    gateway.inject(fault)
    assert send_chat().headers["retry-after"] == "3"


def test_retry_after_without_gateway(gateway: Emulator, send_chat: Send) -> None:
    """Without an envelope, `Retry-After` is an HTTP header."""
    gateway.envelope = "bare"
    gateway.inject(Refuse(429, retry_after=0.5))
    assert send_chat().headers["retry-after"] == "0.5"


def test_bare_text(gateway: Emulator, send_chat: Send) -> None:
    """Without an envelope, error bodies can be text or empty."""
    gateway.envelope = "bare"
    gateway.inject(Refuse(503, "exploded", shape="text"), Refuse(500, shape="empty"))
    assert send_chat().text == "exploded"
    assert send_chat().text == ""


def test_html(gateway: Emulator, send_chat: Send) -> None:
    """`Html` sends an HTML page."""
    gateway.inject(Html(524))
    response = send_chat()
    assert response.status_code == 524
    assert response.headers["content-type"].startswith("text/html")
    assert "<html>" in response.text


@pytest.mark.parametrize("kind", ["application/json", None])
def test_empty(gateway: Emulator, send_chat: Send, kind: str | None) -> None:
    """`Empty` sends no body, and a content type only if it is set."""
    gateway.inject(Empty(202, kind))
    response = send_chat()
    assert (response.status_code, response.content) == (202, b"")
    assert response.headers.get("content-type") == kind


def test_garbage(gateway: Emulator, send_chat: Send) -> None:
    """`Garbage` sends exactly the given bytes."""
    gateway.inject(Garbage(b"\xff{", "application/json", 201))
    response = send_chat()
    assert (response.status_code, response.content) == (201, b"\xff{")


def test_redirect(gateway: Emulator, send_chat: Send) -> None:
    """`Redirect` sends the given location."""
    gateway.inject(Redirect("http://elsewhere/"))
    response = send_chat()
    assert (response.status_code, response.headers["location"]) == (302, "http://elsewhere/")


def test_drop(gateway: Emulator, send_chat: Send) -> None:
    """`Drop` reads the request and sends nothing."""
    gateway.inject(Drop())
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        send_chat("read me")
    assert gateway.requests[-1].body["messages"][0]["content"] == "read me"


def read_stream(http: httpx.Client, prompt: str = "Hello") -> tuple[bytes, bool]:
    """Read a stream; return its chunks and whether the connection broke."""
    body = {"model": "grok-3", "messages": [{"role": "user", "content": prompt}], "stream": True}
    received = b""
    with http.stream("POST", "/v1/chat/completions", json=body) as response:
        try:
            for chunk in response.iter_raw():
                received += chunk
        except httpx.RemoteProtocolError:
            return received, True
    return received, False


@pytest.mark.parametrize("number", [0, 1, 3])
def test_cut_stream(gateway: Emulator, http: httpx.Client, number: int) -> None:
    """`CutStream` sends the given number of chunks and closes the connection."""
    gateway.inject(CutStream(number))
    received, is_broken = read_stream(http)
    assert is_broken
    assert received.count(b"\n\n") == number
    assert received.endswith(b"\n\n" if number else b"")


def test_cut_in_mid_chunk(gateway: Emulator, http: httpx.Client) -> None:
    """With `mid_chunk` a chunk is truncated, inside a multi-byte character if it has one."""
    gateway.inject(CutStream(1, mid_chunk=True), CutStream(0, mid_chunk=True))
    received, _ = read_stream(http)
    assert received.count(b"\n\n") == 1
    assert not received.endswith(b"\n\n")
    received, _ = read_stream(http, "say 'é'")
    with pytest.raises(UnicodeDecodeError):
        received.decode()


@pytest.mark.parametrize("streaming", ["buffered", "string"])
def test_cut_of_a_collected_stream(gateway: Emulator, send_chat: Send, streaming: Any) -> None:
    """A gateway that collects the stream responds with status 500."""
    gateway.streaming = streaming
    gateway.inject(CutStream())
    response = send_chat(stream=True)
    assert (response.status_code, response.json()["message"]) == (500, "stream has been aborted")


def test_cut_of_a_plain_response(gateway: Emulator, send_chat: Send) -> None:
    """A response without streaming is cut in the middle."""
    gateway.inject(CutStream())
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
        send_chat()


def test_end_stream_early(gateway: Emulator, send_chat: Send, chunks: Chunks) -> None:
    """A stream that ends early has no finish reason and no `[DONE]`, and ends properly."""
    gateway.inject(EndStreamEarly(2), EndStreamEarly(999))
    for _ in range(2):
        received = chunks(send_chat(stream=True).text)
        assert "[DONE]" not in received
        assert all("finish_reason" not in chunk["choices"][0] for chunk in received)


def test_error_in_stream(gateway: Emulator, send_chat: Send, chunks: Chunks) -> None:
    """An error in a stream is its last line."""
    gateway.inject(ErrorInStream(2, "oh", "C"), ErrorInStream(0, "oh", None))
    received = chunks(send_chat(stream=True).text)
    assert (len(received), received[-1]) == (3, {"code": "C", "error": "oh"})
    assert chunks(send_chat(stream=True).text) == [{"error": "oh"}]


def test_error_in_200(gateway: Emulator, send_chat: Send) -> None:
    """An error can have status 200 and the envelope of a success."""
    gateway.inject(ErrorIn200("late", "C"))
    response = send_chat(stream=True)
    assert response.status_code == 200
    assert response.json()["result"] == {"code": "C", "error": "late"}


def test_stall(gateway: Emulator, send_chat: Send) -> None:
    """`Stall` delays the response."""
    gateway.inject(Stall(0.1))
    before = time.monotonic()
    assert send_chat().status_code == 200
    assert time.monotonic() - before >= 0.1


@pytest.mark.parametrize("stream", [False, True])
def test_slow_drip(gateway: Emulator, send_chat: Send, stream: bool) -> None:
    """`SlowDrip` delays every chunk, and the response is complete."""
    gateway.inject(SlowDrip(0.02))
    before = time.monotonic()
    response = send_chat(stream=stream)
    assert time.monotonic() - before >= 8 * 0.02
    assert "You wrote" in response.text or stream


def test_stream_as_json(gateway: Emulator, send_chat: Send) -> None:
    """`StreamAsJson` responds to a streaming request with JSON."""
    gateway.inject(StreamAsJson())
    assert send_chat(stream=True).json()["result"]["object"] == "chat.completion"


def test_no_done(gateway: Emulator, send_chat: Send, chunks: Chunks) -> None:
    """`NoDone` omits `[DONE]` from a complete stream."""
    gateway.inject(NoDone())
    assert chunks(send_chat(stream=True).text)[-1]["choices"][0]["finish_reason"] == "stop"


def test_heartbeats(gateway: Emulator, send_chat: Send, chunks: Chunks) -> None:
    """Heartbeats are empty deltas after the first chunk."""
    gateway.inject(Heartbeats(3))
    received = chunks(send_chat(model="grok-3", stream=True).text)
    assert [chunk["choices"][0]["delta"] for chunk in received[1:4]] == [{}] * 3
    assert received[4]["choices"][0]["delta"]["content"]
