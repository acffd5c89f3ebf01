"""Chat and completion: all methods, sync and async, and what they send."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest
from llama_index.core.base.llms.base import BaseLLM
from llama_index.core.llms import ChatMessage
from llama_index.core.llms.function_calling import FunctionCallingLLM

from llama_index_xai_lowcode import XAILowCode
from tests.llama_index.sent import APIS, get_items, get_max_tokens, get_text
from xai_lowcode.emulator import Refuse
from xai_lowcode.errors import NotFoundError

ANSWER = 'Hello! You wrote: "Hello there". How can I help you further?'


def test_class_hierarchy() -> None:
    """The class is a ``FunctionCallingLLM``."""
    names = [base.__name__ for base in XAILowCode.__mro__]
    assert BaseLLM.__name__ in names
    assert FunctionCallingLLM.__name__ in names
    assert XAILowCode.class_name() == "XAILowCode"


@pytest.mark.parametrize("envelope", ["result", "data", "bare"])
def test_chat(
    sync_async: Any, gateway: Any, each_llm: XAILowCode, hello: Any, envelope: str
) -> None:
    """A chat returns text, xAI's body and token counts, in every envelope of the gateway."""
    gateway.envelope = envelope
    response = sync_async.call(each_llm, "chat", hello)
    assert response.message.content == ANSWER
    assert response.message.role == "assistant"
    assert response.delta is None
    assert type(response.raw) is dict
    assert get_text(response.raw) == ANSWER
    counts = response.additional_kwargs
    assert counts["finish_reason"] == "stop"
    assert counts["prompt_tokens"] == response.raw["usage"]["prompt_tokens"]
    assert counts["total_tokens"] == counts["prompt_tokens"] + counts["completion_tokens"]
    if "stop_reason" not in response.raw:  # Messages reports neither.
        assert counts["reasoning_tokens"] > 0
        assert counts["cost_usd"] > 0


def test_complete(sync_async: Any, gateway: Any, each_llm: XAILowCode) -> None:
    """A completion is the chat of one user message."""
    response = sync_async.call(each_llm, "complete", "Hello there")
    assert (response.text, str(response)) == (ANSWER, ANSWER)
    assert type(response.raw) is dict
    assert response.additional_kwargs["total_tokens"] > 0
    assert get_items(gateway.requests[-1].body, reasoning=True) == [("user", "Hello there")]


@pytest.mark.parametrize("method", ["stream_chat", "stream_complete"])
def test_streaming_methods_return_generators(llm: XAILowCode, method: str) -> None:
    """Streams are generators; async streaming methods are coroutines that return one."""
    question: Any = [ChatMessage("Hi")] if method == "stream_chat" else "Hi"
    stream = getattr(llm, method)(question)
    assert isinstance(stream, Generator)
    stream.close()

    async def check_async() -> None:
        coroutine = getattr(llm, f"a{method}")(question)
        assert inspect.iscoroutine(coroutine)
        opened = await coroutine
        assert isinstance(opened, AsyncGenerator)
        await opened.aclose()

    asyncio.run(check_async())


@pytest.mark.parametrize(
    ("api", "sent"),
    [
        ("auto", {"model", "input", "store", "include"}),
        ("chat_completions", {"model", "messages"}),
        ("messages", {"model", "messages", "max_tokens"}),
    ],
)
def test_unset_options_are_not_sent(
    gateway: Any, sync_async: Any, model: Any, hello: Any, api: str, sent: set[str]
) -> None:
    """Unset options are not sent."""
    sync_async.call(model(api=api), "chat", hello)
    assert set(gateway.requests[-1].body) == sent


@pytest.mark.parametrize(
    ("more", "call", "sent"),
    [
        ({}, {}, 0.1),
        ({"temperature": 0.2}, {}, 0.2),
        ({"temperature": 0.2}, {"temperature": 0.3}, 0.3),
        ({}, {"temperature": 0.0}, 0.0),
        ({}, {"temperature": None}, None),
    ],
)
def test_precedence(gateway: Any, model: Any, more: Any, call: Any, sent: float | None) -> None:
    """A call overrides additional_kwargs, which override fields; None removes an option."""
    model(temperature=0.1, additional_kwargs=more).chat([ChatMessage("Hi")], **call)
    assert gateway.requests[-1].body.get("temperature") == sent


