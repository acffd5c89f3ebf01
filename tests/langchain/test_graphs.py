"""LangGraph with the chat model: checkpointers, threads in other processes, custom graphs."""

import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Command, Send, interrupt

from tests.core.counting_transport import meeting_clients
from tests.langchain.helpers import (
    APIS,
    QUESTION,
    SYNC_AND_ASYNC,
    THREAD,
    TWO_QUESTIONS,
    Chat,
    collect_stream,
    create_chat,
    get_time,
    get_weather,
    run,
)
from tests.langchain.threads import aturn, crash, turn

ROOT = Path(__file__).parents[2]


def received(gateway: Any) -> list[str]:
    """All that came in, in its order, as text: members and their order count."""
    return [json.dumps(request.body) for request in gateway.requests]


# --- checkpoints --------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_thread_goes_on_in_another_process(gateway: Any, chat: Chat, tmp_path: Path) -> None:
    """From SQLite, what xAI receives is byte for byte what a thread in memory would send.

    Reasoning is encrypted by xAI (responses) or signed (messages), and must come back unchanged.
    """
    agents: dict[str, Any] = {
        api: create_agent(create_chat(chat, api), [get_weather], checkpointer=InMemorySaver())
        for api in APIS
    }
    for api in (*APIS, *(api for api in APIS for _ in range(2))):
        agents[api].invoke(QUESTION, THREAD)
    expected = received(gateway)
    gateway.reset()
    path = str(tmp_path / "threads.sqlite")
    for api in APIS:
        turn(path, api)
    another = [sys.executable, "-m", "tests.langchain.threads", path, *APIS]
    subprocess.run(another, cwd=ROOT, check=True)
    assert received(gateway) == expected
    assert len(expected) == 2 * 3 * len(APIS)
    for word in ("reasoning_content", "encrypted_content", "signature"):
        assert any(word in body for body in expected)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
@SYNC_AND_ASYNC
@pytest.mark.parametrize("api", APIS)
async def test_a_thread_goes_on_after_a_crash(
    gateway: Any, api: str, tmp_path: Path, *, use_async: bool
) -> None:
    """A process that died in a tool left the call in its file; the model is not asked again."""
    path = str(tmp_path / "threads.sqlite")
    child = multiprocessing.get_context("fork").Process(target=crash, args=(path, api))
    child.start()
    child.join(60)
    assert child.exitcode == len("Vienna")
    assert len(gateway.requests) == 1
    messages = await aturn(path, api, None) if use_async else turn(path, api, None)
    assert [message.type for message in messages] == ["human", "ai", "tool", "ai"]
    resumed = received(gateway)
    gateway.reset()
    turn(str(tmp_path / "whole.sqlite"), api)
    assert resumed == received(gateway)


@SYNC_AND_ASYNC
async def test_a_thread_is_gone_back_in(gateway: Any, chat: Chat, *, use_async: bool) -> None:
    """From an earlier checkpoint the same is sent again as the first time."""
    agent: Any = create_agent(
        create_chat(chat, "responses"), [get_weather], checkpointer=InMemorySaver()
    )
    for question in ("How is the weather in 'Vienna'?", "And in 'Rome'?"):
        await run(agent, {"messages": question}, THREAD, use_async=use_async)
    first = received(gateway)[-1]
    before = next(state for state in agent.get_state_history(THREAD) if state.next == ("model",))
    await run(agent, None, before.config, use_async=use_async)
    assert received(gateway)[-1] == first


# --- graphs by hand -----------------------------------------------------------------------------


def by_hand(llm: Any) -> Any:
    """The loop of model and tools, written as a graph."""

    def model(state: MessagesState, config: RunnableConfig) -> dict[str, Any]:
        return {"messages": llm.invoke(state["messages"], config)}

    graph = StateGraph(MessagesState)
    graph.add_node("model", model)
    graph.add_node("tools", ToolNode([get_weather, get_time]))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", tools_condition)
    graph.add_edge("tools", "model")
    return graph.compile(checkpointer=InMemorySaver())


@SYNC_AND_ASYNC
@pytest.mark.parametrize("api", APIS)
async def test_a_graph_streams_the_tokens_of_its_nodes(
    chat: Chat, api: str, *, use_async: bool
) -> None:
    """A node that only invokes the model streams; the pieces are the message of the state."""
    graph = by_hand(create_chat(chat, api).bind_tools([get_weather, get_time]))
    pieces = await collect_stream(
        graph, TWO_QUESTIONS, use_async=use_async, config=THREAD, stream_mode="messages"
    )
    last = graph.get_state(THREAD).values["messages"][-1]
    said = [p for p, told in pieces if told["langgraph_node"] == "model" and p.id == last.id]
    assert "".join(piece.text for piece in said) == last.text
    assert "Sunny in Vienna; Noon in Vienna" in last.text
    assert len(said) > 3


