"""Handler of embeddings, which the option `embeddings` enables.

A vector is the sum of one pseudo-random vector per word stem: texts with common words are similar.
"""

import base64
import hashlib
import math
import struct

from xai_lowcode.emulator.fake_model.prompt_parsing import word_stems
from xai_lowcode.emulator.handler_types import HandlerRequest, HandlerResult
from xai_lowcode.emulator.json_values import Json
from xai_lowcode.emulator.provider_errors import (
    check_choice,
    check_prompt_length,
    check_range,
    invalid_argument,
)
from xai_lowcode.emulator.tokenizer import count_tokens
from xai_lowcode.emulator.validation import ANYTHING, INTEGER, STRING, ArrayOf, Struct, UntaggedEnum

DEFAULT_DIMENSIONS = 256
MAX_DIMENSIONS = 1_024
MAX_TEXTS = 128
ENCODING_FORMATS = ("float", "base64")
EMBEDDING_REQUEST = Struct(
    "EmbeddingRequest",
    {
        "input": UntaggedEnum("EmbeddingInput", {str: STRING, list: ArrayOf(ANYTHING)}),
        "model": STRING,
    },
    {"encoding_format": STRING, "dimensions": INTEGER, "user": STRING},
)


async def create(request: HandlerRequest) -> HandlerResult:
    """Create one vector per input text."""
    body = request.body
    texts = _parse_input(body["input"])
    dimensions = body.get("dimensions") or DEFAULT_DIMENSIONS
    _check(body, texts, dimensions)
    data: list[Json] = [
        {"index": index, "embedding": _encode(embed(text, dimensions), body), "object": "embedding"}
        for index, text in enumerate(texts)
    ]
    tokens = sum(count_tokens(text) for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return HandlerResult({"object": "list", "model": body["model"], "data": data, "usage": usage})


def embed(text: str, dimensions: int) -> list[float]:
    """Return the vector of a text, of length one."""
    total = [0.0] * dimensions
    for stem in sorted(word_stems(text)) or [text]:
        digest = hashlib.shake_256(stem.encode()).digest(2 * dimensions)
        vector = struct.unpack(f"<{dimensions}h", digest)
        total = [value + part for value, part in zip(total, vector, strict=True)]
    length = math.sqrt(sum(value * value for value in total))
    return [value / length for value in total]


def _parse_input(value: object) -> list[str]:
    """Parse the input: a string, strings, a list of token ids, or several such lists."""
    if isinstance(value, str):
        return [value]
    items: list[object] = value if isinstance(value, list) else []
    if items and all(isinstance(item, int) for item in items):
        return [str(items)]
    if not all(isinstance(item, str | list) for item in items):
        raise invalid_argument("input is a text, texts, tokens or lists of tokens")
    return [item if isinstance(item, str) else str(item) for item in items]


def _check(body: Json, texts: list[str], dimensions: int) -> None:
    if not 1 <= len(texts) <= MAX_TEXTS:
        raise invalid_argument(f"input takes 1 to {MAX_TEXTS} texts, got {len(texts)}")
    check_range("dimensions", dimensions, 1, MAX_DIMENSIONS)
    check_prompt_length(sum(count_tokens(text) for text in texts))
    check_choice("encoding_format", body.get("encoding_format") or "float", ENCODING_FORMATS)


def _encode(vector: list[float], body: Json) -> list[float] | str:
    if body.get("encoding_format") == "base64":
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    return vector
