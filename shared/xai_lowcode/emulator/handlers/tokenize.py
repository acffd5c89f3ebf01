"""Handler of tokenization."""

from xai_lowcode.emulator import tokenizer
from xai_lowcode.emulator.handler_types import HandlerRequest, HandlerResult, invalid_argument
from xai_lowcode.emulator.rules.chat import PROMPT_TOO_LONG, check_model
from xai_lowcode.emulator.validation import STRING, Struct

MAX_TOKENS = 100_000
TOKENIZE_REQUEST = Struct("TokenizeRequest", {"text": STRING}, {"model": STRING, "user": STRING})


async def tokenize(request: HandlerRequest) -> HandlerResult:
    """Return the tokens of a string."""
    check_model(request.body, request.emulator.models)
    number = tokenizer.count_tokens(request.body["text"])
    if number > MAX_TOKENS:
        raise invalid_argument(PROMPT_TOO_LONG.format(MAX_TOKENS, number))
    tokens = [
        {"token_id": token.id, "string_token": token.text, "token_bytes": list(token.bytes)}
        for token in tokenizer.tokenize(request.body["text"])
    ]
    return HandlerResult({"token_ids": tokens})
