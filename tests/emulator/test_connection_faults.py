"""Faults of connections and of bytes: resets, outages, invalid UTF-8, endless responses."""

import gzip
import json
import socket
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from xai_lowcode import emulator
from xai_lowcode.emulator import (
    CloseAfter,
    CutBytes,
    DoubleDone,
    Drop,
    Emulator,
    Endless,
    Fault,
    Gzip,
    Huge,
    InvalidUTF8,
    Outage,
    Reset,
    ResetUnread,
    WrongEnvelope,
    WrongType,
)

Send = Callable[..., httpx.Response]
Chunks = Callable[[str], list[Any]]
BODY = {"model": "grok-3", "messages": [{"role": "user", "content": "Hello"}]}


def raw(http: httpx.Client, *, stream: bool = False, seconds: float = 9.0) -> tuple[bytes, bool]:
    """Read the bytes of a response; return them and whether the connection broke."""
    found, end = b"", time.monotonic() + seconds
    with http.stream("POST", "/v1/chat/completions", json={**BODY, "stream": stream}) as response:
        try:
            for piece in response.iter_raw():
                found += piece
                if time.monotonic() > end:
                    break
        except httpx.RemoteProtocolError:
            return found, True
    return found, False


def knock(gateway: Emulator) -> None:
    """Open and close a connection."""
    address = urlsplit(gateway.base_url)
    socket.create_connection((str(address.hostname), int(address.port or 0)), 5).close()


def wait_for(gateway: Emulator) -> None:
    """Wait until connections are accepted again."""
    end = time.monotonic() + 30
    while True:
        try:
            knock(gateway)
        except ConnectionRefusedError:
            assert time.monotonic() < end
            time.sleep(0.01)
        else:
            return


