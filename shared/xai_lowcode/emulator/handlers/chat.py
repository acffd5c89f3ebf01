"""Handler of the Chat Completions API."""

from xai_lowcode.emulator.fake_model.decide import complete
from xai_lowcode.emulator.handler_types import HandlerRequest, HandlerResult
from xai_lowcode.emulator.rules.chat import check_chat_model, check_request
from xai_lowcode.emulator.schemas.chat import CHAT_REQUEST
from xai_lowcode.emulator.serializers import chat_completions as serializer
from xai_lowcode.emulator.state import DeferredCompletion, make_uuid

__all__ = ["CHAT_REQUEST", "create"]


async def create(request: HandlerRequest) -> HandlerResult:
    """Create a chat completion, or a deferred one."""
    body = request.body
    check_chat_model(body, request.emulator.models)
    check_request(body)
    completion = complete(body, request)
    if body.get("deferred"):
        name = make_uuid(f"deferred/{request.sequence}")
        body = serializer.to_body(completion)
        request.emulator.store.deferred[name] = DeferredCompletion(body)
        return HandlerResult({"request_id": name})
    streamed = bool(body.get("stream"))
    return HandlerResult(
        serializer.to_body(completion),
        serializer.to_frames(completion) if streamed else None,
        serializer.heartbeat_frame(completion) if streamed else None,
    )
