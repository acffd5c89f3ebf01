"""Usage of images without a cost, and of streams that end early."""

import asyncio
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage

from llama_index_xai_lowcode import XAIImageGenerator, XAIImageToolSpec, XAIUsageEventHandler
from xai_lowcode.chat.usage_totals import UsageTotal
from xai_lowcode.emulator import CutStream, Refuse
from xai_lowcode.errors import BadRequestError, StreamInterruptedError

HELLO = [ChatMessage("Hello")]
APIS = ["chat_completions", "responses", "messages"]
METHODS = [("stream_chat", HELLO), ("stream_complete", "Hello")]


def read_first(llm: Any, method: str, given: Any, *, use_async: bool) -> None:
    """Read the first response of a stream, and close it."""

    async def aread() -> None:
        responses = await getattr(llm, f"a{method}")(given)
        await anext(responses)
        await responses.aclose()

    if use_async:
        asyncio.run(aread())
        return
    responses = getattr(llm, method)(given)
    next(responses)
    responses.close()


@pytest.mark.parametrize("use_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize(("method", "given"), METHODS)
@pytest.mark.parametrize("api", APIS)
def test_a_closed_stream_is_a_call_without_cost(
    gateway: Any, model: Any, api: str, method: str, given: Any, *, use_async: bool
) -> None:
    """A stream that is closed after its first response is counted; the sum is a lower bound."""
    llm = model("grok-4.3", api=api)
    with XAIUsageEventHandler() as usage:
        read_first(llm, method, given, use_async=use_async)
    assert usage.totals.total == UsageTotal(calls=1, calls_without_cost=1)
    assert list(usage.totals.by_model) == ["grok-4.3"]
    assert usage._calls == {}
    assert len(gateway.requests) == 1


def test_a_stream_that_is_closed_after_its_last_response_has_its_cost(
    sync_async: Any, model: Any
) -> None:
    """A stream that is closed at its last response is added with its tokens and its cost."""
    llm = model("grok-4.3")
    with XAIUsageEventHandler() as whole:
        count = len(sync_async.stream(llm, "stream_chat", HELLO))
    with XAIUsageEventHandler() as usage:
        responses = llm.stream_chat(HELLO)
        for _ in range(count):
            next(responses)
        responses.close()
    assert usage.totals.total.cost_ticks > 0
    assert usage.totals.total.calls_without_cost == whole.totals.total.calls_without_cost == 0


def test_interrupted_and_failed_calls(sync_async: Any, gateway: Any, model: Any) -> None:
    """A stream that is cut is counted; a call that is refused is not, and leaves nothing behind."""
    llm = model("grok-4.3")
    with XAIUsageEventHandler() as usage:
        for method, given in (*METHODS, ("chat", HELLO), ("complete", "Hello")):
            gateway.inject(Refuse(400, "No."))
            read = sync_async.stream if method.startswith("stream") else sync_async.call
            with pytest.raises(BadRequestError):
                read(llm, method, given)
        assert usage.totals.total == UsageTotal()
        gateway.reply("word " * 300)
        gateway.inject(CutStream(after_chunks=150))
        with pytest.raises(StreamInterruptedError):
            sync_async.stream(llm, "stream_chat", HELLO)
    assert usage.totals.total == UsageTotal(calls=1, calls_without_cost=1)
    assert usage._calls == {}


def test_images_without_a_cost_are_a_call_without_cost(
    gateway: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images whose cost the gateway does not return are counted as a call without cost."""
    monkeypatch.setattr("xai_lowcode.api.images.get_int", lambda *_: None)
    generator = XAIImageGenerator(api_token=gateway.api_token, base_url=gateway.base_url)
    (tool,) = XAIImageToolSpec(generator).to_tool_list()
    with XAIUsageEventHandler() as usage:
        tool.call(prompt="A fox", n=2)
        asyncio.run(tool.acall(prompt="A fox", n=2))
    assert usage.totals.by_tool["generate_image"] == UsageTotal(calls=2, calls_without_cost=2)
