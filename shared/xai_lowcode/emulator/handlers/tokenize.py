"""Handler of tokenization."""

from xai_lowcode.emulator import tokenizer
from xai_lowcode.emulator.handler_types import HandlerRequest, HandlerResult
from xai_lowcode.emulator.provider_errors import check_prompt_length
from xai_lowcode.emulator.rules.chat import check_model
from xai_lowcode.emulator.validation import STRING, Struct

TOKENIZE_REQUEST = Struct("TokenizeRequest", {"text": STRING}, {"model": STRING, "user": STRING})


async def tokenize(request: HandlerRequest) -> HandlerResult:
    """Return the tokens of a string."""
    check_model(request.body, request.emulator.models)
    check_prompt_length(tokenizer.count_tokens(request.body["text"]))
    tokens = [
        {"token_id": token.id, "string_token": token.text, "token_bytes": list(token.bytes)}
        for token in tokenizer.tokenize(request.body["text"])
    ]
    return HandlerResult({"token_ids": tokens})
