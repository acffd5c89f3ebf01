"""The room of embeddings, which is shut unless a switch opens it.

A vector is the sum of one random direction for each word stem, so that texts with common words
lie near each other.
"""

import base64
import hashlib
import math
import random
import struct

from xai_lowcode.emulator import tokenizer as tokens
from xai_lowcode.emulator.fake_model import prompt_parsing as clues
from xai_lowcode.emulator.handler_types import Answer, Ask, Json, invalid
from xai_lowcode.emulator.validation import ANYTHING, INTEGER, STRING, Either, Listed, Struct

SIZE = 256
MOST = 128
FORMATS = ("float", "base64")
SHAPE = Struct(
    "EmbeddingRequest",
    {"input": Either("EmbeddingInput", {str: STRING, list: Listed(ANYTHING)}), "model": STRING},
    {"encoding_format": STRING, "dimensions": INTEGER, "user": STRING},
)


async def embed(ask: Ask) -> Answer:
    """Makes a vector for every text."""
    body = ask.body
    texts = _texts(body["input"])
    size = body.get("dimensions") or SIZE
    _check(body, texts, size)
    rows: list[Json] = [
        {"index": index, "embedding": _written(vector(text, size), body), "object": "embedding"}
        for index, text in enumerate(texts)
    ]
    spent = sum(tokens.count(text) for text in texts)
    usage = {"prompt_tokens": spent, "total_tokens": spent}
    return Answer({"object": "list", "model": body["model"], "data": rows, "usage": usage})


def vector(text: str, size: int) -> list[float]:
    """Makes the vector of a text, of length one."""
    total = [0.0] * size
    for stem in sorted(clues.stems(text)) or [text]:
        direction = random.Random(hashlib.sha256(stem.encode()).digest())  # noqa: S311 - no secret
        total = [value + direction.gauss(0, 1) for value in total]
    length = math.sqrt(sum(value * value for value in total))
    return [value / length for value in total]


def _texts(given: object) -> list[str]:
    """Reads the input: a text, texts, the tokens of a text, or those of several."""
    if isinstance(given, str):
        return [given]
    items: list[object] = given if isinstance(given, list) else []
    if items and all(isinstance(item, int) for item in items):
        return [str(items)]
    if not all(isinstance(item, str | list) for item in items):
        raise invalid("Invalid argument: input is a text, texts, tokens or lists of tokens")
    return [item if isinstance(item, str) else str(item) for item in items]


def _check(body: Json, texts: list[str], size: int) -> None:
    if not 1 <= len(texts) <= MOST:
        raise invalid(f"Invalid argument: input takes 1 to {MOST} texts, got {len(texts)}")
    if size < 1:
        raise invalid(f"Invalid argument: dimensions must be positive, got {size}")
    if (body.get("encoding_format") or "float") not in FORMATS:
        raise invalid(f"Invalid argument: encoding_format is one of {', '.join(FORMATS)}")


def _written(values: list[float], body: Json) -> list[float] | str:
    if body.get("encoding_format") == "base64":
        return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()
    return values
