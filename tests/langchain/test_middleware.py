"""LangChain's agent middleware: requests that it sends, and conditions that trigger it."""

from collections.abc import Callable
from typing import Any

import pytest
from langchain.agents import create_agent, middleware
from langchain.agents.middleware import (
    AgentMiddleware,
    ClearToolUsesEdit,
    ContextEditingMiddleware,
    HumanInTheLoopMiddleware,
    LLMToolSelectorMiddleware,
    ModelCallLimitMiddleware,
    ModelFallbackMiddleware,
    ModelRetryMiddleware,
    PIIMiddleware,
    SummarizationMiddleware,
    ToolCallLimitMiddleware,
    ToolRetryMiddleware,
)
from langchain_core import exceptions
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from tests.langchain.helpers import (
    APIS,
    QUESTION,
    SYNC_AND_ASYNC,
    THREAD,
    TWO_QUESTIONS,
    Chat,
    create_chat,
    get_time,
    get_weather,
    run,
)
from xai_lowcode.emulator import Drop, Refuse
from xai_lowcode.errors import BadRequestError


def sent_calls(body: dict[str, Any]) -> list[str]:
    """Return the arguments of all tool calls in a request, as sent."""
    return [
        call["function"]["arguments"]
        for message in body["messages"]
        for call in message.get("tool_calls", ())
    ]


# --- retries -------------------------------------------------------------------------------------


@SYNC_AND_ASYNC
async def test_only_transient_errors_are_retried(
    gateway: Any, chat: Chat, *, use_async: bool
) -> None:
    """LangChain's retry middleware retries transient errors; an invalid request is sent once."""
    retry = ModelRetryMiddleware(max_retries=3, initial_delay=0, jitter=False, on_failure="error")
    agent: Any = create_agent(chat(max_retries=0), [get_weather], middleware=[retry])
    for fault in (Refuse(503, "Busy"), Refuse(429, "Slow down"), Drop()):
        gateway.inject(fault)
    assert "Sunny" in (await run(agent, QUESTION, use_async=use_async))["messages"][-1].text
    assert len(gateway.requests) == 5
    gateway.reset()
    gateway.inject(Refuse(400, "No."))
    with pytest.raises(BadRequestError):
        await run(agent, QUESTION, use_async=use_async)
    assert len(gateway.requests) == 1


@SYNC_AND_ASYNC
async def test_a_failed_tool_is_retried(gateway: Any, chat: Chat, *, use_async: bool) -> None:
    """The model gets the result only, in one request."""
    attempts = []

    def unsteady_weather(city: str) -> str:
        """Get the weather in a city."""
        attempts.append(city)
        if len(attempts) < 3:
            raise ConnectionError
        return f"Sunny in {city}"

    retry = ToolRetryMiddleware(max_retries=2, initial_delay=0, jitter=False)
    agent: Any = create_agent(chat(), [unsteady_weather], middleware=[retry])
    assert "Sunny" in (await run(agent, QUESTION, use_async=use_async))["messages"][-1].text
    assert attempts == ["Vienna"] * 3
    assert len(gateway.requests) == 2


@SYNC_AND_ASYNC
async def test_a_fallback_model_is_used(gateway: Any, chat: Chat, *, use_async: bool) -> None:
    """After any error of the first model, the fallback gets the same request."""
    fallback = ModelFallbackMiddleware(chat(model="grok-4.7"))
    agent: Any = create_agent(
        chat(model="grok-4.3", max_retries=0), [get_weather], middleware=[fallback]
    )
    gateway.inject(Refuse(503, "Busy"))
    assert "Sunny" in (await run(agent, QUESTION, use_async=use_async))["messages"][-1].text
    first, second, third = [request.body for request in gateway.requests]
    assert [first["model"], second["model"], third["model"]] == ["grok-4.3", "grok-4.7", "grok-4.3"]
    assert first["input"] == second["input"]


# --- limits --------------------------------------------------------------------------------------


@SYNC_AND_ASYNC
async def test_limits_hold(gateway: Any, chat: Chat, *, use_async: bool) -> None:
    """A limit of model calls ends the run; a call over the tool limit gets an error result."""
    limit: Any = ModelCallLimitMiddleware(run_limit=1)
    agent: Any = create_agent(chat(), [get_weather], middleware=[limit])
    messages = (await run(agent, QUESTION, use_async=use_async))["messages"]
    assert "limit" in messages[-1].text
    assert len(gateway.requests) == 1
    limit = ToolCallLimitMiddleware(tool_name="get_time", run_limit=0)
    agent = create_agent(chat(), [get_weather, get_time], middleware=[limit])
    messages = (await run(agent, TWO_QUESTIONS, use_async=use_async))["messages"]
    assert [m.status for m in messages if m.type == "tool"] == ["error", "success"]
    assert "Sunny in Vienna" in messages[-1].text


