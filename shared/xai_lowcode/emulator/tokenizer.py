"""The emulator's tokenizer, which is not that of any model.

Token counts, limits, stream chunks and log probabilities all use it and therefore agree.
"""

import re
from dataclasses import dataclass
from zlib import crc32

VOCABULARY_SIZE = 131_072
# Scripts without spaces between words have one token per character.
WIDE = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
TOKEN = re.compile(rf"[{WIDE}]| ?[^\W\d_{WIDE}]{{1,8}}| ?\d{{1,3}}| ?[^\w\s]|_|\s+")


@dataclass(frozen=True, slots=True)
class Token:
    """One token with its id."""

    id: int
    text: str
    bytes: tuple[int, ...]


def split_tokens(text: str) -> list[str]:
    """Split a string into tokens; joined, they are the string."""
    return TOKEN.findall(text)


def count_tokens(text: str) -> int:
    """Return the number of tokens of a string."""
    return TOKEN.subn("", text)[1]  # creates no object for each token


def tokenize(text: str) -> list[Token]:
    """Split a string into tokens with ids."""
    return [
        Token(crc32(raw := part.encode("utf-8", "replace")) % VOCABULARY_SIZE, part, tuple(raw))
        for part in split_tokens(text)
    ]
