"""The options: envelopes, URL formats, streaming modes, latency and compression."""

import itertools
import json
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx
import pytest

from xai_lowcode.emulator import Emulator, Refuse, running

Send = Callable[..., httpx.Response]
Chunks = Callable[[str], list[Any]]
ENVELOPES = ("result", "data", "bare")


def unwrapped(envelope: str, body: Any) -> Any:
    """Remove the envelope."""
    return body if envelope == "bare" else body[envelope]


def texts(found: list[Any]) -> str:
    """Join the text of a stream."""
    choices = [choice for chunk in found if chunk != "[DONE]" for choice in chunk["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_envelope(gateway: Emulator, send_chat: Send, envelope: Any) -> None:
    """A success has the selected envelope."""
    gateway.envelope = envelope
    response = send_chat()
    keys = {
        "result": {"message", "provider", "result", "response_headers"},
        "data": {"data"},
        "bare": {"id", "object", "created", "model", "choices", "usage", "system_fingerprint"},
    }
    assert set(response.json()) == keys[envelope]
    assert unwrapped(envelope, response.json())["object"] == "chat.completion"


def test_provider_headers(gateway: Emulator, send_chat: Send) -> None:
    """The provider's headers are in the body under `result`, and of HTTP without a gateway."""
    response = send_chat()
    names = {"x-request-id", "x-ratelimit-limit-requests", "x-ratelimit-remaining-tokens"}
    assert names <= response.json()["response_headers"].keys()
    assert not names & response.headers.keys()
    gateway.envelope = "bare"
    assert names <= send_chat().headers.keys()


@pytest.mark.parametrize("envelope", ["result", "data"])
def test_error_envelope(gateway: Emulator, send_chat: Send, envelope: Any) -> None:
    """A provider error is wrapped with its headers beside it."""
    gateway.envelope = envelope
    response = send_chat(model="nope")
    body = response.json()
    assert set(body) == {"message", "provider", "error", "headers"}
    assert body["error"] == {"code": "invalid-argument", "error": "Model not found: nope"}


def test_bare_error(gateway: Emulator, send_chat: Send) -> None:
    """Without an envelope a provider error is not wrapped; a gateway error is the same."""
    gateway.envelope = "bare"
    assert send_chat(model="nope").json()["error"] == "Model not found: nope"
    assert (
        httpx.get(gateway.base_url + "/v1/models", trust_env=False).json()["error"]["code"] == 401
    )


@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize("streaming", ["live", "buffered", "wrapped", "string"])
def test_streaming(
    gateway: Emulator, send_chat: Send, chunks: Chunks, envelope: Any, streaming: Any
) -> None:
    """Every streaming mode has the same text."""
    gateway.envelope, gateway.streaming = envelope, streaming
    response = send_chat("Olá, 你好", stream=True)
    text = unwrapped(envelope, response.json()) if streaming == "string" else response.text
    found = chunks(text)
    if streaming == "wrapped":
        found = [chunk if chunk == "[DONE]" else unwrapped(envelope, chunk) for chunk in found]
    plain = send_chat("Olá, 你好")
    gateway.streaming = "live"
    assert texts(found) == unwrapped(envelope, plain.json())["choices"][0]["message"]["content"]
    kind = "application/json" if streaming == "string" else "text/event-stream"
    assert response.headers["content-type"].startswith(kind)
    assert ("content-length" in response.headers) == (streaming in {"buffered", "string"})


def test_live_streams_have_several_chunks(gateway: Emulator, http: httpx.Client) -> None:
    """A live stream has more than one chunk."""
    body = {"model": "grok-3", "messages": [{"role": "user", "content": "story"}], "stream": True}
    with http.stream("POST", "/v1/chat/completions", json=body) as response:
        assert len(list(response.iter_raw())) > 1
    assert gateway.streaming == "live"


OLD, NEW = "/v1/models/model_id?model_id=grok-4", "/v1/models/grok-4"


@pytest.mark.parametrize(
    ("url_formats", "old", "new"),
    [("new", 404, 200), ("old", 200, 404), ("both", 200, 200), ("old_new_drops", 200, None)],
)
def test_url_formats(gateway: Emulator, url_formats: Any, old: int, new: int | None) -> None:
    """Only the selected URL formats are served; others get a 404 or a closed connection."""
    gateway.url_forms = url_formats
    token = f"api_token={gateway.api_token}"
    with httpx.Client(base_url=gateway.base_url, trust_env=False) as client:
        assert client.get(f"{OLD}&{token}").status_code == old
        if new is None:
            # The process crashes before it checks the token.
            with pytest.raises(httpx.RemoteProtocolError):
                client.get(NEW)
        else:
            assert client.get(f"{NEW}?{token}").status_code == new
        assert client.get(f"/v1/models?{token}").status_code == 200


OLD_AND_NEW = [(OLD, "both_drop"), (NEW, "old_new_drops"), (NEW, "both_drop")]


@pytest.mark.parametrize(("path", "url_formats"), OLD_AND_NEW)
def test_a_crash_closes_every_connection(path: str, url_formats: Any) -> None:
    """A crash ends other requests too, and refuses new connections until the restart."""
    with (
        running(url_forms=url_formats, restart_seconds=0.5, latency=30) as gateway,
        ThreadPoolExecutor() as pool,
        httpx.Client(base_url=gateway.base_url, trust_env=False) as client,
    ):
        token = f"api_token={gateway.api_token}"
        other = pool.submit(httpx.get, f"{gateway.base_url}/v1/models?{token}", trust_env=False)
        while not gateway.requests:
            time.sleep(0.001)
        with pytest.raises(httpx.RemoteProtocolError):
            client.get(path)
        assert isinstance(other.exception(), httpx.TransportError)
        with pytest.raises(httpx.ConnectError):
            client.get("/v1/models")
        gateway.latency = 0
        assert _get_after_restart(client, f"/v1/models?{token}").status_code == 200
        assert gateway.crashes == 1


def test_a_crash_closes_connections_that_are_being_accepted() -> None:
    """Each of many connections that are opened during crashes ends."""

    def connect_and_crash(gateway: Emulator) -> None:
        with socket.create_connection(("127.0.0.1", httpx.URL(gateway.origin).port or 0)) as client:
            client.settimeout(20)
            client.sendall(f"GET /xai{OLD} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            while client.recv(65536):
                pass

    def connect_often(gateway: Emulator) -> int:
        ended = 0
        while ended < 100:
            try:
                connect_and_crash(gateway)
            except (ConnectionRefusedError, ConnectionResetError, BrokenPipeError):
                time.sleep(0.001)
            ended += 1
        return ended

    with (
        running(url_forms="both_drop", restart_seconds=0.002) as gateway,
        ThreadPoolExecutor(8) as pool,
    ):
        assert [*pool.map(connect_often, [gateway] * 8)] == [100] * 8
        assert gateway.crashes > 1


@pytest.mark.parametrize(("path", "url_formats"), OLD_AND_NEW)
def test_a_proxy_in_front_reports_a_crash(path: str, url_formats: Any) -> None:
    """The request that crashes the process, other ones and later ones get a 502."""
    with (
        running(url_forms=url_formats, restart_seconds=0.5, latency=30, front=True) as gateway,
        ThreadPoolExecutor() as pool,
        httpx.Client(base_url=gateway.base_url, trust_env=False) as client,
    ):
        token = f"api_token={gateway.api_token}"
        other = pool.submit(httpx.get, f"{gateway.base_url}/v1/models?{token}", trust_env=False)
        while not gateway.requests:
            time.sleep(0.001)
        crash = client.get(path)
        assert (crash.status_code, crash.headers["content-type"]) == (
            502,
            "text/html; charset=UTF-8",
        )
        assert other.result().status_code == 502
        assert client.get("/v1/models").status_code == 502
        gateway.latency = 0
        assert _get_after_restart(client, f"/v1/models?{token}").status_code == 200
        assert gateway.crashes == 1


def _get_after_restart(client: httpx.Client, path: str) -> httpx.Response:
    while True:
        with suppress(httpx.TransportError):
            response = client.get(path)
            if response.status_code != 502:
                return response
        time.sleep(0.005)


def test_old_url_format_without_value(gateway: Emulator, http: httpx.Client) -> None:
    """The old URL format without its query requests a model called `null`."""
    gateway.url_forms = "old"
    response = http.get("/v1/models/model_id")
    assert response.json()["error"]["error"] == "Model not found: null"


def test_unknown_url_formats_get_the_gateways_404(gateway: Emulator, http: httpx.Client) -> None:
    """A URL format that is not served gets the gateway's 404, an unknown model the provider's."""
    assert http.get("/v1/models/nope").json()["provider"] == "xai"
    gateway.url_forms = "old"
    assert http.get(NEW).json() == {"message": "Not Found"}


def test_latency(gateway: Emulator, send_chat: Send) -> None:
    """Latency delays every response."""
    gateway.latency = 0.1
    before = time.monotonic()
    send_chat()
    assert time.monotonic() - before >= 0.1


def test_compression(gateway: Emulator, send_chat: Send) -> None:
    """With `compression` only large responses are compressed."""
    gateway.compression = True
    assert send_chat().headers["content-encoding"] == "gzip"
    assert "content-encoding" not in send_chat(model="").headers


def test_invalid_options_are_rejected(gateway: Emulator) -> None:
    """Each option rejects other values."""
    for name, wrong in itertools.product(("envelope", "url_forms", "streaming"), ("", "Live")):
        with pytest.raises(ValueError, match=name):
            setattr(gateway, name, wrong)


def test_options_of_running() -> None:
    """The options can be set at the start."""
    with running(envelope="data", url_forms="both", streaming="buffered", latency=0.01) as gateway:
        found = (gateway.envelope, gateway.url_forms, gateway.streaming, gateway.latency)
    assert found == ("data", "both", "buffered", 0.01)


def test_string_is_json(gateway: Emulator, send_chat: Send) -> None:
    """Bare and as a string, a stream is one JSON string."""
    gateway.envelope, gateway.streaming = "bare", "string"
    assert json.loads(send_chat(stream=True).text).endswith("data: [DONE]\n\n")


def test_reset_restores_the_options(gateway: Emulator, send_chat: Send) -> None:
    """A reset restores the options and removes recorded requests and faults."""
    gateway.envelope, gateway.latency = "bare", 0.01
    gateway.inject(Refuse(500))
    send_chat()
    gateway.inject(Refuse(500))
    gateway.reset()
    assert (gateway.envelope, gateway.latency, gateway.requests) == ("result", 0.0, [])
    assert send_chat().status_code == 200


def test_a_reset_keeps_the_token() -> None:
    """Clients that were created before a reset still work."""
    with running() as emulator:
        for token in (emulator.api_token, "at_another0123456789"):
            emulator.api_token = token
            emulator.reset()
            assert emulator.api_token == token
