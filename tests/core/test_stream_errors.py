"""An error in a stream is raised like the same error in a response body.

For every API, in each format of an error, at any chunk, in any envelope, with any chunking.
"""

import json
from itertools import pairwise, product
from typing import Any

import pytest

from tests.cases import for_each
from tests.core.wire import ENVELOPES, wrapped
from xai_lowcode.chat.dialects.chat_completions import DIALECT as CHAT_COMPLETIONS
from xai_lowcode.chat.dialects.messages import DIALECT as MESSAGES_API
from xai_lowcode.chat.dialects.responses import DIALECT as RESPONSES_API
from xai_lowcode.chat.stream_reader import StreamReader
from xai_lowcode.errors import (
    AuthenticationError,
    BadRequestError,
    ContentPolicyError,
    ContextLengthError,
    CreditsExhaustedError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    XAILowCodeError,
)
from xai_lowcode.protocol.error_mapping import error_from_response
from xai_lowcode.types.events import TextDelta

TOKEN = "canary-without-the-usual-form"
CHAT = [
    {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}
    for text in ("Gr", "üße")
]
MESSAGES = [
    {"type": "message_start", "message": {"id": "m", "usage": {}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    *(
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
        for text in ("Gr", "üße")
    ),
]
RESPONSES = [
    {"type": "response.created", "response": {"id": "r"}},
    *({"type": "response.output_text.delta", "delta": text} for text in ("Gr", "üße")),
]
API_STREAMS: dict[str, tuple[Any, list[Any]]] = {
    "chat": (CHAT_COMPLETIONS, CHAT),
    "messages": (MESSAGES_API, MESSAGES),
    "responses": (RESPONSES_API, RESPONSES),
}
ERRORS: dict[tuple[str | None, str], type[XAILowCodeError]] = {
    ("overloaded_error", "Overloaded"): InternalServerError,
    ("server_error", "Oops"): InternalServerError,
    (None, "Timed out waiting for first token"): InternalServerError,
    ("rate_limit_error", "Slow down"): RateLimitError,
    ("rate_limit_exceeded", "Slow down"): RateLimitError,
    ("Some resource has been exhausted", "Slow down"): RateLimitError,
    ("insufficient_quota", "Pay first"): CreditsExhaustedError,
    ("rate_limit_error", "Your team has used all available credits"): CreditsExhaustedError,
    ("invalid_request_error", "No"): BadRequestError,
    ("invalid-argument", "No"): BadRequestError,
    ("invalid_prompt", "No"): BadRequestError,
    ("request_too_large", "No"): BadRequestError,
    ("invalid_request_error", "This model's maximum prompt length is 3"): ContextLengthError,
    ("context_length_exceeded", "No"): ContextLengthError,
    ("authentication_error", "Who?"): AuthenticationError,
    ("permission_error", "No"): PermissionDeniedError,
    ("server_error", "Content violates usage guidelines."): ContentPolicyError,
    ("not_found_error", "Where?"): NotFoundError,
}
# Formats of an error in a stream; the last one exists in Responses only.
ERROR_FORMATS: dict[str, Any] = {
    "a body": lambda code, text: {"code": code, "error": text},
    "an object": lambda code, text: {"error": {"message": text, "code": code}},
    "of the gateway": lambda code, text: {
        "message": text,
        "provider": "xai",
        "error": {"code": code, "error": text},
        "headers": {},
    },
    "an event": lambda code, text: {"type": "error", "code": code, "message": text, "param": None},
    "an event of messages": lambda code, text: {
        "type": "error",
        "error": {"type": code, "message": text},
    },
    "a failure": lambda code, text: {
        "type": "response.failed",
        "response": {
            "id": "r",
            "object": "response",
            "status": "failed",
            "error": {"code": code, "message": text},
            "output": [],
        },
    },
}
CASES = [
    (api, error_format)
    for api in API_STREAMS
    for error_format in ERROR_FORMATS
    if error_format != "a failure" or api[0] == "r"
]


def read_error(
    api: str, chunks: list[Any], *, named: bool, size: int
) -> tuple[str, XAILowCodeError]:
    """Return the text before the error, and the error."""
    lines = [
        (f"event: {chunk.get('type', 'message')}\n" if named else "")
        + f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n"
        for chunk in chunks
    ]
    content = "".join(lines).encode()
    reader = StreamReader(API_STREAMS[api][0], token=TOKEN)
    edges = pairwise([*range(0, len(content), size), len(content)])
    text: list[str] = []
    with pytest.raises(XAILowCodeError) as error:
        _read(reader, [content[start:end] for start, end in edges], text)
    return "".join(text), error.value


def _read(reader: StreamReader, parts: list[bytes], text: list[str]) -> None:
    for part in parts:
        # Part by part, so that the text before an error is preserved.
        text.extend(event.text for event in reader.feed(part) if isinstance(event, TextDelta))
    list(reader.close())


@for_each(("api", "error_format"), CASES)
def test_an_error_in_a_stream(api: str, error_format: str) -> None:
    """The error has its class, code, message and hint; the text before it is returned."""
    chunks = API_STREAMS[api][1]
    for (code, message), index in product(ERRORS, range(len(chunks) + 1)):
        expected = error_from_response(200, {"code": code, "error": message}, {})
        assert expected is not None
        body = [*chunks[:index], ERROR_FORMATS[error_format](code, message), *chunks[index:]]
        size = 7 if index % 2 else 1_000_000
        text, error = read_error(api, body, named=index % 4 < 2, size=size)
        context = (index, text, error)
        assert type(error) is type(expected) is ERRORS[code, message], context
        assert (error.code, error.message, error.hint) == (code, message, expected.hint), context
        assert (error.source, error.status_code) == ("provider", 200), context
        assert "Grüße".startswith(text), context
        assert (text == "Grüße") == (index == len(chunks)), context


@for_each("envelope", ENVELOPES)
@for_each(("api", "error_format"), CASES)
def test_an_error_in_an_envelope(api: str, error_format: str, envelope: str) -> None:
    """The same error is raised if each chunk is in an envelope."""
    chunks = [*API_STREAMS[api][1], ERROR_FORMATS[error_format]("rate_limit_error", "Slow down")]
    text, error = read_error(
        api, [wrapped(chunk, envelope) for chunk in chunks], named=False, size=11
    )
    assert (text, type(error), error.message) == ("Grüße", RateLimitError, "Slow down")


@for_each(("api", "error_format"), CASES)
def test_an_error_without_a_message(api: str, error_format: str) -> None:
    """An error event without code and message raises, too."""
    if error_format in {"a body", "of the gateway", "an object"}:
        return
    _, error = read_error(
        api, [*API_STREAMS[api][1], ERROR_FORMATS[error_format](None, None)], named=True, size=50
    )
    assert type(error) is InternalServerError
