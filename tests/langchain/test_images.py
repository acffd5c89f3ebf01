"""``XAIImageGenerator`` as a runnable, and generated images as input."""

import base64
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from langchain_core.exceptions import ModelInvalidRequestError
from langchain_core.messages import HumanMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from PIL import Image

from langchain_xai_lowcode import ChatXAILowCode, XAIImageGenerationTool, XAIImageGenerator
from xai_lowcode.emulator import Garbage, Refuse
from xai_lowcode.errors import RateLimitError, UsageError


async def test_images_come_as_standard_blocks(gateway: Any) -> None:
    """Blocks have an image of the requested shape, or a URL; sync and async agree."""
    painter = XAIImageGenerator(response_format="b64_json", n=2, aspect_ratio="16:9")
    blocks = painter.invoke("A fox")
    image = Image.open(BytesIO(base64.b64decode(blocks[0]["base64"])))
    assert len(blocks) == 2
    assert image.width / image.height == pytest.approx(16 / 9, rel=0.05)
    assert (await painter.ainvoke("A fox"))[0]["base64"] == blocks[0]["base64"]
    (by_url,) = painter.invoke({"prompt": "A fox", "n": 1, "response_format": "url"})
    assert by_url["url"].startswith("http")
    assert gateway.requests[-1].body["aspect_ratio"] == "16:9"


def test_chains_and_batches(gateway: Any) -> None:
    """The generator works in a chain and with batches, as any Runnable."""
    assert gateway.base_url
    prompt = ChatPromptTemplate.from_messages([("user", "A {animal}")])
    chain = prompt | XAIImageGenerator() | RunnableLambda(len)
    assert chain.batch([{"animal": "fox"}, {"animal": "owl"}]) == [1, 1]


def test_a_generated_image_is_input_of_a_chat(gateway: Any) -> None:
    """The block of a generated image can be sent to a chat model."""
    blocks = XAIImageGenerator(response_format="b64_json").invoke("A fox")
    question: Any = [*blocks, {"type": "text", "text": "What is this?"}]
    assert ChatXAILowCode().invoke([HumanMessage(content=question)]).text
    part = gateway.requests[-1].body["input"][0]["content"][0]
    assert part["image_url"].startswith("data:image/png;base64,")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ("", "prompt"),
        ({"prompt": "A fox", "n": 0}, "n"),
        ({"prompt": "A fox", "n": 11}, "n"),
        ({"n": 1}, "prompt"),
        ({"prompt": "A fox", "response_format": "gif"}, "response_format"),
    ],
)
def test_invalid_image_requests_are_rejected(gateway: Any, given: Any, field: str) -> None:
    """The error of an invalid image request names its field."""
    with pytest.raises(UsageError) as caught:
        XAIImageGenerator().invoke(given)
    assert caught.value.field == field
    assert gateway.requests == []


def test_errors_have_our_class_and_langchains(gateway: Any) -> None:
    """A failed image generation raises an error with classes of both packages."""
    gateway.inject(Refuse(429, "Slow down"))
    with pytest.raises(RateLimitError):
        XAIImageGenerator(max_retries=0).invoke("A fox")


REPORTED = (
    b'{"data": [{"url": "https://x/1", "revised_prompt": "A fox."}, {"url": "https://x/2"},'
    b' {"url": "", "respect_moderation": false}], "usage": {"cost_in_usd_ticks": 400000000}}'
)


async def test_reported_details(gateway: Any) -> None:
    """Blocks have the model, revised prompt, cost and number of blocked images, with a warning."""
    generator, details = XAIImageGenerator(n=3), {"model": "grok-imagine-image", "cost_usd": 0.02}
    for use_async in (False, True):
        gateway.inject(Garbage(REPORTED, "application/json"))
        with pytest.warns(UserWarning, match="withheld 1 of 3 images"):
            blocks = await generator.ainvoke("A fox") if use_async else generator.invoke("A fox")
        assert [block["extras"] for block in blocks] == [
            {**details, "revised_prompt": "A fox.", "blocked": 1},
            {**details, "blocked": 1},
        ]


def test_tool_reports_blocked_images(gateway: Any) -> None:
    """The model is informed how many images were withheld."""
    gateway.inject(Garbage(REPORTED, "application/json"))
    with pytest.warns(UserWarning, match="withheld"):
        content = XAIImageGenerationTool().invoke({"prompt": "A fox", "n": 3})
    assert "Moderation withheld 1 more. URLs: https://x/1 https://x/2" in content


async def test_images_are_edited(gateway: Any, tmp_path: Path) -> None:
    """Blocks in any format, files and URLs are sources; the edited image is a standard block."""
    painter = XAIImageGenerator(response_format="b64_json")
    (block,) = painter.invoke("A fox")
    data = block["base64"]
    url = f"data:image/png;base64,{data}"
    path = tmp_path / "fox.png"
    path.write_bytes(base64.b64decode(data))
    sources: list[Any] = [
        block,
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "image", "source": {"type": "base64", "data": data, "media_type": "image/png"}},
        path,
    ]
    (edited,) = painter.edit("Make it night.", sources)
    (same,) = await painter.aedit("Make it night.", sources)
    assert {**same, "id": ""} == {**edited, "id": ""}
    (_, *parts) = gateway.requests[-1].body["input"][0]["content"]
    assert [part["image_url"] for part in parts] == [url] * 4
    assert gateway.requests[-1].body["tools"] == [{"type": "image_generation", "action": "edit"}]
    assert edited["mime_type"] == "image/png"
    assert edited["extras"]["model"] == "grok-4.7"
    assert base64.b64decode(edited["base64"]).startswith(b"\x89PNG")
    # A message with the block continues the conversation.
    assert ChatXAILowCode().invoke([HumanMessage([edited, "What is this?"])]).text


@pytest.mark.parametrize(
    "sources", [[], [None], ["no-such-file.png"], [{"type": "text", "text": "A fox"}], ["u"] * 6]
)
async def test_invalid_image_edits_are_rejected(gateway: Any, sources: Any) -> None:
    """The error names the source, and is not retried by LangChain."""
    painter = XAIImageGenerator()
    with pytest.raises(ModelInvalidRequestError, match="sources") as raised:
        painter.edit("Make it night.", sources)
    assert isinstance(raised.value, UsageError)
    with pytest.raises(ModelInvalidRequestError, match="sources"):
        await painter.aedit("Make it night.", sources)
    assert gateway.requests == []
