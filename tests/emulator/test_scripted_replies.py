"""Scripted replies: the next chat responses have the queued texts."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from xai_lowcode.emulator import Emulator, Refuse, running

Ask = Callable[..., httpx.Response]
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}


def result(response: httpx.Response) -> Any:
    """Return the provider's body."""
    assert response.status_code == 200, response.text
    return response.json()["result"]


def test_every_api(
    gateway: Emulator, ask: Ask, respond: Ask, write: Ask, http: httpx.Client
) -> None:
    """The replies are used in order by all APIs, then the fake model responds again."""
    gateway.reply("one", "two", "three", "four")
    assert result(ask())["choices"][0]["message"]["content"] == "one"
    assert result(respond())["output"][-1]["content"][0]["text"] == "two"
    assert result(write())["content"][-1]["text"] == "three"
    legacy = http.post("/v1/completions", json={"model": "grok-3", "prompt": "Hello"})
    assert result(legacy)["choices"][0]["text"] == "four"
    assert result(ask())["choices"][0]["message"]["content"].startswith("Hello!")


def test_streams(gateway: Emulator, ask: Ask, chunks: Callable[[str], list[Any]]) -> None:
    """A streamed reply has one chunk per token."""
    gateway.reply("Thought: I know.")
    events = chunks(ask(stream=True, model="grok-3").text)
    deltas = [event["choices"][0]["delta"] for event in events if event != "[DONE]"]
    assert "".join(delta.get("content") or "" for delta in deltas) == "Thought: I know."


@pytest.mark.parametrize("choice", ["auto", "required"])
def test_no_tools_are_called(gateway: Emulator, ask: Ask, choice: str) -> None:
    """A scripted reply has no function calls, whatever the prompt and the tool choice."""
    gateway.reply("no")
    message = result(ask("add", tools=[TOOL], tool_choice=choice))["choices"][0]["message"]
    assert message["content"] == "no"
    assert "tool_calls" not in message


def test_limits_apply(gateway: Emulator, ask: Ask) -> None:
    """Stop sequences and `max_tokens` apply to scripted replies."""
    gateway.reply("one two three", "one two three")
    assert result(ask(model="grok-3", stop=[" two"]))["choices"][0]["message"]["content"] == "one"
    choice = result(ask(max_tokens=2))["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("one two", "length")


def test_refused_requests_take_no_reply(gateway: Emulator, ask: Ask) -> None:
    """An error response does not use a reply."""
    gateway.reply("one")
    gateway.inject(Refuse(429))
    assert ask().status_code == 429
    assert ask(model="unknown").status_code == 400
    assert result(ask())["choices"][0]["message"]["content"] == "one"


def test_option() -> None:
    """`running(replies=...)` sets the first replies, and `reset` restores them."""
    with running(replies=("one",)) as gateway:
        gateway.reply("two")
        assert gateway.replies == ["one", "two"]
        gateway.reset()
        assert gateway.replies == ["one"]
