"""Scripted replies: the next chat responses have the queued texts."""

import base64
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from xai_lowcode.emulator import Emulator, Refuse, Reply, running

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


def test_rejected_requests_use_no_reply(gateway: Emulator, send_chat: Send) -> None:
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
        assert [reply.text for reply in gateway.replies] == ["one", "two"]
        gateway.reset()
        assert [reply.text for reply in gateway.replies] == ["one"]
    with pytest.raises(ValueError, match="api_token: must begin with 'at_'"):
        Emulator(api_token="secret")


def test_token() -> None:
    """The token can be chosen, and survives a reset."""
    with running(api_token="at_chosen") as gateway:
        gateway.reset()
        assert gateway.api_token == "at_chosen"
        chosen = {"api_token": "at_chosen"}
        assert httpx.get(f"{gateway.base_url}/v1/models", params=chosen, trust_env=False).is_success


CALL = Reply(tool_calls=[("add", {"a": 1}), ("send", {})])


def test_tool_calls(
    gateway: Emulator, send_chat: Send, send_responses: Send, send_messages: Send
) -> None:
    """A reply can call functions, in every API."""
    gateway.reply(CALL, CALL, CALL)
    message = result(send_chat())["choices"][0]["message"]
    assert [call["function"]["name"] for call in message["tool_calls"]] == ["add", "send"]
    assert message["tool_calls"][0]["function"]["arguments"] == '{"a":1}'
    calls = [item for item in result(send_responses())["output"] if "call_id" in item]
    assert [(item["name"], item["arguments"]) for item in calls] == [
        ("add", '{"a":1}'),
        ("send", "{}"),
    ]
    body = result(send_messages())
    assert body["stop_reason"] == "tool_use"
    assert [part["input"] for part in body["content"] if part["type"] == "tool_use"] == [
        {"a": 1},
        {},
    ]


def test_values_are_sent_as_json(gateway: Emulator, send_responses: Send) -> None:
    """A value that is no text is written as JSON."""
    gateway.reply(Reply({"name": "Ada", "born": 1815}))
    text = result(send_responses())["output"][-1]["content"][0]["text"]
    assert text == '{"name":"Ada","born":1815}'


def test_images(gateway: Emulator, http: httpx.Client, send_chat: Send) -> None:
    """A reply with an image is for the images endpoint alone."""
    gateway.reply(Reply(image=b"image"), "one")
    assert result(send_chat())["choices"][0]["message"]["content"] == "one"
    asked = {"prompt": "x", "response_format": "b64_json"}
    body = result(http.post("/v1/images/generations", json=asked))
    assert base64.b64decode(body["data"][0]["b64_json"]) == b"image"
    assert gateway.replies == []


def test_usage(gateway: Emulator, send_chat: Send, send_responses: Send) -> None:
    """A reply can have its own usage, in the counting of each API."""
    counts = {
        "input_tokens": 100,
        "cached_tokens": 60,
        "output_tokens": 30,
        "reasoning_tokens": 20,
        "cost_in_usd_ticks": 5,
    }
    gateway.reply(*[Reply("x", usage=counts)] * 2)
    chat = result(send_chat())["usage"]
    assert (chat["prompt_tokens"], chat["completion_tokens"], chat["total_tokens"]) == (
        100,
        10,
        130,
    )
    usage = result(send_responses())["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (100, 30, 130)
    assert usage["input_tokens_details"]["cached_tokens"] == 60
    assert usage["output_tokens_details"]["reasoning_tokens"] == 20
    assert chat["cost_in_usd_ticks"] == usage["cost_in_usd_ticks"] == 5
    with pytest.raises(ValueError, match="prompt_tokens"):
        Reply(usage={"prompt_tokens": 1})


@pytest.mark.parametrize("counts", [{"output_tokens": 3}, {"input_tokens": 1}, {}])
def test_details_are_parts_of_scripted_usage(
    gateway: Emulator, send_chat: Send, send_responses: Send, counts: dict[str, int]
) -> None:
    """Cached and reasoning tokens that a reply does not set are no more than their sums."""
    gateway.reply(*[Reply("x", usage=counts)] * 2)
    usage = result(send_responses(model="grok-4.7"))["usage"]
    assert usage["output_tokens_details"]["reasoning_tokens"] <= usage["output_tokens"]
    assert usage["input_tokens_details"]["cached_tokens"] <= usage["input_tokens"]
    chat = result(send_chat(model="grok-4.7"))["usage"]
    assert chat["completion_tokens"] >= 0
    assert chat["prompt_tokens_details"]["cached_tokens"] <= chat["prompt_tokens"]


def test_conditions(gateway: Emulator, send_chat: Send) -> None:
    """A reply with a condition is used for every request that meets it."""
    gateway.reply("other", Reply("four", when=lambda body: body["model"] == "grok-4.5"))
    models = ("grok-4.5", "grok-4.7", "grok-4.5")
    texts = [result(send_chat(model=model))["choices"][0]["message"]["content"] for model in models]
    assert texts == ["four", "other", "four"]
