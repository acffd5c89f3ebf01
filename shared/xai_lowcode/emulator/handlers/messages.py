"""Handler of the Messages API."""

from xai_lowcode.emulator.fake_model.decide import complete
from xai_lowcode.emulator.handler_types import HandlerRequest, HandlerResult
from xai_lowcode.emulator.provider_errors import invalid_argument
from xai_lowcode.emulator.rules.chat import check_chat_model, check_request
from xai_lowcode.emulator.serializers import messages as serializer


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
    response = serializer.to_body(completion)
    if not body.get("stream"):
        return HandlerResult(response)
    return HandlerResult(response, serializer.to_frames(completion), serializer.PING)
