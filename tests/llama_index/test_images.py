"""Pictures: ordered, received as blocks by address or as data, refused with a reason."""

import asyncio
import pickle
from typing import Any

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock

from llama_index_xai_lowcode import XAIImageGenerator, XAIImageToolSpec
from xai_lowcode.emulator import Garbage, Refuse
from xai_lowcode.errors import ContentPolicyError, RateLimitError, UsageError


@pytest.fixture
def painter(gateway: Any) -> XAIImageGenerator:
    """A generator that talks to the gateway."""
    return XAIImageGenerator(api_token=gateway.api_token, base_url=gateway.base_url, max_retries=0)


def test_by_address(way: Any, gateway: Any, painter: XAIImageGenerator) -> None:
    """Without a wish pictures come by their address, and only the wishes are sent."""
    (block,) = way.ask(painter, "generate", "A red fox")
    assert isinstance(block, ImageBlock)
    assert str(block.url).startswith("http")
    assert block.image is None
    assert gateway.requests[-1].body == {
        "model": "grok-imagine-image",
        "prompt": "A red fox",
        "n": 1,
        "response_format": "url",
    }


def test_as_data(way: Any, gateway: Any, painter: XAIImageGenerator) -> None:
    """Pictures come as data, as many as were asked for, in the form that was asked for."""
    blocks = way.ask(
        painter, "generate", "A red fox", n=2, aspect_ratio="16:9", resolution="1k",
        response_format="b64_json", user="u",
    )  # fmt: skip
    assert len(blocks) == 2
    for block in blocks:
        assert block.image_mimetype == "image/png"
        assert block.resolve_image().read().startswith(b"\x89PNG")
    body = gateway.requests[-1].body
    assert (body["n"], body["aspect_ratio"], body["user"]) == (2, "16:9", "u")


@pytest.mark.parametrize("wrong", [{"prompt": " "}, {"n": 0}, {"response_format": "jpeg"}])
def test_impossible_orders(way: Any, gateway: Any, painter: Any, wrong: Any) -> None:
    """What cannot be ordered is refused, and nothing is sent."""
    with pytest.raises(UsageError, match=next(iter(wrong))):
        way.ask(painter, "generate", **{"prompt": "A fox", **wrong})
    assert not gateway.requests


def test_moderation(way: Any, gateway: Any, painter: XAIImageGenerator) -> None:
    """Pictures that were all held back are an error, not an empty list."""
    body = b'{"data": [{"respect_moderation": false, "url": ""}]}'
    gateway.inject(Garbage(body, "application/json"))
    with pytest.raises(ContentPolicyError):
        way.ask(painter, "generate", "A red fox")


def test_errors_pass(way: Any, gateway: Any, painter: XAIImageGenerator) -> None:
    """The core's errors come through."""
    gateway.inject(Refuse(429))
    with pytest.raises(RateLimitError):
        way.ask(painter, "generate", "A red fox")


def test_printing_and_pickling(painter: XAIImageGenerator) -> None:
    """A generator prints without the token, travels, and can be closed and used again."""
    assert repr(painter) == "XAIImageGenerator(model='grok-imagine-image')"
    twin = pickle.loads(pickle.dumps(painter))  # noqa: S301 - our own bytes
    twin.close()
    assert twin.generate("A fox")
    twin.close()


async def test_closing_asynchronously(painter: XAIImageGenerator) -> None:
    """The async connections close, and open again on use."""
    await painter.agenerate("A fox")
    await painter.aclose()
    assert await painter.agenerate("A fox")
    await painter.aclose()


# --- as a tool ----------------------------------------------------------------------------------


def test_the_tool_draws(way: Any, gateway: Any, painter: XAIImageGenerator) -> None:
    """The tool says in words what was made, and keeps the blocks; a model picks the motif."""
    (tool,) = XAIImageToolSpec(painter, resolution="1k").to_tool_list()
    assert set(tool.metadata.get_parameters_dict()["properties"]) == {"prompt", "n", "aspect_ratio"}
    output = way.ask(tool, "call", prompt="A red fox", n=2, aspect_ratio="16:9")
    first, second = output.raw_output
    assert output.content == f"Picture 1: {first.url}\nPicture 2: {second.url}"
    assert [type(block) for block in output.blocks] == [TextBlock]
    body = gateway.requests[-1].body
    assert (body["n"], body["aspect_ratio"], body["resolution"]) == (2, "16:9", "1k")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("show", [True, False])
@pytest.mark.parametrize("api", ["chat_completions", "responses", "messages"])
def test_an_agent_draws(model: Any, painter: Any, api: str, show: bool, streaming: bool) -> None:
    """An agent draws on request; with ``show`` the model then sees what it drew."""
    spec = XAIImageToolSpec(painter, show=show, response_format="b64_json")
    agent = FunctionAgent(tools=spec.to_tool_list(), llm=model(api=api), streaming=streaming)

    async def talk() -> Any:
        return await agent.run('generate_image "a red fox"')

    output = asyncio.run(talk())
    assert "Picture 1: image/png, kept as data" in str(output)
    assert ("1 image" in str(output)) is show
    (picture,) = output.tool_calls[0].tool_output.raw_output
    assert isinstance(picture, ImageBlock)
    asked = ChatMessage(blocks=[TextBlock(text="What is it?"), picture])
    assert "1 image" in model(api=api).chat([asked]).message.content


def test_a_refused_order_is_the_tools_error(way: Any, gateway: Any, painter: Any) -> None:
    """What cannot be ordered is refused before anything is sent."""
    (tool,) = XAIImageToolSpec(painter).to_tool_list()
    with pytest.raises(UsageError, match="n"):
        way.ask(tool, "call", prompt="A fox", n=0)
    assert not gateway.requests
