"""Image generation: requests, image blocks with a URL or data, errors, and the tool."""

import asyncio
import base64
import pickle
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock

from llama_index_xai_lowcode import XAIImageGenerator, XAIImageToolSpec
from xai_lowcode.emulator import Garbage, Refuse
from xai_lowcode.errors import ContentPolicyError, RateLimitError, UsageError


@pytest.fixture
def generator(gateway: Any) -> XAIImageGenerator:
    """Return a generator that uses the emulator."""
    return XAIImageGenerator(api_token=gateway.api_token, base_url=gateway.base_url, max_retries=0)


def test_url(sync_async: Any, gateway: Any, generator: XAIImageGenerator) -> None:
    """By default images have a URL, and unset options are not sent."""
    (block,) = sync_async.call(generator, "generate", "A red fox")
    assert isinstance(block, ImageBlock)
    assert str(block.url).startswith("http")
    assert block.image is None
    assert gateway.requests[-1].body == {
        "model": "grok-imagine-image",
        "prompt": "A red fox",
        "n": 1,
        "response_format": "url",
    }


def test_data(sync_async: Any, gateway: Any, generator: XAIImageGenerator) -> None:
    """Images are returned as data, with the requested number and options."""
    blocks = sync_async.call(
        generator, "generate", "A red fox", n=2, aspect_ratio="16:9", resolution="1k",
        response_format="b64_json", user="u",
    )  # fmt: skip
    assert len(blocks) == 2
    for block in blocks:
        assert block.image_mimetype == "image/png"
        assert block.resolve_image().read().startswith(b"\x89PNG")
    body = gateway.requests[-1].body
    assert (body["n"], body["aspect_ratio"], body["user"]) == (2, "16:9", "u")


@pytest.mark.parametrize("invalid", [{"prompt": " "}, {"n": 0}, {"response_format": "jpeg"}])
def test_invalid_requests(sync_async: Any, gateway: Any, generator: Any, invalid: Any) -> None:
    """An invalid request raises an error, and nothing is sent."""
    with pytest.raises(UsageError, match=next(iter(invalid))):
        sync_async.call(generator, "generate", **{"prompt": "A fox", **invalid})
    assert not gateway.requests


def test_moderation(sync_async: Any, gateway: Any, generator: XAIImageGenerator) -> None:
    """An error is raised if no image passed moderation."""
    body = b'{"data": [{"respect_moderation": false, "url": ""}]}'
    gateway.inject(Garbage(body, "application/json"))
    with pytest.raises(ContentPolicyError):
        sync_async.call(generator, "generate", "A red fox")


REPORTED = (
    b'{"data": [{"url": "https://x/1", "revised_prompt": "A fox."}, {"url": "https://x/2"},'
    b' {"url": "", "respect_moderation": false}], "usage": {"cost_in_usd_ticks": 400000000}}'
)


def test_reported_details(sync_async: Any, gateway: Any, generator: XAIImageGenerator) -> None:
    """Blocks have the model, revised prompt, cost and number of blocked images, with a warning."""
    gateway.inject(Garbage(REPORTED, "application/json"))
    with pytest.warns(UserWarning, match="withheld 1 of 3 images"):
        blocks = sync_async.call(generator, "generate", "A fox", n=3)
    assert [(b.model, b.revised_prompt, b.cost_usd, b.blocked) for b in blocks] == [
        ("grok-imagine-image", "A fox.", 0.02, 1),
        ("grok-imagine-image", None, 0.02, 1),
    ]


def test_tool_reports_blocked_images(sync_async: Any, gateway: Any, generator: Any) -> None:
    """The model is informed how many images were withheld."""
    (tool,) = XAIImageToolSpec(generator).to_tool_list()
    gateway.inject(Garbage(REPORTED, "application/json"))
    with pytest.warns(UserWarning, match="withheld"):
        output = sync_async.call(tool, "call", prompt="A fox", n=3)
    assert "Moderation withheld 1 more. URLs: https://x/1 https://x/2" in output.content


def test_errors_of_the_core_are_raised(
    sync_async: Any, gateway: Any, generator: XAIImageGenerator
) -> None:
    """Errors of the core are raised unchanged."""
    gateway.inject(Refuse(429))
    with pytest.raises(RateLimitError):
        sync_async.call(generator, "generate", "A red fox")


def test_printing_and_pickling(generator: XAIImageGenerator) -> None:
    """The repr has no token; a generator can be pickled, and used again after closing."""
    assert repr(generator) == "XAIImageGenerator(model='grok-imagine-image')"
    loaded = pickle.loads(pickle.dumps(generator))  # noqa: S301 - our own bytes
    loaded.close()
    assert loaded.generate("A fox")
    loaded.close()


