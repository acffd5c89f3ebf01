"""Sums of tokens and cost equal what the emulator billed, by model and by tool."""

import asyncio
from functools import reduce
from operator import add
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.caches import InMemoryCache

from langchain_xai_lowcode import XAIImageGenerationTool, XAIUsageCallbackHandler
from tests.bills import Bills, bills, image_ticks, sum_of
from tests.langchain.helpers import (
    APIS,
    SYNC_AND_ASYNC,
    TWO_QUESTIONS,
    Chat,
    collect_stream,
    create_chat,
    get_time,
    run,
)
from xai_lowcode.chat.usage_totals import UsageTotal
from xai_lowcode.emulator import CutStream, Refuse
from xai_lowcode.errors import BadRequestError

__all__ = ["bills"]

BETA = pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")


@BETA
@SYNC_AND_ASYNC
@pytest.mark.parametrize("api", APIS)
async def test_sums_equal_the_bills(chat: Chat, bills: Bills, api: str, *, use_async: bool) -> None:
    """The sums of plain, streamed, event and batch calls of several models equal the bills."""
    llm, other = create_chat(chat, api), chat(model="grok-4.7", api=api)
    await run(llm, "Before", use_async=use_async)
    bills.clear()
    with XAIUsageCallbackHandler() as usage:
        await run(llm, "Hello", use_async=use_async)
        await collect_stream(llm, "Hello", use_async=use_async)
        await protocol_stream(llm, use_async=use_async)
        with XAIUsageCallbackHandler() as inner:
            count = len(bills)
            await batch(other, ["One", "Two", "Three"], use_async=use_async)
            assert inner.totals.total == sum_of(bills[count:], api)
    both = {"callbacks": [usage]}
    with usage:  # in the block and in the callbacks: counted once
        await run(llm, "Hello", both, use_async=use_async)
    assert usage.totals.total == sum_of(bills, api)
    assert usage.totals.by_model == {
        model: sum_of([bill for bill in bills if bill["model"] == model], api)
        for model in ("grok-4.3", "grok-4.7")
    }
    assert usage.totals.by_tool == {}
    await run(llm, "After", use_async=use_async)
    assert usage.totals.total.calls == len(bills) - 1


async def protocol_stream(llm: Any, *, use_async: bool) -> None:
    """Read a stream of protocol events."""
    if use_async:
        await (await llm.astream_events("Hello", version="v3")).output
    else:
        assert llm.stream_events("Hello", version="v3").output


async def batch(llm: Any, questions: list[str], *, use_async: bool) -> None:
    """Send several prompts concurrently."""
    if use_async:
        await llm.abatch(questions)
    else:
        llm.batch(questions)


@SYNC_AND_ASYNC
async def test_usage_of_an_agent_is_summed_by_tool(
    chat: Chat, bills: Bills, *, use_async: bool
) -> None:
    """Calls inside a tool are counted for the tool; a tool without calls has no usage."""
    advisor = chat(model="grok-4.7")
    inside: Bills = []

    def get_weather(city: str) -> str:
        """Get the weather in a city."""
        before = len(bills)
        text = advisor.invoke(f"Is it sunny in {city}?").text
        inside.extend(bills[before:])
        return text

    agent = create_agent(chat(model="grok-4.3"), [get_weather, get_time])
    with XAIUsageCallbackHandler() as usage:  # in the block and in the callbacks: counted once
        await run(agent, TWO_QUESTIONS, {"callbacks": [usage]}, use_async=use_async)
    totals = usage.totals
    assert totals.total == sum_of(bills)
    assert totals.by_tool["get_time"] == UsageTotal()
    assert totals.by_tool["get_weather"] == totals.by_model["grok-4.7"]
    assert totals.by_tool["get_weather"].cost_ticks == sum_of(inside).cost_ticks > 0
    assert totals.tool_runs == {"get_weather": 1, "get_time": 1}


@SYNC_AND_ASYNC
async def test_images_are_billed_to_their_tool(
    chat: Chat, bills: Bills, *, use_async: bool
) -> None:
    """The cost of an image generation is that of its images."""
    agent = create_agent(chat(model="grok-4.3"), [XAIImageGenerationTool(n=3)])
    question: Any = {"messages": "Use generate_image: 'a fox'."}
    with XAIUsageCallbackHandler() as usage:
        state = await run(agent, question, use_async=use_async)
    images = state["messages"][-2].artifact
    ticks = image_ticks(images[0]["extras"]["model"], len(images))
    assert usage.totals.by_tool["generate_image"] == UsageTotal(calls=1, cost_ticks=ticks)
    assert usage.totals.total.cost_ticks == sum_of(bills).cost_ticks + ticks


