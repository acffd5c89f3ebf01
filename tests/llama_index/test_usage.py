"""Sums of tokens and cost equal what the emulator billed, by model and by tool."""

import asyncio
from typing import Any

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index_instrumentation import get_dispatcher

from llama_index_xai_lowcode import (
    XAIImageGenerator,
    XAIImageToolSpec,
    XAIUsageEventHandler,
)
from tests.bills import Bills, bills, image_ticks, sum_of
from xai_lowcode.chat.usage_totals import UsageTotal
from xai_lowcode.emulator import CutStream, Refuse
from xai_lowcode.errors import BadRequestError

__all__ = ["bills"]

pytestmark = pytest.mark.filterwarnings("ignore")  # the workflows package's own deprecations

QUESTION = "How is the weather in 'Vienna'?"
HELLO = [ChatMessage("Hello")]


@pytest.mark.parametrize("api", ["chat_completions", "responses", "messages"])
def test_sums_equal_the_bills(sync_async: Any, model: Any, bills: Bills, api: str) -> None:
    """The sums of chats and completions, plain and streamed, of two models equal the bills."""
    llm, other = model("grok-4.3", api=api), model(api=api)
    sync_async.call(llm, "complete", "Before")
    bills.clear()
    with XAIUsageEventHandler() as usage:
        sync_async.call(llm, "complete", "Hello")
        sync_async.stream(llm, "stream_complete", "Hello")
        with XAIUsageEventHandler() as inner:
            count = len(bills)
            sync_async.call(other, "chat", HELLO)
            sync_async.stream(other, "stream_chat", HELLO)
        assert inner.totals.total == sum_of(bills[count:], api)
    assert usage.totals.total == sum_of(bills, api)
    assert usage.totals.by_model == {
        name: sum_of([bill for bill in bills if bill["model"] == name], api)
        for name in ("grok-4.3", "grok-4.7")
    }
    sync_async.call(llm, "complete", "After")
    assert usage.totals.total.calls == len(bills) - 1
    assert usage not in get_dispatcher().event_handlers


@pytest.mark.parametrize("api", ["chat_completions", "responses", "messages"])
def test_a_call_without_a_cost_is_counted(
    sync_async: Any, gateway: Any, model: Any, api: str
) -> None:
    """A stream that is truncated at a stop sequence is counted without a cost."""
    gateway.reply("word " * 30 + "STOP" + " word" * 300)
    gateway.inject(CutStream(after_chunks=150))
    llm = model("grok-4.7", api=api)
    with XAIUsageEventHandler() as usage:
        *_, last = sync_async.stream(llm, "stream_chat", HELLO, stop=["STOP"])
    assert "STOP" not in last.message.content
    total = usage.totals.total
    assert (total.calls, total.calls_without_cost, total.cost_ticks) == (1, 1, 0)
    assert list(usage.totals.by_model) == ["grok-4.7"]


def test_a_failed_call_costs_nothing(sync_async: Any, gateway: Any, llm: Any, bills: Bills) -> None:
    """Only billed calls are added; several choices are one call."""
    with XAIUsageEventHandler() as usage:
        sync_async.call(llm, "chat", HELLO, n=2)
        gateway.inject(Refuse(400, "No."))
        with pytest.raises(BadRequestError):
            sync_async.call(llm, "chat", HELLO)
    assert len(bills) == 1
    assert usage.totals.total == sum_of(bills)


def weather_tool(llm: Any, inside: Bills, bills: Bills, *, is_streamed: bool) -> FunctionTool:
    """Return a tool that calls a model."""

    def get_weather(city: str) -> str:
        """Get the weather in a city."""
        before = len(bills)
        question = f"Is it sunny in {city}?"
        if is_streamed:
            text = "".join(piece.delta or "" for piece in llm.stream_complete(question))
        else:
            text = llm.complete(question).text
        inside.extend(bills[before:])
        return text

    return FunctionTool.from_defaults(get_weather)


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_usage_of_an_agent_is_summed_by_tool(
    model: Any, bills: Bills, *, is_streamed: bool
) -> None:
    """Calls inside a tool are counted for the tool."""
    inside: Bills = []
    tool = weather_tool(model(), inside, bills, is_streamed=is_streamed)
    with XAIUsageEventHandler() as usage:
        await FunctionAgent(tools=[tool], llm=model("grok-4.3")).run(QUESTION)
    totals = usage.totals
    assert totals.total == sum_of(bills)
    assert totals.by_tool == {"get_weather": sum_of(inside)}
    assert totals.by_tool["get_weather"] == totals.by_model["grok-4.7"]
    assert inside
    assert totals.tool_runs == {"get_weather": 1}
    assert usage._spans._spans == usage._spans._members == {}


def test_a_tool_without_calls_costs_nothing(sync_async: Any, llm: Any, bills: Bills) -> None:
    """Runs of a tool without calls are counted, also in ``predict_and_call``."""

    def get_weather(city: str) -> str:
        """Get the weather in a city."""
        return f"Sunny in {city}"

    with XAIUsageEventHandler() as usage:
        tool = FunctionTool.from_defaults(get_weather)
        sync_async.call(llm, "predict_and_call", [tool], QUESTION)
    assert usage.totals.total == sum_of(bills)
    assert usage.totals.by_tool == {"get_weather": UsageTotal()}
    assert usage.totals.tool_runs == {"get_weather": 1}


async def test_images_are_billed_to_their_tool(gateway: Any, llm: Any, bills: Bills) -> None:
    """The cost of an image generation is that of its images."""
    generator = XAIImageGenerator(api_token=gateway.api_token, base_url=gateway.base_url)
    agent = FunctionAgent(tools=XAIImageToolSpec(generator, n=3).to_tool_list(), llm=llm)
    with XAIUsageEventHandler() as usage:
        await agent.run("Use generate_image: 'a fox'.")
    (request,) = [r for r in gateway.requests if "messages" not in r.body and "input" not in r.body]
    ticks = image_ticks(request.body["model"], request.body["n"])
    assert usage.totals.by_tool["generate_image"] == UsageTotal(calls=1, cost_ticks=ticks)
    assert usage.totals.total.cost_ticks == sum_of(bills).cost_ticks + ticks


async def test_concurrent_runs_have_separate_sums(llm: Any, bills: Bills) -> None:
    """A context adds up the calls of its own task; one around all tasks has their sum."""

    async def ask(number: int) -> UsageTotal:
        with XAIUsageEventHandler() as own:
            await asyncio.gather(*(llm.acomplete("Hello") for _ in range(number)))
        return own.totals.total

    with XAIUsageEventHandler() as usage:
        totals = await asyncio.gather(*map(ask, range(1, 4)))
    assert [total.calls for total in totals] == [1, 2, 3]
    assert usage.totals.total == sum_of(bills)


def test_a_handler_of_the_dispatcher_adds_up_all_calls(llm: Any, bills: Bills) -> None:
    """A handler of the dispatcher adds up the calls of all contexts."""
    usage = XAIUsageEventHandler()
    get_dispatcher().add_event_handler(usage)
    try:
        llm.complete("Hello")
    finally:
        get_dispatcher().event_handlers.remove(usage)
    assert usage.totals.total == sum_of(bills)
    assert bills
