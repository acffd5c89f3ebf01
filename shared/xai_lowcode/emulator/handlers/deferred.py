"""Handler of deferred chat completions, which can be retrieved only once."""

from xai_lowcode.emulator.handler_types import BinaryResult, HandlerRequest, HandlerResult
from xai_lowcode.emulator.provider_errors import not_found
from xai_lowcode.emulator.state import DeferredPending

# How the gateway forwards xAI's empty 202 depends on headers that have not been recorded.
PENDING: dict[DeferredPending, HandlerResult | BinaryResult] = {
    "empty_json": HandlerResult(""),
    "empty": BinaryResult(b"", "text/plain"),
    "null": HandlerResult(None),
    "never": BinaryResult(b"", None),
    "status_202": BinaryResult(b"", "text/plain", 202),
}


async def retrieve(request: HandlerRequest) -> HandlerResult | BinaryResult:
    """Return the completion, or the pending result for the first polls."""
    name = request.path["request_id"]
    deferred = request.emulator.store.deferred.get(name)
    if deferred is None:
        raise not_found(f"Deferred completion not found: {name}")
    if deferred.polls < request.emulator.deferred_polls:
        deferred.polls += 1
        return PENDING[request.emulator.deferred_pending]
    del request.emulator.store.deferred[name]
    return HandlerResult(deferred.body)