async def test_concurrent_runs_have_separate_sums(chat: Chat, bills: Bills) -> None:
    """A context adds up the calls of its own task; a shared handler has the sum of all tasks."""
    llm = chat()

    async def ask(number: int) -> UsageTotal:
        with XAIUsageCallbackHandler() as own:
            await llm.abatch(["Hello"] * number)
        return own.totals.total

    with XAIUsageCallbackHandler() as usage:
        totals = await asyncio.gather(*map(ask, range(1, 4)))
    assert [total.calls for total in totals] == [1, 2, 3]
    assert sum(total.cost_ticks for total in totals) == sum_of(bills).cost_ticks
    assert usage.totals.total == sum_of(bills)


@SYNC_AND_ASYNC
async def test_cached_and_failed_calls_cost_nothing(
    gateway: Any, chat: Chat, bills: Bills, *, use_async: bool
) -> None:
    """Only billed calls are added, once; several choices are one call."""
    llm = chat(cache=InMemoryCache())
    with XAIUsageCallbackHandler() as usage:
        for _ in range(2):
            await run(llm, "Hello", use_async=use_async)
        await run(chat(n=2), "Hello", use_async=use_async)
        gateway.inject(Refuse(400, "No."))
        with pytest.raises(BadRequestError):
            await run(chat(), "Hello", use_async=use_async)
    assert len(bills) == 2
    assert usage.totals.total == sum_of(bills)
    assert usage._tools == {}


@SYNC_AND_ASYNC
@pytest.mark.parametrize("api", ["responses", "chat_completions", "messages"])
async def test_a_call_without_a_cost_is_counted(
    gateway: Any, chat: Chat, api: str, *, use_async: bool
) -> None:
    """A truncated stream has no cost, so that the sum is a lower bound; the call is counted."""
    gateway.reply("word " * 30 + "STOP" + " word" * 300)
    gateway.inject(CutStream(after_chunks=150))
    llm = chat(api=api)
    with XAIUsageCallbackHandler() as usage:
        if use_async:
            chunks = [chunk async for chunk in llm.astream("Hello", stop=["STOP"])]
        else:
            chunks = list(llm.stream("Hello", stop=["STOP"]))
    assert "STOP" not in "".join(chunk.text for chunk in chunks)
    total = usage.totals.total
    assert (total.calls, total.calls_without_cost, total.cost_ticks) == (1, 1, 0)
    assert "calls_without_cost=1" in repr(usage)
    assert list(usage.totals.by_model) == ["grok-4.7"]


def test_traces_name_the_provider_of_the_prices(chat: Chat) -> None:
    """Traces name the provider as LangSmith's price tables do, and as the messages do."""
    recorded: list[dict[str, Any]] = []

    class StartRecorder(XAIUsageCallbackHandler):
        def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
            recorded.append(kwargs["metadata"])
            super().on_chat_model_start(*args, **kwargs)

    llm = chat(model="grok-4.3")
    message = llm.invoke("Hello", {"callbacks": [StartRecorder()]}, model="grok-4.7")
    assert (recorded[0]["ls_provider"], recorded[0]["ls_model_name"]) == ("xai", "grok-4.7")
    provider = message.response_metadata["model_provider"]
    assert llm._get_ls_params()["ls_provider"] == provider


@SYNC_AND_ASYNC
@pytest.mark.parametrize("api", ["chat_completions", "responses"])
async def test_usage_of_the_priority_tier(chat: Chat, api: str, *, use_async: bool) -> None:
    """Usage details of the priority tier are equal, plain and streamed; each token is in one."""
    llm = create_chat(chat, api, service_tier="priority")
    plain = (await run(llm, "Hello", use_async=use_async)).usage_metadata
    chunks = await collect_stream(llm, "Hello", use_async=use_async)
    assert reduce(add, chunks).usage_metadata == plain
    for side in ("input", "output"):
        details = plain[f"{side}_token_details"]
        assert all(name.startswith("priority") for name in details)
        assert sum(details.values()) == plain[f"{side}_tokens"]