# --- changed requests ----------------------------------------------------------------------------


@SYNC_AND_ASYNC
@pytest.mark.parametrize("api", APIS)
async def test_long_conversations_are_summarized(chat: Chat, api: str, *, use_async: bool) -> None:
    """The model summarizes old messages, and the summary replaces them."""
    shorten: Any = SummarizationMiddleware(
        create_chat(chat, api), trigger=("messages", 4), keep=("messages", 2)
    )
    agent: Any = create_agent(
        create_chat(chat, api), [get_weather], middleware=[shorten], checkpointer=InMemorySaver()
    )
    for _ in range(3):
        messages = (await run(agent, QUESTION, THREAD, use_async=use_async))["messages"]
    assert messages[0].text.startswith("Here is a summary of the conversation")
    assert "Sunny in Vienna" in messages[-1].text
    # No result without its tool call is sent: the emulator rejects that, as xAI does.
    assert len(messages) < 8


@pytest.mark.parametrize(("reported", "is_summarized"), [(500_000, True), (10, False)])
def test_summarization_uses_the_reported_usage(
    gateway: Any, chat: Chat, reported: int, *, is_summarized: bool
) -> None:
    """LangChain's trigger uses the reported token usage, which includes reasoning and images."""
    usage: Any = {"input_tokens": reported, "output_tokens": 0, "total_tokens": reported}
    known = chat().invoke("Hello")
    history = [HumanMessage("Hello"), known.model_copy(update={"usage_metadata": usage})]
    shorten: Any = SummarizationMiddleware(chat(), trigger=("fraction", 0.5), keep=("messages", 1))
    agent: Any = create_agent(chat(), [], middleware=[shorten])
    gateway.reset()
    answer = agent.invoke({"messages": [*history, HumanMessage("And now?")]})
    assert answer["messages"][0].text.startswith("Here is a summary") is is_summarized
    assert len(gateway.requests) == 1 + is_summarized


def test_old_tool_results_are_cleared_by_token_count(gateway: Any, chat: Chat) -> None:
    """The middleware counts with the model's counter, which uses the tokenizer endpoint."""
    clear = ContextEditingMiddleware(
        edits=[ClearToolUsesEdit(trigger=10, keep=0)], token_count_method="model"
    )
    agent: Any = create_agent(chat(), [get_weather], middleware=[clear])
    agent.invoke(QUESTION)
    assert gateway.requests[-1].body["input"][-1]["output"] == "[cleared]"
    assert any(request.path.endswith("/tokenize-text") for request in gateway.requests)


@SYNC_AND_ASYNC
@pytest.mark.parametrize("api", APIS)
async def test_tools_are_selected_by_a_model(
    gateway: Any, chat: Chat, api: str, *, use_async: bool
) -> None:
    """The selection is structured output in each API, and only the selected tools are sent."""
    select = LLMToolSelectorMiddleware(max_tools=1)
    agent: Any = create_agent(create_chat(chat, api), [get_weather, get_time], middleware=[select])
    messages = (await run(agent, QUESTION, use_async=use_async))["messages"]
    assert "Sunny in Vienna" in messages[-1].text
    offered = [
        [tool.get("function", tool)["name"] for tool in request.body.get("tools", ())]
        for request in gateway.requests
    ]
    assert offered.count(["get_weather"]) == 2
    assert ["get_weather", "get_time"] not in offered


@SYNC_AND_ASYNC
async def test_a_middleware_may_set_options(gateway: Any, chat: Chat, *, use_async: bool) -> None:
    """A middleware may set another model and options for one request of an agent."""

    def change_request(request: Any) -> Any:
        settings = {"reasoning_effort": "low", "parallel_tool_calls": False}
        return request.override(model=chat(model="grok-4.5"), model_settings=settings)

    class ChangeRequest(AgentMiddleware):
        def wrap_model_call(self, request: Any, handler: Any) -> Any:
            return handler(change_request(request))

        async def awrap_model_call(self, request: Any, handler: Any) -> Any:
            return await handler(change_request(request))

    agent: Any = create_agent(chat(model="grok-4.3"), [get_weather], middleware=[ChangeRequest()])
    await run(agent, QUESTION, use_async=use_async)
    for request in gateway.requests:
        assert request.body["model"] == "grok-4.5"
        assert request.body["reasoning"] == {"effort": "low"}
        assert request.body["parallel_tool_calls"] is False


