"""Server-side tools: as a field or an option, their calls, citations and images."""

import asyncio
import json
import pickle
import warnings
from typing import Any

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import CitationBlock, ImageBlock, ThinkingBlock
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from pydantic_core import to_json

import llama_index_xai_lowcode as package
from llama_index_xai_lowcode import (
    XAILowCode,
    XAIServerTool,
    code_execution,
    image_generation,
    mcp,
    web_search,
)
from xai_lowcode.chat import server_tools
from xai_lowcode.errors import UsageError
from xai_lowcode.types.requests import ServerTool

QUESTION = [ChatMessage("Search the web for news of xAI")]
SECRET = "key-of-another-service"


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


MULTIPLY = FunctionTool.from_defaults(multiply)


def sent_tools(gateway: Any) -> list[str]:
    return [tool["type"] for tool in gateway.requests[-1].body["tools"]]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("web_search", {"allowed_domains": ["x.ai"]}),
        ("x_search", {"allowed_x_handles": ["@xai"]}),
        ("code_execution", {}),
        ("file_search", {"collection_ids": ["c"]}),
        ("mcp", {"server_url": "https://x.ai", "server_label": "l"}),
        ("image_generation", {}),
    ],
)
def test_helpers_are_those_of_the_core(name: str, arguments: Any) -> None:
    """Each function returns the core's tool as a LlamaIndex tool, with its checks."""
    tool = getattr(package, name)(**arguments)
    core = getattr(server_tools, name)(**arguments)
    assert tool.tool == core
    assert (tool.type, tool.options) == (core.type, dict(core.options))
    assert tool.metadata.get_name() == core.type
    with pytest.raises(UsageError):
        package.web_search(allowed_domains=["a"] * 6)


@pytest.mark.parametrize(
    "tool",
    [web_search(), ServerTool("web_search"), {"type": "web_search"}],
    ids=["ours", "core", "wire"],
)
def test_each_format_of_a_tool_is_accepted(
    sync_async: Any, gateway: Any, model: Any, tool: Any
) -> None:
    """Tools are sent from the field, the option of a call, and the tools of a call."""
    sync_async.call(model(server_tools=[tool]), "chat", QUESTION)
    sync_async.call(model(), "chat", QUESTION, server_tools=[tool])
    sync_async.call(model(), "chat", QUESTION, tools=[tool, MULTIPLY])
    for request, tools in zip(gateway.requests, (1, 1, 2), strict=True):
        assert request.path.endswith("/v1/responses")
        assert {"type": "web_search"} in request.body["tools"]
        assert len(request.body["tools"]) == tools


def test_mcp_credentials_are_sent_and_not_in_events(
    sync_async: Any, gateway: Any, llm: Any
) -> None:
    """The credential of an MCP server is sent, but not in events."""
    tool = mcp("https://x.ai", "notes", authorization=SECRET, headers={"X-Key": SECRET})
    prepared = llm._prepare_chat_with_tools([tool, MULTIPLY], "Hello")
    assert SECRET not in str(prepared) + to_json(prepared).decode()
    sync_async.call(llm, "chat_with_tools", [tool, MULTIPLY], "Hello")
    (sent,) = (t for t in gateway.requests[-1].body["tools"] if t["type"] == "mcp")
    assert (sent["authorization"], sent["headers"]) == (SECRET, {"X-Key": SECRET})