@pytest.mark.parametrize("api", APIS)
def test_the_limit_of_a_call_has_precedence(gateway: Any, model: Any, hello: Any, api: str) -> None:
    """The limit of a call overrides the field, under any name."""
    for name in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
        model(max_tokens=5, api=api).chat(hello, **{name: 7})
        assert get_max_tokens(gateway.requests[-1].body) == 7


@pytest.mark.parametrize("name", ["grok-4.7", "a-model-of-next-year"])
@pytest.mark.parametrize("api", ["auto", "chat_completions"])
def test_effort_is_sent_for_any_name(
    sync_async: Any, gateway: Any, model: Any, hello: Any, api: str, name: str
) -> None:
    """reasoning_effort is sent for unknown model names too."""
    gateway.inject(Refuse(404))
    with pytest.raises(NotFoundError):
        sync_async.call(model(name, api=api, reasoning_effort="low"), "chat", hello)
    body = gateway.requests[-1].body
    sent = body.get("reasoning", {}).get("effort") or body.get("reasoning_effort")
    assert sent == "low"


@pytest.mark.parametrize("api", ["auto", "chat_completions"])
def test_additional_kwargs_reach_known_options_and_the_body(
    gateway: Any, model: Any, hello: Any, api: str
) -> None:
    """Known options are converted; others become fields of the request body."""
    llm = model(api=api, additional_kwargs={"seed": 7, "max_completion_tokens": 30, "aura": 1})
    llm.chat(hello, extra_body={"metadata": {"a": "b"}}, previous_response_id=None)
    body = gateway.requests[-1].body
    assert (body["seed"], get_max_tokens(body)) == (7, 30)
    assert (body["aura"], body["metadata"]) == (1, {"a": "b"})
    assert "previous_response_id" not in body


def test_unknown_constructor_arguments_are_options(gateway: Any, model: Any, hello: Any) -> None:
    """Unknown arguments become part of ``additional_kwargs``."""
    llm = model(top_p=0.5)
    assert llm.additional_kwargs == {"top_p": 0.5}
    llm.chat(hello)
    assert gateway.requests[-1].body["top_p"] == 0.5


def test_the_option_stream_is_ignored(gateway: Any, llm: XAILowCode, hello: Any) -> None:
    """The option ``stream`` is ignored."""
    assert llm.chat(hello, stream=True).message.content == ANSWER
    assert "stream" not in gateway.requests[-1].body


def test_the_model_is_an_option_of_a_call(gateway: Any, llm: XAILowCode, hello: Any) -> None:
    """The model of a call is used, and requested once."""
    llm.chat(hello, model="grok-3")
    llm.chat(hello)
    assert [request.body["model"] for request in gateway.requests] == ["grok-3", "grok-4.7"]


def test_fields_can_be_assigned(gateway: Any, model: Any, hello: Any) -> None:
    """Assigned fields are used by the next call, base URL and token included."""
    llm = model(api_token="at_rwrong")
    with pytest.raises(Exception, match="403"):
        llm.chat(hello)
    llm.api_token, llm.max_tokens, llm.model = gateway.api_token, 5, "grok-3"
    response = llm.chat(hello)
    assert get_max_tokens(gateway.requests[-1].body) == 5
    assert response.additional_kwargs["finish_reason"] == "length"


@pytest.mark.parametrize("name", ["grok-4.7", "grok-3-mini", "grok-3"])
@pytest.mark.parametrize("stop", ["Hello there", ["nowhere", "Hello there"]])
def test_stop_works_on_every_model(
    sync_async: Any, model: Any, hello: Any, name: str, stop: Any
) -> None:
    """Stop sequences end the text, streamed or not, also if the model rejects the option."""
    llm = model(name)
    plain = sync_async.call(llm, "chat", hello, stop=stop)
    last = sync_async.stream(llm, "stream_chat", hello, stop=stop)[-1]
    assert plain.message.content == last.message.content == 'Hello! You wrote: "'
    assert last.additional_kwargs["finish_reason"] == "stop"


