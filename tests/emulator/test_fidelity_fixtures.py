"""Compare the emulator with the other recordings of the published gateway."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from xai_lowcode.emulator import CutStream, Emulator

Send = Callable[..., httpx.Response]
Recorded = Callable[[str], Any]
# Recordings of other providers, or of no response.
ELSEWHERE = {
    "_note": "is no answer",
    "ok_array": "no endpoint of xAI answers with an array",
}


@pytest.fixture
def fixtures(recorded: Recorded) -> Any:
    """Recorded responses of the published gateway."""
    return recorded("reference/gateway_fixtures.json")


def test_pending(
    gateway: Emulator, send_chat: Send, http: httpx.Client, fixtures: dict[str, Any]
) -> None:
    """Both recorded responses to a pending poll are available."""
    request_id = send_chat(deferred=True).json()["result"]["request_id"]
    path = f"/v1/chat/deferred-completion/{request_id}"
    fixture = fixtures["deferred_pending_empty_json_ct"]
    response = http.get(path)
    assert response.status_code == fixture["status"]
    own_body = response.json()
    assert {**own_body, "response_headers": {}} == {**fixture["body"], "response_headers": {}}
    assert fixtures["deferred_pending_no_content_type"]["never_answers"]
    gateway.deferred_pending, gateway.deferred_polls = "never", 2
    with pytest.raises(httpx.ReadTimeout):
        http.get(path, timeout=0.1)


def test_aborted_stream(gateway: Emulator, send_chat: Send, fixtures: dict[str, Any]) -> None:
    """A collected stream that is interrupted is the recorded error."""
    gateway.streaming = "buffered"
    gateway.inject(CutStream())
    response = send_chat(stream=True)
    fixture = fixtures["err_stream_aborted"]
    assert (response.status_code, response.json()) == (fixture["status"], fixture["body"])


def test_too_large(
    monkeypatch: pytest.MonkeyPatch, send_chat: Send, fixtures: dict[str, Any]
) -> None:
    """A body beyond the limit is the recorded error."""
    monkeypatch.setattr("xai_lowcode.emulator.request.BODY_LIMIT", 10)
    response, fixture = send_chat(), fixtures["err_too_large"]
    assert (response.status_code, response.json()) == (fixture["status"], fixture["body"])


def test_images(http: httpx.Client, fixtures: dict[str, Any]) -> None:
    """Images have the recorded envelope."""
    response = http.post("/v1/images/generations", json={"prompt": "a"})
    assert set(response.json()) == set(fixtures["ok_images"]["body"])


def test_each_recording_is_compared(fixtures: dict[str, Any]) -> None:
    """Every recorded response of the gateway is compared or cannot be compared."""
    texts = [path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_fid*")]
    missing = [name for name in fixtures if not any(f'"{name}"' in text for text in texts)]
    assert missing == []
    assert ELSEWHERE.keys() <= fixtures.keys()
