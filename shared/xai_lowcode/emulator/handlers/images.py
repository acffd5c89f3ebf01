"""The room of generated pictures."""

import asyncio
import base64

from xai_lowcode.emulator import models as catalogue
from xai_lowcode.emulator.fake_model.images import SIZES, drawn
from xai_lowcode.emulator.handler_types import Answer, Ask, Json, invalid
from xai_lowcode.emulator.validation import INTEGER, STRING, Struct, Word

ASPECTS = (
    *("1:1", "3:4", "4:3", "9:16", "16:9", "2:3", "3:2", "9:19.5", "19.5:9", "9:20", "20:9"),
    *("1:2", "2:1", "auto"),
)
FORMATS = ("url", "b64_json")
DEFAULT_MODEL = "grok-imagine-image"
MOST = 10
SHAPE = Struct(
    "GenerateImageRequest",
    {"prompt": STRING},
    {
        "model": STRING,
        "n": INTEGER,
        "aspect_ratio": Word(ASPECTS),
        "resolution": Word(tuple(SIZES)),
        "quality": Word(("low", "medium", "high", "auto")),
        "response_format": STRING,
        "service_tier": Word(("auto", "default", "priority")),
        "user": STRING,
    },
)


async def generate(ask: Ask) -> Answer:
    """Draws pictures, off the loop since drawing takes its time."""
    body = ask.body
    model = body.get("model") or DEFAULT_MODEL
    _check(body, model)
    number = body.get("n") or 1
    drawings = [
        asyncio.to_thread(
            drawn,
            body["prompt"],
            body.get("aspect_ratio") or "auto",
            body.get("resolution") or "1k",
            variant,
        )
        for variant in range(number)
    ]
    pictures = await asyncio.gather(*drawings)
    cost = number * catalogue.picture_price(model)
    rows = [_row(ask, picture) for picture in pictures]
    return Answer({"data": rows, "usage": {"cost_in_usd_ticks": cost}})


def _row(ask: Ask, picture: bytes) -> Json:
    if ask.body.get("response_format") == "b64_json":
        return {"b64_json": base64.b64encode(picture).decode(), "mime_type": "image/png"}
    return {"url": ask.desk.publish(picture), "mime_type": "image/png"}


def _check(body: Json, model: str) -> None:
    if not catalogue.CHAT.match(model):
        raise invalid(f"Model not found: {model}")
    if not catalogue.PICTURES.match(model):
        raise invalid(f"Model {model} does not support image generation.")
    if not body["prompt"].strip():
        raise invalid("Invalid argument: prompt must not be empty")
    if body.get("n") is not None and not 1 <= body["n"] <= MOST:
        raise invalid(f"Invalid argument: n must be between 1 and {MOST}, got {body['n']}")
    if (body.get("response_format") or "url") not in FORMATS:
        raise invalid(f"Invalid argument: response_format is one of {', '.join(FORMATS)}")
    if body.get("resolution") == "1.5k" and "2.0" not in model:
        raise invalid(f"Model {model} does not support resolution 1.5k.")