def test_tools_in_openai_format(sync_async: Any, gateway: Any, llm: Any) -> None:
    """Tools may be dicts, of functions and of server-side tools."""
    function = {"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}}
    sync_async.call(llm, "chat_with_tools", [function, {"type": "web_search"}], "Hello")
    assert sent_tools(gateway) == ["function", "web_search"]
    with pytest.raises(UsageError, match="tools"):
        sync_async.call(llm, "chat_with_tools", ["now"], "Hello")


def server_tool_calls(response: Any) -> Any:
    """Return the server-side tool calls of a response's message."""
    (thinking,) = (b for b in response.message.blocks if isinstance(b, ThinkingBlock))
    return thinking.additional_information["built_in_tool_calls"]


def test_server_tool_calls_and_citations_are_in_the_response(sync_async: Any, model: Any) -> None:
    """Server-side tool calls, citations and text are in the response, streamed or not."""
    llm = model(server_tools=[web_search(), code_execution()])
    plain = sync_async.call(llm, "chat", QUESTION)
    *pieces, last = sync_async.stream(llm, "stream_chat", QUESTION)
    for response in (plain, last):
        (used, *_) = server_tool_calls(response)
        assert used["type"] == "web_search_call"
        assert "xAI" in used["arguments"]
        assert response.additional_kwargs["built_in_tool_calls"][0] == used
        cited = [b for b in response.message.blocks if isinstance(b, CitationBlock)]
        assert [block.source for block in cited] == response.additional_kwargs["citations"]
        position = cited[0].additional_location_info
        mark = response.message.content[position["start_index"] : position["end_index"]]
        assert cited[0].source in mark
        assert llm.get_tool_calls_from_response(response, error_on_no_tool_call=False) == []
        assert json.loads(json.dumps(response.raw))
        # Memory does not count them as tokens.
        assert "built_in_tool_calls" not in response.message.additional_kwargs
    assert any(piece.additional_kwargs.get("built_in_tool_calls") for piece in pieces)
    assert server_tool_calls(pieces[-1]) == server_tool_calls(last)


def test_generated_images_are_blocks(sync_async: Any, gateway: Any, model: Any) -> None:
    """An image is an ImageBlock, and can be sent with the next message."""
    llm = model(server_tools=[image_generation()])
    question = [ChatMessage("Generate an image of a red fox")]
    for response in (
        sync_async.call(llm, "chat", question),
        sync_async.stream(llm, "stream_chat", question)[-1],
    ):
        (image,) = (b for b in response.message.blocks if isinstance(b, ImageBlock))
        assert image.resolve_image().read()[:4] in {b"\x89PNG", b"\xff\xd8\xff\xe0"}
        stored = ChatMessage.model_validate_json(response.message.model_dump_json())
        sync_async.call(llm, "chat", [*question, stored, ChatMessage("And?")])
        created = [i for i in gateway.requests[-1].body["input"] if "result" in i]
        (thinking,) = (b for b in stored.blocks if isinstance(b, ThinkingBlock))
        items = thinking.additional_information["xai"]["items"]
        assert created == [i for i in items if "result" in i]
        prompt = ChatMessage(blocks=[image])
        assert "1 image" in sync_async.call(model(), "chat", [prompt]).message.content


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("streaming", [True, False])
def test_an_agent_with_both_kinds_of_tools(gateway: Any, model: Any, streaming: bool) -> None:
    """An agent can have both kinds of tools; only its own are called here."""
    agent = FunctionAgent(tools=[web_search(), multiply], llm=model(), streaming=streaming)

    async def run_agent() -> Any:
        return await agent.run("Search the web, then multiply 6 and 7")

    output = asyncio.run(run_agent())
    assert "The tools found: 42" in str(output)
    assert [call.tool_name for call in output.tool_calls] == ["multiply"]
    assert sent_tools(gateway) == ["function", "web_search"]


def test_a_server_side_tool_cannot_be_called() -> None:
    """Calling a server-side tool raises an error, sync and async."""
    with pytest.raises(UsageError, match="run by xAI"):
        web_search()("x")
    with pytest.raises(UsageError, match="run by xAI"):
        asyncio.run(web_search().acall("x"))
    assert repr(mcp("https://x.ai", "l", authorization=SECRET)) == "XAIServerTool(type='mcp')"


def test_invalid_server_tools_are_rejected(gateway: Any, model: Any) -> None:
    """Anything else in ``server_tools`` raises an error, and nothing is sent."""
    for wrong in (MULTIPLY, "web_search"):
        with pytest.raises(UsageError, match="server_tools"):
            model(server_tools=[wrong])
    with pytest.raises(UsageError, match="chat_completions"):
        model(api="chat_completions", server_tools=[web_search()]).chat(QUESTION)
    assert not gateway.requests


def test_dumps_have_no_mcp_credentials(model: Any, gateway: Any) -> None:
    """Dumps omit the credentials of MCP servers; pickles contain them."""
    tool = mcp("https://x.ai", "notes", authorization=SECRET, headers={"X-Key": SECRET})
    llm: XAILowCode = model(server_tools=[tool, web_search()])
    stored = json.loads(json.dumps(llm.to_dict()))
    dumps = repr(llm) + str(llm) + str(stored) + llm.model_dump_json() + str(llm.to_payload())
    assert SECRET not in dumps
    back = XAILowCode.from_dict(stored, api_token=gateway.api_token)
    assert [tool.type for tool in back.server_tools] == ["mcp", "web_search"]
    assert back.server_tools[0].options == {"server_url": "https://x.ai", "server_label": "notes"}
    loaded = pickle.loads(pickle.dumps(llm))  # noqa: S301 - our own bytes
    assert loaded.server_tools == llm.server_tools
    assert isinstance(tool, XAIServerTool)


def test_a_tool_of_openai_has_no_options_that_xai_rejects(gateway: Any, model: Any) -> None:
    """A dict of OpenAI's is sent as xAI accepts it, with one warning for what is left out."""
    tool = {
        "type": "web_search",
        "search_context_size": "low",
        "filters": {"allowed_domains": ["x.ai"]},
    }
    sent = {"type": "web_search", "allowed_domains": ["x.ai"]}
    llm = model()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for call in (llm.chat, lambda *args, **kwargs: list(llm.stream_chat(*args, **kwargs))):
            call([ChatMessage("Hello")], server_tools=[tool])
            assert gateway.requests[-1].body["tools"] == [sent]
        llm.chat_with_tools([tool], "Hello")
        assert gateway.requests[-1].body["tools"] == [sent]
    expected = "search_context_size: not supported by web_search; it is not sent."
    assert [str(warning.message) for warning in warned] == [expected]
