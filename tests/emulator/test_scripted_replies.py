"""Scripted replies: the next chat responses have the queued texts."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from xai_lowcode.emulator import Emulator, Refuse, running

Send = Callable[..., httpx.Response]
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}


def result(response: httpx.Response) -> Any:
    """Return the provider's body."""
    assert response.status_code == 200, response.text
    return response.json()["result"]


def test_every_api(
    gateway: Emulator,
    send_chat: Send,
    send_responses: Send,
    send_messages: Send,
    http: httpx.Client,
) -> None:
    """The replies are used in order by all APIs, then the fake model responds again."""
    gateway.reply("one", "two", "three", "four")
    assert result(send_chat())["choices"][0]["message"]["content"] == "one"
    assert result(send_responses())["output"][-1]["content"][0]["text"] == "two"
    assert result(send_messages())["content"][-1]["text"] == "three"
    legacy = http.post("/v1/completions", json={"model": "grok-3", "prompt": "Hello"})
    assert result(legacy)["choices"][0]["text"] == "four"
    assert result(send_chat())["choices"][0]["message"]["content"].startswith("Hello!")


def test_streams(gateway: Emulator, send_chat: Send, chunks: Callable[[str], list[Any]]) -> None:
    """A streamed reply has one chunk per token."""
    gateway.reply("Thought: I know.")
    events = chunks(send_chat(stream=True, model="grok-3").text)
    deltas = [event["choices"][0]["delta"] for event in events if event != "[DONE]"]
    assert "".join(delta.get("content") or "" for delta in deltas) == "Thought: I know."


@pytest.mark.parametrize("choice", ["auto", "required"])
def test_no_tools_are_called(gateway: Emulator, send_chat: Send, choice: str) -> None:
    """A scripted reply has no function calls, whatever the prompt and the tool choice."""
    gateway.reply("no")
    message = result(send_chat("add", tools=[TOOL], tool_choice=choice))["choices"][0]["message"]
    assert message["content"] == "no"
    assert "tool_calls" not in message


def test_limits_apply(gateway: Emulator, send_chat: Send) -> None:
    """Stop sequences and `max_tokens` apply to scripted replies."""
    gateway.reply("one two three", "one two three")
    assert (
        result(send_chat(model="grok-3", stop=[" two"]))["choices"][0]["message"]["content"]
        == "one"
    )
    choice = result(send_chat(max_tokens=2))["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("one two", "length")


def test_refused_requests_take_no_reply(gateway: Emulator, send_chat: Send) -> None:
    """An error response does not use a reply."""
    gateway.reply("one")
    gateway.inject(Refuse(429))
    assert send_chat().status_code == 429
    assert send_chat(model="unknown").status_code == 400
    assert result(send_chat())["choices"][0]["message"]["content"] == "one"


def test_option() -> None:
    """`running(replies=...)` sets the first replies, and `reset` restores them."""
    with running(replies=("one",)) as gateway:
        gateway.reply("two")
        assert gateway.replies == ["one", "two"]
        gateway.reset()
        assert gateway.replies == ["one"]