async def test_closing_asynchronously(generator: XAIImageGenerator) -> None:
    """The generator can be used again after its async connections were closed."""
    await generator.agenerate("A fox")
    await generator.aclose()
    assert await generator.agenerate("A fox")
    await generator.aclose()


# --- as a tool -----------------------------------------------------------------------------------


def test_the_tool_creates_a_generator(gateway: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a generator the tool uses a new one, with the settings of the environment."""
    monkeypatch.setenv("LOWCODEAPI_BASE_URL", gateway.base_url)
    monkeypatch.setenv("LOWCODEAPI_API_TOKEN", gateway.api_token)
    (tool,) = XAIImageToolSpec(quality="low").to_tool_list()
    assert tool.call(prompt="A red fox").raw_output
    assert gateway.requests[-1].body["quality"] == "low"


def test_tool_output(sync_async: Any, gateway: Any, generator: XAIImageGenerator) -> None:
    """The tool returns a text for the model, and the blocks as raw output."""
    (tool,) = XAIImageToolSpec(generator, resolution="1k").to_tool_list()
    assert set(tool.metadata.get_parameters_dict()["properties"]) == {"prompt", "n", "aspect_ratio"}
    output = sync_async.call(tool, "call", prompt="A red fox", n=2, aspect_ratio="16:9")
    first, second = output.raw_output
    assert output.content == (
        f"Generated 2 images; they are shown to the user. URLs: {first.url} {second.url}"
    )
    assert [type(block) for block in output.blocks] == [TextBlock]
    body = gateway.requests[-1].body
    assert (body["n"], body["aspect_ratio"], body["resolution"]) == (2, "16:9", "1k")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("show", [True, False])
@pytest.mark.parametrize("api", ["chat_completions", "responses", "messages"])
def test_agent_generates_image(
    model: Any, generator: Any, api: str, show: bool, streaming: bool
) -> None:
    """An agent generates an image; with ``show`` the model receives it."""
    spec = XAIImageToolSpec(generator, show=show, response_format="b64_json")
    agent = FunctionAgent(tools=spec.to_tool_list(), llm=model(api=api), streaming=streaming)

    async def run_agent() -> Any:
        return await agent.run('generate_image "a red fox"')

    output = asyncio.run(run_agent())
    assert "Generated 1 image; it is shown to the user." in str(output)
    assert ("I see 1 image" in str(output)) is show
    (image,) = output.tool_calls[0].tool_output.raw_output
    assert isinstance(image, ImageBlock)
    message = ChatMessage(blocks=[TextBlock(text="What is it?"), image])
    assert "1 image" in model(api=api).chat([message]).message.content


def test_tool_with_invalid_argument(sync_async: Any, gateway: Any, generator: Any) -> None:
    """An invalid argument raises an error before anything is sent."""
    (tool,) = XAIImageToolSpec(generator).to_tool_list()
    with pytest.raises(UsageError, match="n"):
        sync_async.call(tool, "call", prompt="A fox", n=0)
    assert not gateway.requests


def test_edit(sync_async: Any, gateway: Any, generator: XAIImageGenerator, tmp_path: Path) -> None:
    """Blocks with data, a file or a URL, paths and URLs are sources of an edited block."""
    (block,) = generator.generate("A red fox", response_format="b64_json")
    content = block.resolve_image().read()
    path = tmp_path / "fox.png"
    path.write_bytes(content)
    url = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    sources = [block, ImageBlock(path=path), ImageBlock(url=url), path, url]
    (edited,) = sync_async.call(generator, "edit", "Make it night.", sources)
    (_, *parts) = gateway.requests[-1].body["input"][0]["content"]
    assert [part["image_url"] for part in parts] == [url] * 5
    assert gateway.requests[-1].body["tools"] == [{"type": "image_generation", "action": "edit"}]
    assert isinstance(edited, ImageBlock)
    assert (edited.model, edited.image_mimetype) == ("grok-4.7", "image/png")
    assert edited.resolve_image().read().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("sources", "field"),
    [
        ([], "sources"),
        ([None], "sources[0]"),
        (["no-such-file.png"], "sources[0]"),
        ([ImageBlock(image=b"not an image")], "sources"),
        ([TextBlock(text="A fox")], "sources[0]"),
        (["u"] * 6, "sources"),
    ],
)
def test_invalid_edits(
    sync_async: Any, gateway: Any, generator: XAIImageGenerator, sources: Any, field: str
) -> None:
    """Invalid sources raise before anything is sent."""
    with pytest.raises(UsageError) as raised:
        sync_async.call(generator, "edit", "Make it night.", sources)
    assert raised.value.field == field
    assert gateway.requests == []
