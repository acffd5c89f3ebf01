"""Images in responses of the image endpoint and in content blocks of the frameworks."""

from collections.abc import Mapping
from typing import Any

from xai_lowcode._internal.data_urls import image_mime_type, split_data_url
from xai_lowcode._internal.parsing import get_int, get_nonempty_str
from xai_lowcode._internal.user_warnings import warn_user
from xai_lowcode.errors import ContentPolicyError, InvalidResponseError
from xai_lowcode.types.images import Image, ImageBatch


def images(blocks: object) -> ImageBatch:
    """Return the images among content blocks, to display them in a notebook or to save them.

    Args:
        blocks: One block or a list of blocks: LangChain's image blocks (also among other blocks, as
            in ``message.content_blocks``), LlamaIndex's ``ImageBlock`` (as in ``message.blocks``),
            or ``Image``.

    Example:
        >>> from xai_lowcode import images
        >>> block = {"type": "image", "base64": "iVBORw0KGgo="}
        >>> images([{"type": "text", "text": "A fox."}, block]).images
        (Image(image/png, 8 bytes),)
    """
    items = blocks if isinstance(blocks, list | tuple) else [blocks]
    found = (item if isinstance(item, Image) else _image_from_block(item) for item in items)
    return ImageBatch(tuple(image for image in found if image is not None))


def _image_from_block(block: object) -> Image | None:
    # The frameworks may not be installed, so their classes cannot be imported here.
    if isinstance(block, Mapping):
        kind, data, url = (block.get(name) for name in ("type", "base64", "url"))
        mime_type = block.get("mime_type")
    else:
        kind, data, url = (getattr(block, name, None) for name in ("block_type", "image", "url"))
        mime_type = getattr(block, "image_mimetype", None)
    if kind != "image" or not (data or url):
        return None
    # LlamaIndex stores base64 as bytes and URLs as objects.
    text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
    address = None if url is None else str(url)
    if (data_url := split_data_url(address or "")) is not None:
        (mime_type, text), address = data_url, None
    return Image(address, text, mime_type or image_mime_type(text or ""))


def parse_images(body: Any) -> ImageBatch:
    """Parse a response of the image generation endpoint; warns if moderation withheld images.

    Raises:
        ContentPolicyError: Moderation blocked all images.
        InvalidResponseError: The body has another form.
    """
    items = body.get("data") if isinstance(body, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise InvalidResponseError("The response has no list of images.", body=body)
    allowed = [item for item in items if item.get("respect_moderation") is not False]
    if not all(
        get_nonempty_str(item, "b64_json") or get_nonempty_str(item, "url") for item in allowed
    ):
        raise InvalidResponseError("An image has neither a URL nor data.", body=body)
    if not items:
        raise InvalidResponseError("The response contains no images.", body=body)
    if not allowed:
        raise ContentPolicyError(
            "xAI's moderation blocked the images.", source="provider", status_code=200
        )
    blocked = len(items) - len(allowed)
    if blocked:
        warn_user(f"xAI's moderation withheld {blocked} of {len(items)} images.")
    return ImageBatch(
        tuple(_parse_image(item) for item in allowed),
        blocked,
        get_nonempty_str(body, "model") or "",
        get_int(body.get("usage"), "cost_in_usd_ticks"),
    )


def _parse_image(item: Mapping[str, Any]) -> Image:
    data = get_nonempty_str(item, "b64_json")
    return Image(
        url=get_nonempty_str(item, "url"),
        base64=data,
        mime_type=get_nonempty_str(item, "mime_type") or image_mime_type(data or ""),
        revised_prompt=get_nonempty_str(item, "revised_prompt"),
    )
