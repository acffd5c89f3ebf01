"""An agent that waits for the user is saved as JSON and resumed, with the memory set again."""

import asyncio
import json
from typing import Any

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.memory import Memory
from llama_index.core.workflow import (
    Context,
    HumanResponseEvent,
    InputRequiredEvent,
    JsonSerializer,
)

from tests.llama_index.sent import get_kinds

pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")
SKIPPED = "Skipping serialization of known unserializable key: memory"


async def delete_file(ctx: Context, name: str) -> str:
    """Delete a file."""
    question = InputRequiredEvent(prefix=name)
    response = await ctx.wait_for_event(HumanResponseEvent, waiter_event=question, waiter_id=name)
    return f"{response.response} {name}"


async def run_until_input_is_required(llm: Any, memory: Memory) -> str:
    """Run until the agent waits; return the context as JSON."""
    handler = FunctionAgent(tools=[delete_file], llm=llm).run("Use delete_file.", memory=memory)
    async for event in handler.stream_events():
        if isinstance(event, InputRequiredEvent):
            break
    with pytest.warns(Warning, match=SKIPPED):
        saved = json.dumps(handler.ctx.to_dict(JsonSerializer()))
    await handler.cancel_run()
    return saved


async def resume(llm: Any, saved: str, memory: Memory | None) -> str:
    """Resume the run; set the memory unless it is None."""
    agent = FunctionAgent(tools=[delete_file], llm=llm)
    handler = agent.run(ctx=Context.from_dict(agent, json.loads(saved), JsonSerializer()))
    if memory is not None:
        await handler.ctx.store.set("memory", memory)
    handler.ctx.send_event(HumanResponseEvent(response="removed"))
    return str(await handler)


def test_a_saved_context_continues_with_its_memory(gateway: Any, each_llm: Any) -> None:
    """The tool call, the result and the history are sent; the token is not in the JSON."""

    async def run_agent() -> tuple[str, str, list[str]]:
        memory = Memory.from_defaults(session_id="s")
        saved = await run_until_input_is_required(each_llm, memory)
        text = await resume(each_llm, saved, memory)
        roles = [message.role.value for message in await memory.aget()]
        await memory.sql_store._async_engine.dispose()
        return saved, text, roles

    saved, text, roles = asyncio.run(run_agent())
    assert gateway.api_token not in saved
    assert "removed" in text
    assert roles == ["user", "assistant", "tool", "assistant"]
    assert len(gateway.requests) == 2
    assert get_kinds(gateway.requests[1].body) == ["user", "tool_call", "tool"]


def test_a_saved_context_forgets_its_memory(llm: Any) -> None:
    """As documented. If this fails, LlamaIndex saves the memory: simplify the page."""

    async def run_agent() -> None:
        memory = Memory.from_defaults(session_id="s")
        saved = await run_until_input_is_required(llm, memory)
        await memory.sql_store._async_engine.dispose()
        await resume(llm, saved, None)

    with pytest.raises(ValueError, match="Path 'memory' not found in state"):
        asyncio.run(run_agent())