@SYNC_AND_ASYNC
async def test_branches_ask_at_the_same_time(gateway: Any, chat: Chat, *, use_async: bool) -> None:
    """A fan-out asks once for each branch, and the answers meet in the state."""

    def fan(_: MessagesState) -> list[Send]:
        return [Send("ask", {"messages": [HumanMessage(f"Say '{word}'.")]}) for word in "abcde"]

    def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": llm.invoke(state["messages"])}

    async def aask(state: MessagesState) -> dict[str, Any]:
        return {"messages": await llm.ainvoke(state["messages"])}

    graph: Any = StateGraph(MessagesState)
    graph.add_node("ask", aask if use_async else ask)
    graph.add_conditional_edges(START, fan, ["ask"])
    async with meeting_clients(5) as (clients, requests):
        llm = chat(**clients)
        messages = (await run(graph.compile(), {"messages": []}, use_async=use_async))["messages"]
        assert (requests.maximum, requests.total) == (5, 5)
    assert len(messages) == len(gateway.requests) == 5


@SYNC_AND_ASYNC
@pytest.mark.parametrize("api", APIS)
async def test_messages_may_be_taken_out(
    gateway: Any, chat: Chat, api: str, *, use_async: bool
) -> None:
    """What a graph removed from its state is not sent any more, also not from xAI's own words."""
    graph = by_hand(create_chat(chat, api).bind_tools([get_weather]))
    messages = (await run(graph, QUESTION, THREAD, use_async=use_async))["messages"]
    graph.update_state(THREAD, {"messages": [RemoveMessage(m.id) for m in messages[1:]]})
    await run(graph, {"messages": "Hello"}, THREAD, use_async=use_async)
    assert "Sunny" not in received(gateway)[-1]
    assert "call" not in received(gateway)[-1].partition('"tools"')[0]


@SYNC_AND_ASYNC
async def test_a_tool_may_wait_for_a_person(gateway: Any, chat: Chat, *, use_async: bool) -> None:
    """An interrupt in a tool ends the run; its answer is the tool's result."""

    def get_weather(city: str) -> str:
        """Get the weather in a city."""
        return str(interrupt(f"How is it in {city}?"))

    agent: Any = create_agent(chat(), [get_weather], checkpointer=InMemorySaver())
    waiting = await run(agent, QUESTION, THREAD, use_async=use_async)
    assert waiting["__interrupt__"][0].value == "How is it in Vienna?"
    answer = await run(agent, Command(resume="Foggy"), THREAD, use_async=use_async)
    assert "Foggy" in answer["messages"][-1].text
    assert len(gateway.requests) == 2


def test_tasks_keep_their_answers(gateway: Any, chat: Chat) -> None:
    """In the functional form a task that is done is not asked for again after an interrupt."""
    llm = create_chat(chat, "responses")

    @task
    def ask(question: str) -> AIMessage:
        return llm.invoke(question)

    @entrypoint(checkpointer=InMemorySaver())
    def talk(question: str) -> AIMessage:
        first = ask(question).result()
        more = interrupt("And?")
        return llm.invoke([HumanMessage(question), first, HumanMessage(more)])

    talk.invoke("Say 'Grüße'.", THREAD)
    assert talk.invoke(Command(resume="Go on."), THREAD).text
    assert len(gateway.requests) == 2
    kinds = [item.get("type", item.get("role")) for item in gateway.requests[1].body["input"]]
    assert kinds == ["user", "reasoning", "message", "user"]


@SYNC_AND_ASYNC
async def test_an_agent_is_another_agents_tool(chat: Chat, *, use_async: bool) -> None:
    """Streams tell which of the two speaks."""
    inner: Any = create_agent(chat(), [get_time], name="clerk")

    def ask_clerk(question: str) -> str:
        """Ask the clerk for the time."""
        text: str = inner.invoke({"messages": f"Use get_time for {question}."})["messages"][-1].text
        return text

    outer: Any = create_agent(chat(), [ask_clerk])
    asked = {"messages": "Use ask_clerk for 'Vienna'."}
    pieces = await collect_stream(
        outer, asked, use_async=use_async, stream_mode="messages", subgraphs=True
    )
    speakers = {(bool(space), told.get("lc_agent_name")) for space, (_, told) in pieces}
    assert (True, "clerk") in speakers
    assert len(speakers) == 2
