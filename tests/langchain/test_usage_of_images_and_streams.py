"""Usage of image tools that are run without a tool call, and of streams that end early."""

from typing import Any

import pytest
from langchain_core.tools import tool

from langchain_xai_lowcode import XAIImageGenerationTool, XAIUsageCallbackHandler
from tests.bills import image_ticks
from tests.langchain.helpers import APIS, SYNC_AND_ASYNC, Chat, collect_stream, run
from xai_lowcode.chat.usage_totals import UsageTotal
from xai_lowcode.emulator import CutStream
from xai_lowcode.errors import StreamInterruptedError

MODEL = "grok-imagine-image"
ARGS = {"prompt": "A fox", "n": 2}
CALL = {"name": "generate_image", "args": ARGS, "id": "1", "type": "tool_call"}


@SYNC_AND_ASYNC
@pytest.mark.parametrize("given", [ARGS, CALL], ids=["arguments", "call"])
async def test_images_without_a_tool_call_are_billed(
    gateway: Any, given: Any, *, use_async: bool
) -> None:
    """The cost is the same with arguments and with a tool call, and added once by each handler."""
    image_tool = XAIImageGenerationTool()
    config = XAIUsageCallbackHandler()
    with XAIUsageCallbackHandler() as usage, XAIUsageCallbackHandler() as inner:
        await run(image_tool, given, {"callbacks": [config, usage]}, use_async=use_async)
    expected = UsageTotal(calls=1, cost_ticks=image_ticks(MODEL, 2))
    for handler in (usage, inner, config):
        assert handler.totals.total == expected
        assert handler.totals.by_tool == {"generate_image": expected}
        assert handler._tools == handler._images == {}
    assert len(gateway.requests) == 1


@SYNC_AND_ASYNC
async def test_images_inside_another_tool(gateway: Any, *, use_async: bool) -> None:
    """Images that a tool generates with the image tool are billed to the image tool."""
    image_tool = XAIImageGenerationTool()

    @tool
    def draw(animal: str) -> str:
        """Draw an animal."""
        return str(image_tool.invoke({"prompt": animal}))

    with XAIUsageCallbackHandler() as usage:
        await run(draw, {"animal": "fox"}, use_async=use_async)
    assert usage.totals.by_tool["generate_image"].cost_ticks == image_ticks(MODEL, 1)
    assert usage.totals.by_tool["draw"] == UsageTotal()
    assert len(gateway.requests) == 1


@SYNC_AND_ASYNC
async def test_images_without_a_cost_are_a_call_without_cost(
    gateway: Any, monkeypatch: pytest.MonkeyPatch, *, use_async: bool
) -> None:
    """Images whose cost the gateway does not return are counted as a call without cost."""
    monkeypatch.setattr("xai_lowcode.api.images.get_int", lambda *_: None)
    with XAIUsageCallbackHandler() as usage:
        await run(XAIImageGenerationTool(), CALL, use_async=use_async)
    assert usage.totals.total == UsageTotal(calls=1, calls_without_cost=1)
    assert list(usage.totals.by_model) == [MODEL]
    assert len(gateway.requests) == 1


@SYNC_AND_ASYNC
@pytest.mark.parametrize("api", APIS)
async def test_a_closed_stream_is_a_call_without_cost(
    gateway: Any, chat: Chat, api: str, *, use_async: bool
) -> None:
    """A stream that is closed after its first chunk is counted; the sum is a lower bound."""
    llm = chat(model="grok-4.3", api=api)
    with XAIUsageCallbackHandler() as usage:
        if use_async:
            chunks: Any = llm.astream("Hello")
            await anext(chunks)
            await chunks.aclose()
        else:
            chunks = llm.stream("Hello")
            next(chunks)
            chunks.close()
    assert usage.totals.total == UsageTotal(calls=1, calls_without_cost=1)
    assert list(usage.totals.by_model) == ["grok-4.3"]
    assert usage._tools == {}
    assert len(gateway.requests) == 1


@SYNC_AND_ASYNC
async def test_an_interrupted_stream_is_a_call_without_cost(
    gateway: Any, chat: Chat, *, use_async: bool
) -> None:
    """A stream that is cut after its text has begun is counted too."""
    gateway.reply("word " * 300)
    gateway.inject(CutStream(after_chunks=150))
    llm = chat()
    with XAIUsageCallbackHandler() as usage, pytest.raises(StreamInterruptedError):
        await collect_stream(llm, "Hello", use_async=use_async)
    assert usage.totals.total == UsageTotal(calls=1, calls_without_cost=1)
