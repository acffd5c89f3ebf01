"""LangSmith runs have no token and no credential.

Tracers record inputs, bound tools, parameters, metadata, outputs and errors with the response. The
tracer is LangChain's own; its client records the bytes that it would send.
"""

from functools import reduce
from operator import add
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.runnables import RunnableConfig
from langchain_core.tracers.langchain import LangChainTracer

from langchain_xai_lowcode import (
    ChatXAILowCode,
    XAIImageGenerationTool,
    XAIImageGenerator,
    mcp,
)
from tests.fake_langsmith import FakeLangSmithClient
from xai_lowcode.emulator import Drop, Empty, EndStreamEarly, ErrorIn200, Html, Refuse
from xai_lowcode.errors import XAILowCodeError

KEY = "key-of-the-museum-0123456789"
METHODS = ["invoke", "stream", "ainvoke", "astream"]


class Trace:
    """A tracer, and a check of the bytes that it would send."""

    def __init__(self) -> None:
        self.client = FakeLangSmithClient()
        client: Any = self.client
        self.tracer = LangChainTracer(client=client, project_name="tests")
        self.config: RunnableConfig = {"callbacks": [self.tracer]}

    def has(self, *secrets: str) -> bool:
        """Return whether any of the secrets would be sent."""
        self.tracer.wait_for_futures()
        assert self.client.runs
        return any(secret.encode() in run for secret in secrets for run in self.client.runs)


@pytest.fixture
def trace() -> Trace:
    """A tracer for one test."""
    return Trace()


async def call(llm: Any, question: Any, method: str, config: RunnableConfig) -> Any:
    """Call one of the four methods."""
    match method:
        case "invoke":
            return llm.invoke(question, config)
        case "ainvoke":
            return await llm.ainvoke(question, config)
        case "stream":
            return reduce(add, llm.stream(question, config))
        case _:
            return reduce(add, [chunk async for chunk in llm.astream(question, config)])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("api", ["chat_completions", "responses", "messages"])
async def test_traces_of_a_successful_run_have_no_token(
    gateway: Any, trace: Trace, api: Any, method: str
) -> None:
    """Inputs, parameters, metadata, tags and outputs have no token, headers included."""
    llm = ChatXAILowCode(api=api, include_response_headers=True, metadata={"a": "b"}, tags=["c"])
    await call(llm, "Hello", method, trace.config)
    assert not trace.has(gateway.api_token)


@pytest.mark.parametrize("method", METHODS)
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
async def test_traces_of_a_failed_run_have_no_token(
    gateway: Any, trace: Trace, fault: Any, method: str
) -> None:
    """The error of a run and its response body have no token."""
    gateway.inject(fault, fault)
    llm = ChatXAILowCode(max_retries=0)
    if isinstance(fault, EndStreamEarly):
        method = {"invoke": "stream", "ainvoke": "astream"}.get(method, method)
    with pytest.raises(XAILowCodeError):
        await call(llm, "Hello", method, trace.config)
    assert not trace.has(gateway.api_token)
    assert trace.has("Error")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["unknown", "malformed", "unconnected"])
async def test_traces_have_no_rejected_token(
    gateway: Any, trace: Trace, kind: str, method: str
) -> None:
    """A rejected token is not traced, also if the response of the gateway has it."""
    token = {
        "unknown": "at_r" + "0" * 32,
        "malformed": "canary-in-the-coal-mine",
        "unconnected": gateway.unconnected_token,
    }[kind]
    llm: Any = ChatXAILowCode(api_token=token, max_retries=0)
    with pytest.raises(XAILowCodeError):
        await call(llm, "Hello", method, trace.config)
    assert not trace.has(token)


async def test_traces_have_no_mcp_credentials(gateway: Any, trace: Trace) -> None:
    """The traced tools have no credentials of an MCP server, but its other keys."""
    tool = mcp("https://mcp.example", "museum", authorization=KEY, headers={"x-key": KEY})
    llm = ChatXAILowCode().bind_tools([tool])
    for method in METHODS:
        await call(llm, "Ask the museum.", method, trace.config)
    assert gateway.requests[-1].body["tools"][0]["authorization"] == KEY
    assert not trace.has(KEY, gateway.api_token)
    assert trace.has("https://mcp.example")


def test_traces_of_chains_agents_and_images_have_no_token(gateway: Any, trace: Trace) -> None:
    """Traces of chains, agents and tools that have a token themselves do not have it."""
    llm = ChatXAILowCode()
    agent: Any = create_agent(llm, [XAIImageGenerationTool()])
    agent.invoke({"messages": "Use generate_image to draw a fox."}, trace.config)
    XAIImageGenerator().invoke("A fox", trace.config)
    llm.with_structured_output({"title": "Name", "type": "object"}).invoke("Ada", trace.config)
    assert "/v1/images/generations" in " ".join(request.path for request in gateway.requests)
    assert not trace.has(gateway.api_token)


@pytest.mark.parametrize("place", ["metadata", "tags", "input", "tool"])
def test_a_leak_is_detected(gateway: Any, trace: Trace, place: str) -> None:
    """A deliberate leak is detected in each place."""
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
            # A tool of the call itself is traced before it is passed to the model.
            tool = {"type": "mcp", "server_url": "https://m.example", "server_label": "m"}
            llm = llm.bind(tools=[{**tool, "authorization": gateway.api_token}])
    llm.invoke(question, config)
    assert trace.has(gateway.api_token)
