"""Handler of the Messages API."""

from xai_lowcode.emulator.fake_model.decide import complete
from xai_lowcode.emulator.handler_types import HandlerRequest, HandlerResult
from xai_lowcode.emulator.provider_errors import invalid_argument
from xai_lowcode.emulator.rules.chat import check_chat_model, check_request
from xai_lowcode.emulator.schemas.messages import MESSAGE_REQUEST
from xai_lowcode.emulator.serializers import messages as serializer

__all__ = ["MESSAGE_REQUEST", "create"]


async def create(request: HandlerRequest) -> HandlerResult:
    """Create a message."""
    body = request.body
    check_chat_model(body, request.emulator.models)
    limit = body["max_tokens"]
    if limit < 1:
        raise invalid_argument(f"max_tokens must be positive, got {limit}")
    chat = serializer.to_chat_request(body)
    check_request(chat)
    completion = complete(chat, request)
    streamed = bool(body.get("stream"))
    return HandlerResult(
        serializer.to_body(completion),
        serializer.to_frames(completion) if streamed else None,
        serializer.PING if streamed else None,
    )
