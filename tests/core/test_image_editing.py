"""Source images of any type become parts of one request, whose images are returned."""

import base64
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as PILImage

from tests.cases import for_each
from tests.core import sync_async
from xai_lowcode.chat.dialects.responses import DIALECT as RESPONSES
from xai_lowcode.chat.image_editing import (
    MAX_SOURCES,
    build_edit_request,
    parse_edited_images,
    read_image,
)
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.emulator import running
from xai_lowcode.errors import ContentPolicyError, InvalidResponseError, UsageError
from xai_lowcode.settings import Settings
from xai_lowcode.types.images import Image
from xai_lowcode.types.messages import ImagePart, TextPart
from xai_lowcode.types.responses import ChatResponse, Choice, Usage

PNG = bytes.fromhex("89504e470d0a1a0a") + b"\0\0\0\rIHDR"
JPEG = bytes.fromhex("ffd8ffe0") + b"image"
WEBP = b"RIFF\0\0\0\0WEBPVP8 "
URL = "https://example.com/fox.png"


def data_url(content: bytes, mime_type: str) -> str:
    """Return a data URL."""
    return f"data:{mime_type};base64,{base64.b64encode(content).decode()}"


SOURCES: list[tuple[Any, str]] = [
    (URL, URL),
    ("http://example.com/fox.png", "http://example.com/fox.png"),
    (data_url(PNG, "image/png"), data_url(PNG, "image/png")),
    (PNG, data_url(PNG, "image/png")),
    (JPEG, data_url(JPEG, "image/jpeg")),
    (WEBP, data_url(WEBP, "image/webp")),
    (ImagePart(URL), URL),
    (Image(url=URL), URL),
    (
        Image(base64=base64.b64encode(PNG).decode(), mime_type="image/png"),
        data_url(PNG, "image/png"),
    ),
    ({"type": "image", "url": URL}, URL),
    (
        {"type": "image", "base64": base64.b64encode(PNG).decode(), "mime_type": "image/png"},
        data_url(PNG, "image/png"),
    ),
]


@for_each(("source", "url"), SOURCES)
def test_sources(source: Any, url: str) -> None:
    """An image of any type is a part of the message, after the prompt."""
    for sources in (source, [source], (source, source)):
        request = build_edit_request("Make it night.", sources)
        body = RESPONSES.render(request, stream=False)
        count = len(sources) if isinstance(sources, list | tuple) else 1
        image = {"type": "input_image", "image_url": url}
        text = {"type": "input_text", "text": "Make it night."}
        assert body["input"] == [{"role": "user", "content": [text, *[image] * count]}]
        assert body["tools"] == [{"type": "image_generation", "action": "edit"}]
        assert body["store"] is False


def test_files(tmp_path: Path) -> None:
    """A file is read, whether its path is a string or a ``Path``."""
    path = tmp_path / "fox.jpg"
    path.write_bytes(JPEG)
    for source in (path, str(path)):
        assert read_image(source) == ImagePart(data_url(JPEG, "image/jpeg"))


@for_each(
    ("prompt", "sources", "field"),
    [
        ("", [URL], "prompt"),
        (" ", [URL], "prompt"),
        (None, [URL], "prompt"),
        ("x", [], "sources"),
        ("x", [URL] * (MAX_SOURCES + 1), "sources"),
        ("x", None, "sources[0]"),
        ("x", [URL, 3], "sources[1]"),
        ("x", [[URL]], "sources[0]"),
        ("x", [{"type": "text", "text": "a fox"}], "sources[0]"),
        ("x", [TextPart("a fox")], "sources[0]"),
        ("x", ["no-such-file.png"], "sources[0]"),
        ("x", "no\0path", "sources[0]"),
    ],
)
def test_invalid_arguments(prompt: Any, sources: Any, field: str) -> None:
    """An error names the argument, and the position of an image."""
    with pytest.raises(UsageError) as raised:
        build_edit_request(prompt, sources)
    assert raised.value.field == field
    assert str(raised.value).startswith(f"{field}: ")


def respond(*parts: Any, reason: str = "stop", refusal: str | None = None) -> ChatResponse:
    """Return a response."""
    usage = Usage(1, 1, 2, cost_ticks=20)
    choice = Choice(parts, reason, refusal=refusal)
    return ChatResponse((choice,), model="grok-4.7", usage=usage)


def test_images_of_a_response() -> None:
    """Images are data or URLs, and the cost is that of the response."""
    png = ImagePart(data_url(PNG, "image/png"))
    batch = parse_edited_images(respond(TextPart("Here."), png, ImagePart(URL)))
    assert [(image.url, image.base64 and image.content) for image in batch.images] == [
        (None, PNG),
        (URL, None),
    ]
    assert batch.images[0].mime_type == "image/png"
    assert (batch.model, batch.cost_ticks) == ("grok-4.7", 20)


@for_each(
    ("response", "kind"),
    [
        (respond(TextPart("I cannot.")), InvalidResponseError),
        (respond(), InvalidResponseError),
        (respond(TextPart("I cannot."), reason="content_filter"), ContentPolicyError),
        (respond(refusal="I cannot."), ContentPolicyError),
    ],
)
def test_a_response_without_images(response: ChatResponse, kind: type[Exception]) -> None:
    """The error quotes what the model returned instead."""
    with pytest.raises(kind, match="no images") as raised:
        parse_edited_images(response)
    assert not response.text or response.text in str(raised.value)


def test_a_round_trip() -> None:
    """The edited image is that of the server-side tool, sync and async."""
    with running() as gateway:
        settings = Settings.create(api_token=gateway.api_token, base_url=gateway.base_url)
        source = BytesIO()
        PILImage.new("RGB", (8, 8)).save(source, "PNG")
        request = build_edit_request("Make it night.", source.getvalue())
        for response in sync_async.generate(ChatModel(settings), request):
            (image,) = parse_edited_images(response).images
            assert image.content.startswith(PNG[:8])
