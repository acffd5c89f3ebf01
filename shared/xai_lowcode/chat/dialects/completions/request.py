"""Our request as the body of ``/v1/completions``: a conversation of one text."""

from typing import Any

from xai_lowcode.errors import UsageError
from xai_lowcode.types.messages import TextPart
from xai_lowcode.types.requests import ChatRequest

_PLAIN_OPTIONS = (
    "temperature",
    "top_p",
    "max_tokens",
    "n",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "user",
)


def render_request(request: ChatRequest, *, stream: bool) -> dict[str, Any]:
    """The request body.

    Raises:
        UsageError: Something has no place here, and leaving it out would change the meaning.
    """
    for name in ("tools", "response_format", "deferred"):
        if getattr(request, name):
            raise UsageError(
                f"{name}: completions have nothing like it.",
                field=name,
                hint="Use api='chat_completions'.",
            )
    body: dict[str, Any] = {"model": request.model, "prompt": _prompt(request)}
    body |= request.given(_PLAIN_OPTIONS)
    if request.stop:
        body["stop"] = list(request.stop)
    if stream:
        body["stream"] = True
        if request.stream_usage:
            body["stream_options"] = {"include_usage": True}
    body.update(request.extra)
    return body


def _prompt(request: ChatRequest) -> str:
    """The one text; turns of a conversation have no form here, and one of ours would be a guess."""
    if len(request.messages) == 1 and request.messages[0].role == "user":
        parts = [part.text for part in request.messages[0].parts if isinstance(part, TextPart)]
        if len(parts) == len(request.messages[0].parts):
            return "".join(parts)
    raise UsageError(
        "messages: completions take one text of a user's, no conversation and no pictures.",
        field="messages",
        hint="Use api='chat_completions'.",
    )