@pytest.mark.parametrize("api", APIS)
def test_completion_to_prompt_is_applied_once(
    gateway: Any, model: Any, sync_async: Any, api: str
) -> None:
    """A prompt is formatted unless ``formatted`` is True."""
    llm = model(api=api, completion_to_prompt=lambda prompt: f"<{prompt}>")
    sync_async.call(llm, "complete", "a")
    sync_async.call(llm, "complete", "a", formatted=True)
    sync_async.stream(llm, "stream_complete", "b")
    (first,), (second,), (third,) = (get_items(request.body) for request in gateway.requests)
    assert (first, second, third) == (("user", "<a>"), ("user", "a"), ("user", "<b>"))


def test_logprobs(sync_async: Any, model: Any, hello: Any) -> None:
    """Log probabilities have the token first, then its alternatives; streams accumulate them."""
    llm = model("grok-3", logprobs=True, top_logprobs=3)
    plain = sync_async.call(llm, "chat", hello)
    *pieces, last = sync_async.stream(llm, "stream_chat", hello)
    assert "".join(token[0].token for token in plain.logprobs) == ANSWER
    assert {len(token) for token in plain.logprobs} == {3}
    assert [piece.logprobs[0][0].token for piece in pieces] == [piece.delta for piece in pieces]
    assert last.logprobs == plain.logprobs


def test_several_event_loops(llm: XAILowCode, hello: Any) -> None:
    """A model can be used by several event loops, one after another."""
    answers = [asyncio.run(llm.achat(hello)).message.content for _ in range(3)]
    assert answers == [ANSWER] * 3


def test_async_calls_do_not_block_the_event_loop(gateway: Any, llm: XAILowCode, hello: Any) -> None:
    """Twenty concurrent chats of 0.2 seconds take about as long as one."""

    async def run_concurrently() -> float:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        await asyncio.gather(*(llm.achat(hello) for _ in range(20)))
        return loop.time() - begin

    gateway.latency = 0.2
    try:
        assert asyncio.run(run_concurrently()) < 2
    finally:
        gateway.latency = 0.0


def test_a_closed_model_can_be_used(llm: XAILowCode, hello: Any) -> None:
    """A model can be used after close and aclose."""
    llm.close()
    assert llm.chat(hello).message.content == ANSWER
    llm.close()

    async def call_twice() -> None:
        for _ in range(2):
            assert (await llm.achat(hello)).message.content == ANSWER
            await llm.aclose()

    asyncio.run(llm.aclose())
    asyncio.run(call_twice())
    assert llm.chat(hello).message.content == ANSWER


@pytest.mark.parametrize("method", ["chat", "complete", "stream_chat", "stream_complete"])
def test_other_choices(sync_async: Any, model: Any, method: str) -> None:
    """With ``n``, the other choices are responses of the same kind, without the usage."""
    question: Any = [ChatMessage("Hi")] if method.endswith("chat") else "Hi"
    ask = sync_async.stream if method.startswith("stream") else sync_async.call
    answer = ask(model("grok-3"), method, question, n=3)
    last = answer[-1] if isinstance(answer, list) else answer
    others = last.additional_kwargs["other_choices"]
    bodies = [last, *others]
    assert [type(each) for each in bodies] == [type(last)] * 3
    texts = [each.message.content if method.endswith("chat") else each.text for each in bodies]
    assert all(texts)
    assert [each.additional_kwargs["finish_reason"] for each in bodies] == ["stop"] * 3
    assert ["total_tokens" in each.additional_kwargs for each in bodies] == [True, False, False]
    if isinstance(answer, list) is False:
        choices = last.raw["choices"]
        assert texts == [choice["message"]["content"] for choice in choices]
    assert last.model_dump_json()
    assert "other_choices" not in get_metadata_of_one_choice(sync_async, model, question, method)


def get_metadata_of_one_choice(sync_async: Any, model: Any, question: Any, method: str) -> Any:
    """Return the metadata of a response with one choice."""
    ask = sync_async.stream if method.startswith("stream") else sync_async.call
    answer = ask(model("grok-3"), method, question)
    return (answer[-1] if isinstance(answer, list) else answer).additional_kwargs
