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
    """Data is a real image of the asked shape; addresses are addresses; sync and async agree."""
    painter = XAIImageGenerator(response_format="b64_json", n=2, aspect_ratio="16:9")
    blocks = painter.invoke("A fox")
    image = Image.open(BytesIO(base64.b64decode(blocks[0]["base64"])))
    assert len(blocks) == 2
    assert image.width / image.height == pytest.approx(16 / 9, rel=0.05)
    assert (await painter.ainvoke("A fox"))[0]["base64"] == blocks[0]["base64"]
    (by_url,) = painter.invoke({"prompt": "A fox", "n": 1, "response_format": "url"})
    assert by_url["url"].startswith("http")
    assert gateway.requests[-1].body["aspect_ratio"] == "16:9"


def test_it_composes(gateway: Any) -> None:
    """A prompt before it, a function behind it, and batches work as for any Runnable."""
    assert gateway.base_url
    prompt = ChatPromptTemplate.from_messages([("user", "A {animal}")])
    chain = prompt | XAIImageGenerator() | RunnableLambda(len)
    assert chain.batch([{"animal": "fox"}, {"animal": "owl"}]) == [1, 1]


def test_an_image_goes_back_into_the_chat(gateway: Any) -> None:
    """A block that was made is a block that can be asked about."""
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
def test_impossible_orders_are_not_sent(gateway: Any, given: Any, field: str) -> None:
    """An order that cannot be meant names its field."""
    with pytest.raises(UsageError) as refusal:
        XAIImageGenerator().invoke(given)
    assert refusal.value.field == field
    assert gateway.requests == []


def test_failures_are_langchains_too(gateway: Any) -> None:
    """An image that could not be made raises as a chat does."""
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
async def test_impossible_edits_are_not_sent(gateway: Any, sources: Any) -> None:
    """An error names the source; LangChain's retries see that it is final."""
    painter = XAIImageGenerator()
    with pytest.raises(ModelInvalidRequestError, match="sources") as raised:
        painter.edit("Make it night.", sources)
    assert isinstance(raised.value, UsageError)
    with pytest.raises(ModelInvalidRequestError, match="sources"):
        await painter.aedit("Make it night.", sources)
    assert gateway.requests == []
