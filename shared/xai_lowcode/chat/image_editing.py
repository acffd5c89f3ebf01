"""Edit images with the server-side tool ``image_generation``, over Responses.

The gateway has no endpoint for it. The tool returns the image data; the chat model that calls it
chooses size and format.
"""

import base64
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from xai_lowcode._internal.data_urls import image_mime_type, split_data_url
from xai_lowcode._internal.short_repr import truncate
from xai_lowcode.api.images import images
from xai_lowcode.chat.profiles import DEFAULT_MODEL
from xai_lowcode.chat.server_tools import image_generation
from xai_lowcode.errors import (
    ContentPolicyError,
    InvalidResponseError,
    UsageError,
    describe_value,
)
from xai_lowcode.types.images import Image, ImageBatch
from xai_lowcode.types.messages import ImagePart, Message, TextPart
from xai_lowcode.types.requests import ChatRequest
from xai_lowcode.types.responses import REFUSAL_REASONS, ChatResponse

_URL_SCHEME = re.compile("(https?://|data:)", re.IGNORECASE)

MAX_SOURCES = 5
"""How many images can be edited together."""


ImageSource = str | Path | bytes | Image | ImagePart | Mapping[str, object]
"""A path, a URL, the bytes of an image, or an image block with data or a URL."""


def read_image(source: object, name: str = "sources") -> ImagePart:
    """Return a source image as a part of a message.

    Args:
        source: A path, a URL (http, https or data), the bytes of an image, an ``Image``, or an
            image block of a framework with data or a URL.
        name: Name of the argument, for errors.

    Raises:
        UsageError: It is none of these, the file cannot be read, or it is not an image.

    Example:
        >>> read_image("https://example.com/fox.png").url
        'https://example.com/fox.png'
        >>> read_image(bytes.fromhex("89504e470d0a1a0a")).url
        'data:image/png;base64,iVBORw0KGgo='
    """
    match source:
        case ImagePart():
            return source
        case str() if _URL_SCHEME.match(source):
            url = source[:5].lower() + source[5:]
            return _checked(ImagePart(url), truncate(url), name)
        case str() | Path():
            path = Path(source)
            return _checked(_from_bytes(_read(path, name)), truncate(str(path)), name)
        case bytes():
            shown = (
                f"data that begins with {describe_value(source[:8])}" if source else "empty data"
            )
            return _checked(_from_bytes(source), shown, name)
    found = () if isinstance(source, list | tuple) else images(source).images
    for image in found:
        return ImagePart(image.url or f"data:{image.mime_type};base64,{image.base64}")
    raise UsageError(
        f"{name}: {describe_value(source)} is not an image.",
        field=name,
        hint="Pass a path, a URL, bytes, or an image block with data or a URL.",
    )


def build_edit_request(
    prompt: str,
    sources: object,
    *,
    model: str = DEFAULT_MODEL,
    read: Callable[[object, str], ImagePart] = read_image,
) -> ChatRequest:
    """Build the request that edits images. It is not stored at xAI.

    Args:
        prompt: What to change, or how to combine the images.
        sources: The images, 1 to 5, in a list; or one image.
        model: A chat model that supports server-side tools.
        read: Converts an image to a part; takes its name for errors, too.

    Raises:
        UsageError: The prompt is empty, there are no or too many images, or one is not an image.
    """
    if not isinstance(prompt, str) or not prompt.strip():
        raise UsageError("prompt: must not be empty.", field="prompt")
    items = sources if isinstance(sources, list | tuple) else [sources]
    if not 1 <= len(items) <= MAX_SOURCES:
        raise UsageError(
            f"sources: must be 1 to {MAX_SOURCES} images, not {len(items)}.", field="sources"
        )
    parts = (read(source, f"sources[{index}]") for index, source in enumerate(items))
    return ChatRequest(
        model=model,
        messages=(Message("user", (TextPart(prompt), *parts)),),
        server_tools=(image_generation(action="edit"),),
        api="responses",
        store=False,
    )


def _read(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        shown = truncate(str(path))
        raise UsageError(f"{name}: {shown} cannot be read ({reason}).", field=name) from None


def _checked(part: ImagePart, shown: str, name: str) -> ImagePart:
    """Refuse data of an unknown type, which is taken for JPEG; its base64 begins with /9j/."""
    kind, data = split_data_url(part.url or "") or ("", "")
    if kind == image_mime_type(data) == "image/jpeg" and not data.startswith("/9j/"):
        raise UsageError(
            f"{name}: {shown} is not an image that xAI reads.",
            field=name,
            hint="Convert it to PNG, JPEG or WebP.",
        )
    return part


def _from_bytes(content: bytes) -> ImagePart:
    data = base64.b64encode(content).decode()
    return ImagePart(f"data:{image_mime_type(data)};base64,{data}")


def parse_edited_images(response: ChatResponse) -> ImageBatch:
    """Return the images of a response.

    Raises:
        ContentPolicyError: The model refused to edit the images.
        InvalidResponseError: The response has no images.
    """
    (choice, *_) = response.choices
    found = tuple(
        _to_image(part.url) for part in choice.parts if isinstance(part, ImagePart) and part.url
    )
    if not found:
        text = choice.refusal or choice.text
        message = f"The response contains no images. The model returned: {text!r}"
        if choice.refusal or choice.finish_reason in REFUSAL_REASONS:
            raise ContentPolicyError(message, source="provider", status_code=200)
        raise InvalidResponseError(message, source="provider", body=response.raw)
    cost_ticks = None if response.usage is None else response.usage.cost_ticks
    return ImageBatch(found, model=response.model, cost_ticks=cost_ticks)


def _to_image(url: str) -> Image:
    data_url = split_data_url(url)
    if data_url is None:
        return Image(url)
    mime_type, data = data_url
    return Image(base64=data, mime_type=mime_type)
