"""Handler of image generation."""

import asyncio
import base64
from collections.abc import Collection

from xai_lowcode.emulator import models
from xai_lowcode.emulator.fake_model.images import RESOLUTIONS, generate_image
from xai_lowcode.emulator.handler_types import HandlerRequest, HandlerResult
from xai_lowcode.emulator.json_values import Json
from xai_lowcode.emulator.provider_errors import (
    bad_request,
    check_choice,
    check_range,
    invalid_argument,
)
from xai_lowcode.emulator.replies import take_reply
from xai_lowcode.emulator.schemas.chat import SERVICE_TIER
from xai_lowcode.emulator.validation import INTEGER, STRING, StringEnum, Struct

ASPECT_RATIOS = (
    *("1:1", "3:4", "4:3", "9:16", "16:9", "2:3", "3:2", "9:19.5", "19.5:9", "9:20", "20:9"),
    *("1:2", "2:1", "21:9", "5:2", "auto"),
)
QUALITIES = ("low", "medium", "auto")
RESPONSE_FORMATS = ("url", "b64_json")
DEFAULT_MODEL = "grok-imagine-image"
MAX_IMAGES = 10
GENERATE_REQUEST = Struct(
    "GenerateImageRequest",
    {"prompt": STRING},
    {
        "model": STRING,
        "n": INTEGER,
        "aspect_ratio": StringEnum(ASPECT_RATIOS),
        "resolution": StringEnum(tuple(RESOLUTIONS)),
        "quality": STRING,
        "response_format": STRING,
        "size": STRING,
        "service_tier": SERVICE_TIER,
        "user": STRING,
    },
)


async def generate(request: HandlerRequest) -> HandlerResult:
    """Generate images, in threads since drawing blocks."""
    body = request.body
    model = body.get("model") or DEFAULT_MODEL
    _check(body, model, request.emulator.models)
    number = body.get("n") or 1
    aspect_ratio, resolution = body.get("aspect_ratio") or "auto", body.get("resolution") or "1k"
    reply = take_reply(request.emulator.replies, body, image=True)
    if reply is not None and reply.image is not None:
        data = [_image_object(request, reply.image)] * number
        return HandlerResult({"data": data, "usage": {"cost_in_usd_ticks": 0}})
    images = await asyncio.gather(
        *(
            asyncio.to_thread(generate_image, body["prompt"], aspect_ratio, resolution, variant)
            for variant in range(number)
        )
    )
    cost = number * models.image_price(model, body.get("quality"), resolution)
    data = [_image_object(request, image) for image in images]
    return HandlerResult({"data": data, "usage": {"cost_in_usd_ticks": cost}})


def _image_object(request: HandlerRequest, image: bytes) -> Json:
    if request.body.get("response_format") == "b64_json":
        return {"b64_json": base64.b64encode(image).decode(), "mime_type": "image/png"}
    return {"url": request.emulator.publish_image(image), "mime_type": "image/png"}


def _check(body: Json, model: str, extra: Collection[str]) -> None:
    if not models.exists(model, extra):
        raise bad_request(f"Model not found: {model}")
    if not models.IMAGE_MODEL.match(model):
        raise bad_request(f"Model {model} does not support image generation.")
    if body.get("size") is not None:
        raise bad_request("Argument not supported: size")
    check_choice("quality", body.get("quality") or "auto", QUALITIES)
    if not body["prompt"].strip():
        raise invalid_argument("prompt must not be empty")
    if body.get("n") is not None:
        check_range("n", body["n"], 1, MAX_IMAGES)
    check_choice("response_format", body.get("response_format") or "url", RESPONSE_FORMATS)
    if body.get("resolution") == "1.5k" and "2.0" not in models.served_by(model):
        raise bad_request(f"Model {model} does not support resolution 1.5k.")