@pytest.mark.parametrize(
    "fault",
    [Reset(), ResetUnread(), Outage(0.01), CloseAfter(), CutBytes(3), InvalidUTF8(), WrongType(),
     WrongEnvelope(), Gzip(), Gzip(broken=True), Huge(0.1), DoubleDone()],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("stream", [False, True])
def test_one_fault_one_request(
    gateway: Emulator, send_chat: Send, fault: Fault, stream: bool
) -> None:
    """After a fault the next request succeeds."""
    gateway.inject(fault)
    try:
        send_chat(stream=stream)
    except httpx.HTTPError:
        assert isinstance(fault, Reset | ResetUnread | Outage | CutBytes | Gzip)
    wait_for(gateway)
    try:
        response = send_chat(stream=stream)
    except httpx.HTTPError:
        # The client had kept the connection that was being closed at this moment.
        assert isinstance(fault, CloseAfter)
        response = send_chat(stream=stream)
    assert response.status_code == 200
    assert gateway.next_fault() is None


def test_reset(gateway: Emulator, send_chat: Send) -> None:
    """A request that meets a reset was read."""
    gateway.inject(Reset())
    with pytest.raises(httpx.ReadError, match="reset"):
        send_chat()
    assert len(gateway.requests) == 1


@pytest.mark.parametrize("fault", [Reset(), Drop(), CutBytes(3), Outage(0.01)])
def test_the_client_left_before_the_fault(
    gateway: Emulator, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault of a connection that the client has closed is no error of the emulator."""
    gateway.latency = 0.1
    gateway.inject(fault)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{gateway.base_url}/v1/chat/completions",
            params={"api_token": gateway.api_token},
            json=BODY,
            timeout=0.05,
        )
    end = time.monotonic() + 30
    while not gateway.requests or not gateway.requests[0].client_left:
        assert time.monotonic() < end
        time.sleep(0.01)
    time.sleep(0.1)  # until the fault has its effect
    assert gateway.next_fault() is None
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize("kept", [False, True])
def test_reset_unread(gateway: Emulator, send_chat: Send, kept: bool) -> None:
    """A connection can be reset before the request is read, a new one and a kept-alive one."""
    for _ in range(kept):
        send_chat()
    gateway.requests.clear()
    gateway.inject(ResetUnread())
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError)):
        send_chat()
    assert gateway.requests == []
    assert gateway.connections == 1


def test_outage(gateway: Emulator, send_chat: Send) -> None:
    """An outage closes the connection, refuses new ones, and ends."""
    gateway.inject(Outage(1.0))
    with pytest.raises(httpx.RemoteProtocolError):
        send_chat()
    with pytest.raises(httpx.ConnectError, match="refused"):
        send_chat()
    wait_for(gateway)
    assert send_chat().status_code == 200


def test_refused_connections(gateway: Emulator, send_chat: Send) -> None:
    """New connections can be refused for some time; open ones stay open."""
    send_chat()
    gateway.refuse_connections(1.0)
    assert send_chat().status_code == 200
    with pytest.raises(ConnectionRefusedError):
        knock(gateway)
    wait_for(gateway)
    assert send_chat().status_code == 200


def test_stopping_during_an_outage() -> None:
    """The emulator can be stopped while it refuses connections."""
    from xai_lowcode.emulator import running  # noqa: PLC0415 - used here alone

    before = time.monotonic()
    with running() as gateway:
        gateway.refuse_connections(60)
    assert time.monotonic() - before < 30


def test_close_after(gateway: Emulator, send_chat: Send) -> None:
    """A keep-alive connection is closed after a complete response."""
    gateway.inject(CloseAfter())
    response = send_chat()
    assert response.status_code == 200
    assert "close" not in response.headers.get("connection", "")
    try:
        response = send_chat()
    except httpx.HTTPError:
        # The connection was being closed at this moment.
        response = send_chat()
    assert response.status_code == 200
    assert gateway.connections == 2


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("number", [0, 1, 7, 100])
def test_cut_bytes(gateway: Emulator, http: httpx.Client, stream: bool, number: int) -> None:
    """The connection is closed after the given number of bytes."""
    gateway.inject(CutBytes(number))
    found, broke = raw(http, stream=stream)
    assert (len(found), broke) == (number, True)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("streaming", ["live", "buffered"])
@pytest.mark.parametrize("prompt", ["Hello", "say 'né'"])
def test_half_character(
    gateway: Emulator, send_chat: Send, stream: bool, streaming: Any, prompt: str
) -> None:
    """The response is complete, but not valid UTF-8."""
    gateway.streaming = streaming
    gateway.inject(InvalidUTF8())
    response = send_chat(prompt, stream=stream)
    with pytest.raises(UnicodeDecodeError):
        response.content.decode()
    assert response.content.endswith(b"[DONE]\n\n" if stream else b"}")


@pytest.mark.parametrize("stream", [False, True])
def test_wrong_type(gateway: Emulator, send_chat: Send, stream: bool) -> None:
    """The body is right and the content type wrong."""
    gateway.inject(WrongType("text/plain"))
    response = send_chat(stream=stream)
    assert response.headers["content-type"] == "text/plain"
    assert response.text.startswith("data: " if stream else '{"message"')


@pytest.mark.parametrize(
    ("envelope", "places"),
    [
        ("double", ("result", "result")),
        ("data", ("data",)),
        ("bare", ()),
        ("result", ("result",)),
    ],
)
def test_wrong_envelope(gateway: Emulator, send_chat: Send, envelope: Any, places: Any) -> None:
    """One response can have another envelope."""
    gateway.inject(WrongEnvelope(envelope))
    body = send_chat().json()
    for place in places:
        body = body[place]
    assert body["object"] == "chat.completion"


@pytest.mark.parametrize("stream", [False, True])
def test_gzip(gateway: Emulator, http: httpx.Client, stream: bool) -> None:
    """A response can be compressed although the client does not accept it, or truncated."""
    gateway.inject(Gzip(), Gzip(broken=True))
    http.headers["accept-encoding"] = "identity"
    assert b"Hello" in gzip.decompress(raw(http, stream=stream)[0]) or stream
    with pytest.raises(EOFError):
        gzip.decompress(raw(http, stream=stream)[0])


@pytest.mark.parametrize("stream", [False, True])
def test_endless(gateway: Emulator, http: httpx.Client, stream: bool) -> None:
    """An endless response sends blank bytes until the client disconnects."""
    gateway.inject(Endless(0.001))
    found, broke = raw(http, stream=stream, seconds=0.1)
    assert not broke
    assert found.endswith(b"\n\n\n")
    assert b"[DONE]" not in found
    assert b'finish_reason":"stop' not in found or not stream
    assert raw(http)[0].endswith(b"}")


@pytest.mark.parametrize("stream", [False, True])
def test_huge(gateway: Emulator, http: httpx.Client, chunks: Chunks, stream: bool) -> None:
    """A padded response has the same content."""
    gateway.inject(Huge(3))
    found, _ = raw(http, stream=stream)
    assert len(found) >= 3_000_000
    if stream:
        lines = [line for line in found.decode().split("\n\n") if line.startswith("data")]
        assert chunks("\n\n".join(lines))[-1] == "[DONE]"
    else:
        assert json.loads(found)["result"]["object"] == "chat.completion"


def test_double_done(gateway: Emulator, send_chat: Send, chunks: Chunks) -> None:
    """`[DONE]` can be sent twice."""
    gateway.inject(DoubleDone())
    assert chunks(send_chat(stream=True).text)[-2:] == ["[DONE]", "[DONE]"]


def test_done_where_none_belongs(gateway: Emulator, http: httpx.Client) -> None:
    """`[DONE]` can be sent in an API that has none."""
    gateway.inject(DoubleDone())
    body = {"model": "grok-4.3", "input": "x", "stream": True}
    assert http.post("/v1/responses", json=body).text.endswith("data: [DONE]\n\n")


def test_every_fault_can_be_imported() -> None:
    """The package exports every fault."""
    names = {kind.__name__ for kind in Fault.__subclasses__()}
    assert names <= set(emulator.__all__)
    assert len(names) >= 27
