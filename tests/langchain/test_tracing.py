"""LangSmith runs hold no token and no key.

Tracers copy inputs, bound tools, parameters, metadata, outputs, errors and what an error says of
the answer. The tracer is LangChain's own; its client keeps the bytes that it would send.
"""

from functools import reduce
from operator import add
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.runnables import RunnableConfig
from langchain_core.tracers.langchain import LangChainTracer
from langsmith._internal._serde import dumps_json

from langchain_xai_lowcode import (
    ChatXAILowCode,
    XAIImageGenerationTool,
    XAIImageGenerator,
    mcp,
)
from xai_lowcode.emulator import Drop, Empty, EndStreamEarly, ErrorIn200, Html, Refuse
from xai_lowcode.errors import XAILowCodeError

KEY = "key-of-the-museum-0123456789"
WAYS = ["invoke", "stream", "ainvoke", "astream"]


class Bin:
    """Stands in for LangSmith's client: keeps what would be sent."""

    tracing_mode = "langsmith"

    def __init__(self) -> None:
        self.kept: list[bytes] = []

    def create_run(self, *args: Any, **run: Any) -> None:
        self.kept.append(dumps_json([args, run]))

    def flush(self) -> None:
        """Nothing waits."""

    def update_run(self, *args: Any, **run: Any) -> None:
        self.kept.append(dumps_json([args, run]))


class Trace:
    """A traced run, and whether its traces hold a text."""

    def __init__(self) -> None:
        self.bin = Bin()
        client: Any = self.bin
        self.tracer = LangChainTracer(client=client, project_name="tests")
        self.config: RunnableConfig = {"callbacks": [self.tracer]}

    def holds(self, *secrets: str) -> bool:
        """Whether any of the secrets was stored."""
        self.tracer.wait_for_futures()
        assert self.bin.kept
        return any(secret.encode() in kept for secret in secrets for kept in self.bin.kept)


@pytest.fixture
def trace() -> Trace:
    """A tracer of its own for each test."""
    return Trace()


async def ask(llm: Any, question: Any, way: str, config: RunnableConfig) -> Any:
    """Asks in one of the four ways."""
    match way:
        case "invoke":
            return llm.invoke(question, config)
        case "ainvoke":
            return await llm.ainvoke(question, config)
        case "stream":
            return reduce(add, llm.stream(question, config))
        case _:
            return reduce(add, [chunk async for chunk in llm.astream(question, config)])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("api", ["chat_completions", "responses", "messages"])
async def test_a_run_that_works_leaves_no_token(
    gateway: Any, trace: Trace, api: Any, way: str
) -> None:
    """Inputs, parameters, metadata, tags and outputs are free of it, headers included."""
    llm = ChatXAILowCode(api=api, include_response_headers=True, metadata={"a": "b"}, tags=["c"])
    await ask(llm, "Hello", way, trace.config)
    assert not trace.holds(gateway.api_token)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "fault",
    [
        Refuse(400, "Incorrect API key provided."),
        Refuse(401, "No.", source="gateway"),
        Refuse(429, "Slow down"),
        Refuse(503, "Busy", source="gateway"),
        Html(502),
        Empty(200),
        ErrorIn200("Timed out", code="The service is unavailable"),
        Drop(),
        EndStreamEarly(after_chunks=2),
    ],
)
async def test_a_run_that_fails_leaves_no_token(
    gateway: Any, trace: Trace, fault: Any, way: str
) -> None:
    """The error of a run, and what it says of the answer, are free of it."""
    gateway.inject(fault, fault)
    llm = ChatXAILowCode(max_retries=0)
    if isinstance(fault, EndStreamEarly):
        way = {"invoke": "stream", "ainvoke": "astream"}.get(way, way)
    with pytest.raises(XAILowCodeError):
        await ask(llm, "Hello", way, trace.config)
    assert not trace.holds(gateway.api_token)
    assert trace.holds("Error")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["unknown", "malformed", "unconnected"])
async def test_a_token_that_does_not_work_leaves_no_trace(
    gateway: Any, trace: Trace, kind: str, way: str
) -> None:
    """The gateway's answer repeats a malformed token; neither it nor another is stored."""
    token = {
        "unknown": "at_r" + "0" * 32,
        "malformed": "canary-in-the-coal-mine",
        "unconnected": gateway.unconnected_token,
    }[kind]
    llm: Any = ChatXAILowCode(api_token=token, max_retries=0)
    with pytest.raises(XAILowCodeError):
        await ask(llm, "Hello", way, trace.config)
    assert not trace.holds(token)


async def test_a_museums_key_leaves_no_trace(gateway: Any, trace: Trace) -> None:
    """The keys of an MCP server that is bound are not among the stored tools; the rest is."""
    tool = mcp("https://mcp.example", "museum", authorization=KEY, headers={"x-key": KEY})
    llm = ChatXAILowCode().bind_tools([tool])
    for way in WAYS:
        await ask(llm, "Ask the museum.", way, trace.config)
    assert gateway.requests[-1].body["tools"][0]["authorization"] == KEY
    assert not trace.holds(KEY, gateway.api_token)
    assert trace.holds("https://mcp.example")


def test_chains_agents_and_images_leave_no_token(gateway: Any, trace: Trace) -> None:
    """What is built of models, and tools that hold a token themselves, are free of it."""
    llm = ChatXAILowCode()
    agent: Any = create_agent(llm, [XAIImageGenerationTool()])
    agent.invoke({"messages": "Use generate_image to draw a fox."}, trace.config)
    XAIImageGenerator().invoke("A fox", trace.config)
    llm.with_structured_output({"title": "Name", "type": "object"}).invoke("Ada", trace.config)
    assert "/v1/images/generations" in " ".join(request.path for request in gateway.requests)
    assert not trace.holds(gateway.api_token)


@pytest.mark.parametrize("place", ["metadata", "tags", "input", "tool"])
def test_a_leak_would_be_seen(gateway: Any, trace: Trace, place: str) -> None:
    """A token that somebody hands to the tracer is found, wherever it was put."""
    llm: Any = ChatXAILowCode()
    question = "Hello"
    config = dict(trace.config)
    match place:
        case "metadata":
            config["metadata"] = {"oops": gateway.api_token}
        case "tags":
            config["tags"] = [gateway.api_token]
        case "input":
            question = gateway.api_token
        case _:
            # Given with the call itself, a tool goes to the tracer before it comes to the model.
            tool = {"type": "mcp", "server_url": "https://m.example", "server_label": "m"}
            llm = llm.bind(tools=[{**tool, "authorization": gateway.api_token}])
    llm.invoke(question, config)
    assert trace.holds(gateway.api_token)
