"""Handlers of the Chat Completions API, and of its deferred completions."""

from xai_lowcode.emulator.fake_model.decide import complete
from xai_lowcode.emulator.handler_types import BinaryResult, HandlerRequest, HandlerResult
from xai_lowcode.emulator.provider_errors import require_found
from xai_lowcode.emulator.rules.chat import check_chat_model, check_request
from xai_lowcode.emulator.serializers import chat_completions as serializer
from xai_lowcode.emulator.state import DeferredPending
from xai_lowcode.emulator.store import DeferredCompletion

# How the gateway forwards xAI's empty 202 depends on headers that have not been recorded.
PENDING: dict[DeferredPending, HandlerResult | BinaryResult] = {
    "empty_json": HandlerResult(""),
    "empty": BinaryResult(b"", "text/plain"),
    "null": HandlerResult(None),
    "never": BinaryResult(b"", None),
    "status_202": BinaryResult(b"", "text/plain", 202),
}


async def create(request: HandlerRequest) -> HandlerResult:
    """Create a chat completion, or a deferred one."""
    body = request.body
    check_chat_model(body, request.emulator.models)
    check_request(body)
    completion = complete(body, request)
    response = serializer.to_body(completion)
    if body.get("deferred"):
        name = completion.make_id("deferred")
        request.emulator.store.deferred[name] = DeferredCompletion(response)
        return HandlerResult({"request_id": name})
    if not body.get("stream"):
        return HandlerResult(response)
    heartbeat = serializer.heartbeat_frame(completion)
    return HandlerResult(response, serializer.to_frames(completion), heartbeat)


async def retrieve_deferred(request: HandlerRequest) -> HandlerResult | BinaryResult:
    """Return a deferred completion once, or the pending result for the first polls."""
    name = request.path["request_id"]
    found = request.emulator.store.deferred.get(name)
    deferred = require_found(found, f"Deferred completion not found: {name}")
    if deferred.polls < request.emulator.deferred_polls:
        deferred.polls += 1
        return PENDING[request.emulator.deferred_pending]
    del request.emulator.store.deferred[name]
    return HandlerResult(deferred.body)
