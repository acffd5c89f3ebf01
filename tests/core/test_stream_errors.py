"""Law: an error that a stream tells of is the one that a plain body with the same words would be.

In every wire form, in each shape that forms have for it, at any place, in any envelope, in any cut.
"""

import json
from itertools import pairwise
from typing import Any

import pytest

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
FORMS: dict[str, tuple[Any, list[Any]]] = {
    "chat": (CHAT_COMPLETIONS, CHAT),
    "messages": (MESSAGES_API, MESSAGES),
    "responses": (RESPONSES_API, RESPONSES),
}
TOLD: dict[tuple[str | None, str], type[XAILowCodeError]] = {
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
# What an error looks like in a stream; the last one is an object of responses alone.
SHAPES: dict[str, Any] = {
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
CELLS = [
    (form, shape) for form in FORMS for shape in SHAPES if shape != "a failure" or form[0] == "r"
]


def raised(form: str, chunks: list[Any], *, names: bool, piece: int) -> tuple[str, XAILowCodeError]:
    """The text that came before the error, and the error."""
    lines = [
        (f"event: {one.get('type', 'message')}\n" if names else "")
        + f"data: {json.dumps(one, ensure_ascii=False)}\n\n"
        for one in chunks
    ]
    content = "".join(lines).encode()
    reader = StreamReader(FORMS[form][0], token=TOKEN)
    edges = pairwise([*range(0, len(content), piece), len(content)])
    text: list[str] = []
    with pytest.raises(XAILowCodeError) as error:
        _read(reader, [content[start:end] for start, end in edges], text)
    return "".join(text), error.value


def _read(reader: StreamReader, pieces: list[bytes], text: list[str]) -> None:
    for piece in pieces:
        # Piece by piece: what came before an error stays.
        text.extend(event.text for event in reader.feed(piece) if isinstance(event, TextDelta))
    list(reader.close())


@pytest.mark.parametrize(("form", "shape"), CELLS)
@pytest.mark.parametrize(("code", "said"), TOLD)
def test_an_error_in_a_stream_is_what_it_says(
    form: str, shape: str, code: str | None, said: str
) -> None:
    """Class, code, words and retry; what came before has been handed on."""
    plain = error_from_response(200, {"code": code, "error": said}, {})
    assert plain is not None
    chunks = FORMS[form][1]
    for number, place in enumerate(range(len(chunks) + 1)):
        body = [*chunks[:place], SHAPES[shape](code, said), *chunks[place:]]
        piece = 7 if number % 2 else 1_000_000
        text, error = raised(form, body, names=number % 4 < 2, piece=piece)
        assert type(error) is type(plain) is TOLD[code, said]
        assert (error.code, error.message, error.hint) == (code, said, plain.hint)
        assert (error.source, error.status_code) == ("provider", 200)
        assert "Grüße".startswith(text)
        assert (text == "Grüße") == (place == len(chunks))


@pytest.mark.parametrize("how", ENVELOPES)
@pytest.mark.parametrize(("form", "shape"), CELLS)
def test_an_error_in_an_envelope_is_the_same(form: str, shape: str, how: str) -> None:
    """Also where each chunk is wrapped."""
    chunks = [*FORMS[form][1], SHAPES[shape]("rate_limit_error", "Slow down")]
    text, error = raised(form, [wrapped(one, how) for one in chunks], names=False, piece=11)
    assert (text, type(error), error.message) == ("Grüße", RateLimitError, "Slow down")


@pytest.mark.parametrize(("form", "shape"), CELLS)
def test_a_failure_without_words_is_one_all_the_same(form: str, shape: str) -> None:
    """Nothing that says that it is an error is passed over."""
    if shape in {"a body", "of the gateway", "an object"}:
        return
    _, error = raised(form, [*FORMS[form][1], SHAPES[shape](None, None)], names=True, piece=50)
    assert type(error) is InternalServerError
