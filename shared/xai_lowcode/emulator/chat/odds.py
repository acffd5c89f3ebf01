"""Log probabilities, made up so that they repeat."""

from typing import Any
from zlib import crc32

from xai_lowcode.emulator import catalogue
from xai_lowcode.emulator.answers import Json


def odds(body: Json, found: list[str]) -> Json | None:
    """Makes log probabilities, where they are asked for and the model has not given them up."""
    if not body.get("logprobs") or catalogue.SILENT_ON_LOGPROBS.match(body["model"]):
        return None
    return {"content": [_one(piece, body.get("top_logprobs") or 0) for piece in found]}


def _one(piece: str, alternatives: int) -> Json:
    likely = _likely(piece, -0.01 - crc32(piece.encode()) % 100 / 200)
    others = [
        _likely(f" option{rank}", likely["logprob"] - rank) for rank in range(1, alternatives)
    ]
    return {**likely, "top_logprobs": [likely, *others][:alternatives]}


def _likely(piece: str, logprob: float) -> dict[str, Any]:
    return {"token": piece, "logprob": round(logprob, 6), "bytes": list(piece.encode())}
