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

from tests.core.counting_transport import barrier_clients
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
    """Return all request bodies as text, in which the order of keys counts."""
    return [json.dumps(request.body) for request in gateway.requests]


# --- checkpoints ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_thread_is_continued_in_another_process(gateway: Any, chat: Chat, tmp_path: Path) -> None:
    """A thread in SQLite sends byte for byte the requests of a thread in memory.

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
async def test_a_thread_is_continued_after_a_crash(
    gateway: Any, api: str, tmp_path: Path, *, use_async: bool
) -> None:
    """After a crash in a tool, the tool runs again, and the model is not called again."""
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
async def test_a_thread_is_continued_from_an_earlier_checkpoint(
    gateway: Any, chat: Chat, *, use_async: bool
) -> None:
    """From an earlier checkpoint the same request is sent as the first time."""
    agent: Any = create_agent(
        create_chat(chat, "responses"), [get_weather], checkpointer=InMemorySaver()
    )
    for question in ("How is the weather in 'Vienna'?", "And in 'Rome'?"):
        await run(agent, {"messages": question}, THREAD, use_async=use_async)
    first = received(gateway)[-1]
    before = next(state for state in agent.get_state_history(THREAD) if state.next == ("model",))
    await run(agent, None, before.config, use_async=use_async)
    assert received(gateway)[-1] == first


# --- custom graphs -------------------------------------------------------------------------------


def custom_graph(llm: Any) -> Any:
    """Return a graph with a loop of model and tools."""

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
    """A node that only invokes the model streams; the chunks add up to the message of the state."""
    graph = custom_graph(create_chat(chat, api).bind_tools([get_weather, get_time]))
    chunks = await collect_stream(
        graph, TWO_QUESTIONS, use_async=use_async, config=THREAD, stream_mode="messages"
    )
    last = graph.get_state(THREAD).values["messages"][-1]
    message_chunks = [
        p for p, metadata in chunks if metadata["langgraph_node"] == "model" and p.id == last.id
    ]
    assert "".join(chunk.text for chunk in message_chunks) == last.text
    assert "Sunny in Vienna; Noon in Vienna" in last.text
    assert len(message_chunks) > 3


@SYNC_AND_ASYNC
async def test_branches_run_concurrently(gateway: Any, chat: Chat, *, use_async: bool) -> None:
    """A fan-out sends one request for each branch, and the state has all responses."""

    def fan(_: MessagesState) -> list[Send]:
        return [Send("ask", {"messages": [HumanMessage(f"Say '{word}'.")]}) for word in "abcde"]

    def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": llm.invoke(state["messages"])}

    async def call_async(state: MessagesState) -> dict[str, Any]:
        return {"messages": await llm.ainvoke(state["messages"])}

    graph: Any = StateGraph(MessagesState)
    graph.add_node("ask", call_async if use_async else ask)
    graph.add_conditional_edges(START, fan, ["ask"])
    async with barrier_clients(5) as (clients, requests):
        llm = chat(**clients)
        messages = (await run(graph.compile(), {"messages": []}, use_async=use_async))["messages"]
        assert (requests.maximum, requests.total) == (5, 5)
    assert len(messages) == len(gateway.requests) == 5


@SYNC_AND_ASYNC
@pytest.mark.parametrize("api", APIS)
async def test_removed_messages_are_not_sent(
    gateway: Any, chat: Chat, api: str, *, use_async: bool
) -> None:
    """Messages that a graph removes from its state are not sent, nor are their output items."""
    graph = custom_graph(create_chat(chat, api).bind_tools([get_weather]))
    messages = (await run(graph, QUESTION, THREAD, use_async=use_async))["messages"]
    graph.update_state(THREAD, {"messages": [RemoveMessage(m.id) for m in messages[1:]]})
    await run(graph, {"messages": "Hello"}, THREAD, use_async=use_async)
    assert "Sunny" not in received(gateway)[-1]
    assert "call" not in received(gateway)[-1].partition('"tools"')[0]


@SYNC_AND_ASYNC
async def test_a_tool_may_interrupt_the_run(gateway: Any, chat: Chat, *, use_async: bool) -> None:
    """An interrupt in a tool ends the run; the value of the resume is the tool's result."""

    def get_weather(city: str) -> str:
        """Get the weather in a city."""
        return str(interrupt(f"How is it in {city}?"))

    agent: Any = create_agent(chat(), [get_weather], checkpointer=InMemorySaver())
    interrupted = await run(agent, QUESTION, THREAD, use_async=use_async)
    assert interrupted["__interrupt__"][0].value == "How is it in Vienna?"
    answer = await run(agent, Command(resume="Foggy"), THREAD, use_async=use_async)
    assert "Foggy" in answer["messages"][-1].text
    assert len(gateway.requests) == 2


def test_tasks_are_not_repeated_after_an_interrupt(gateway: Any, chat: Chat) -> None:
    """In the functional API a finished task is not repeated after an interrupt."""
    llm = create_chat(chat, "responses")

    @task
    def ask(question: str) -> AIMessage:
        return llm.invoke(question)

    @entrypoint(checkpointer=InMemorySaver())
    def workflow(question: str) -> AIMessage:
        first = ask(question).result()
        more = interrupt("And?")
        return llm.invoke([HumanMessage(question), first, HumanMessage(more)])

    workflow.invoke("Say 'Grüße'.", THREAD)
    assert workflow.invoke(Command(resume="Go on."), THREAD).text
    assert len(gateway.requests) == 2
    kinds = [item.get("type", item.get("role")) for item in gateway.requests[1].body["input"]]
    assert kinds == ["user", "reasoning", "message", "user"]


@SYNC_AND_ASYNC
async def test_an_agent_as_a_tool_of_another_agent(chat: Chat, *, use_async: bool) -> None:
    """The chunks of a stream name the agent that they are of."""
    inner: Any = create_agent(chat(), [get_time], name="clerk")

    def ask_clerk(question: str) -> str:
        """Ask the clerk for the time."""
        text: str = inner.invoke({"messages": f"Use get_time for {question}."})["messages"][-1].text
        return text

    outer: Any = create_agent(chat(), [ask_clerk])
    prompt = {"messages": "Use ask_clerk for 'Vienna'."}
    chunks = await collect_stream(
        outer, prompt, use_async=use_async, stream_mode="messages", subgraphs=True
    )
    agent_names = {(bool(space), metadata.get("lc_agent_name")) for space, (_, metadata) in chunks}
    assert (True, "clerk") in agent_names
    assert len(agent_names) == 2