def test_redacted_email_addresses_are_not_sent(gateway: Any, chat: Chat) -> None:
    """Text that a middleware redacts is not sent."""
    agent: Any = create_agent(chat(), [get_weather], middleware=[PIIMiddleware("email")])
    agent.invoke({"messages": "I am ada@example.org. How is the weather in 'Vienna'?"})
    assert "ada@example.org" not in str([request.body for request in gateway.requests])


def test_refusals_are_standard_blocks() -> None:
    """A refusal of xAI is the standard block that LangChain's middleware detects."""
    provider = {"model_provider": "xai-lowcode"}
    refusal = AIMessage("", additional_kwargs={"refusal": "No."}, response_metadata=provider)
    model = GenericFakeChatModel(messages=iter([refusal]))
    failing = getattr(middleware, "ModelRefusalMiddleware", None)
    if failing is None:
        pytest.skip("LangChain before 1.5 has no middleware for refusals")
    agent: Any = create_agent(model, [], middleware=[failing()])
    with pytest.raises(exceptions.ModelRefusalError):
        agent.invoke(QUESTION)


# --- human-in-the-loop ---------------------------------------------------------------------------


def agent_with_review(chat: Chat, api: str) -> Any:
    """Return an agent whose tool calls need approval."""
    review: Any = HumanInTheLoopMiddleware({"get_weather": True})
    return create_agent(
        create_chat(chat, api), [get_weather], middleware=[review], checkpointer=InMemorySaver()
    )


DECISIONS: dict[str, tuple[Any, Callable[[str], bool]]] = {
    "approve": ({"type": "approve"}, lambda result: result == "Sunny in Vienna"),
    "edit": (
        {"type": "edit", "edited_action": {"name": "get_weather", "args": {"city": "Rome"}}},
        # Newer middleware adds a note about the edited tool call.
        lambda result: result.endswith("Sunny in Rome"),
    ),
    "reject": (
        {"type": "reject", "message": "Not today."},
        lambda result: "Not today." in result,
    ),
}


@SYNC_AND_ASYNC
@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("kind", DECISIONS)
async def test_decisions_on_a_tool_call(
    gateway: Any, chat: Chat, api: str, kind: str, *, use_async: bool
) -> None:
    """The tool does not run before the decision, and the model gets the result."""
    decision, fits = DECISIONS[kind]
    agent = agent_with_review(chat, api)
    interrupted = await run(agent, QUESTION, THREAD, use_async=use_async)
    (request,) = interrupted["__interrupt__"][0].value["action_requests"]
    assert (request["name"], request["args"]) == ("get_weather", {"city": "Vienna"})
    assert [message.type for message in interrupted["messages"]] == ["human", "ai"]
    answer = await run(
        agent, Command(resume={"decisions": [decision]}), THREAD, use_async=use_async
    )
    assert fits(answer["messages"][2].text)
    assert len(gateway.requests) == 2
    assert fits(result_sent(gateway.requests[-1].body))


def result_sent(body: dict[str, Any]) -> str:
    """Return the last tool result of a request, in any API."""
    last = body.get("messages", body.get("input"))[-1]
    content = last.get("output", last.get("content"))
    text: str = content if isinstance(content, str) else content[0]["content"]
    return text


@pytest.mark.parametrize("api", APIS)
def test_an_edited_tool_call_is_sent_as_edited(gateway: Any, chat: Chat, api: str) -> None:
    """An edited message is sent as edited; the output items stored with it are not sent."""
    agent = agent_with_review(chat, api)
    call = agent.invoke(QUESTION, THREAD)["messages"][-1]
    (wrong,) = call.tool_calls
    right = call.model_copy(update={"tool_calls": [{**wrong, "args": {"city": "Rome"}}]})
    agent.update_state(THREAD, {"messages": [right]})
    answer = agent.invoke(Command(resume={"decisions": [{"type": "approve"}]}), THREAD)
    assert answer["messages"][2].text == "Sunny in Rome"
    body = str(gateway.requests[-1].body)
    assert "Rome" in body
    assert "'Vienna'" not in body.replace(QUESTION["messages"][0]["content"], "")
