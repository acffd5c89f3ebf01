"""The one tokenizer: splits a text into pieces that join to the same text again.

It is no model's tokenizer. Counts, limits, stream chunks and log probabilities all use it, so
that they agree with one another.
"""

import re
from dataclasses import dataclass
from zlib import crc32

VOCABULARY = 131_072
# Scripts without spaces between words, where eight letters would be a sentence.
WIDE = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
PIECE = re.compile(rf"[{WIDE}]| ?[^\W\d_{WIDE}]{{1,8}}| ?\d{{1,3}}| ?[^\w\s]|_|\s+")


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of a text with its number."""

    id: int
    text: str
    bytes: tuple[int, ...]


def pieces(text: str) -> list[str]:
    """Splits a text; nothing is lost and nothing is added."""
    return PIECE.findall(text)


def count(text: str) -> int:
    """Counts the tokens of a text."""
    return len(pieces(text))


def tokenized(text: str) -> list[Token]:
    """Splits a text into numbered tokens."""
    return [
        Token(crc32(raw := piece.encode("utf-8", "replace")) % VOCABULARY, piece, tuple(raw))
        for piece in pieces(text)
    ]
