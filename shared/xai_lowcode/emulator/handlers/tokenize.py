"""The room that splits a text into tokens."""

from xai_lowcode.emulator import tokenizer as tokens
from xai_lowcode.emulator.handler_types import Answer, Ask
from xai_lowcode.emulator.rules.chat import check_model
from xai_lowcode.emulator.validation import STRING, Struct

SHAPE = Struct("TokenizeRequest", {"text": STRING}, {"model": STRING, "user": STRING})


async def tokenize(ask: Ask) -> Answer:
    """Lists the tokens of a text."""
    check_model(ask.body)
    found = [
        {"token_id": token.id, "string_token": token.text, "token_bytes": list(token.bytes)}
        for token in tokens.tokenized(ask.body["text"])
    ]
    return Answer({"token_ids": found})
