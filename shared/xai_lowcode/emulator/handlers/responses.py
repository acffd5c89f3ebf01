"""Handlers of the Responses API."""

from collections.abc import Sequence

from xai_lowcode.emulator.fake_model.decide import complete
from xai_lowcode.emulator.fake_model.prompt_parsing import parse_conversation
from xai_lowcode.emulator.fake_model.server_tools import run_server_tools
from xai_lowcode.emulator.handler_types import HandlerRequest, HandlerResult
from xai_lowcode.emulator.json_values import Json
from xai_lowcode.emulator.provider_errors import require_found
from xai_lowcode.emulator.rules.chat import check_model, check_request
from xai_lowcode.emulator.rules.responses import check_responses_request
from xai_lowcode.emulator.serializers.responses import ResponseOutput, ResponseSerializer
from xai_lowcode.emulator.serializers.responses_events import to_frames
from xai_lowcode.emulator.serializers.responses_input import parse_input, to_chat_request
from xai_lowcode.emulator.store import StoredResponse


async def create(request: HandlerRequest) -> HandlerResult:
    """Create a response, and store it unless `store` is false."""
    body = request.body
    check_model(body, request.emulator.models)
    check_responses_request(body)
    items = [*_previous_items(request), *parse_input(body["input"])]
    output = await _generate_output(request, items)
    response = ResponseSerializer(output).to_body()
    if body.get("store") is not False:
        stored = StoredResponse(response, (*items, *response["output"]))
        request.emulator.store.responses[output.id] = stored
    frames = to_frames(ResponseSerializer(output, streamed=True)) if body.get("stream") else None
    return HandlerResult(response, frames)


async def retrieve(request: HandlerRequest) -> HandlerResult:
    """Return a stored response."""
    return HandlerResult(_get_response(request, request.path["response_id"]).body)


async def delete(request: HandlerRequest) -> HandlerResult:
    """Delete a stored response."""
    name = request.path["response_id"]
    _get_response(request, name)
    del request.emulator.store.responses[name]
    return HandlerResult({"id": name, "object": "response", "deleted": True})


async def _generate_output(request: HandlerRequest, items: Sequence[Json]) -> ResponseOutput:
    chat = to_chat_request(request.body, items)
    check_request(chat)
    tool_uses = await run_server_tools(request, parse_conversation(chat["messages"]))
    completion = complete(chat, request, tuple(use.finding for use in tool_uses))
    if completion.choices[0].calls:
        # A response with function calls has no server-side tool calls.
        tool_uses = []
    return ResponseOutput(request.body, completion, tool_uses)


def _previous_items(request: HandlerRequest) -> tuple[Json, ...]:
    name = request.body.get("previous_response_id")
    return _get_response(request, name).items if name else ()


def _get_response(request: HandlerRequest, name: str) -> StoredResponse:
    found = request.emulator.store.responses.get(name)
    return require_found(found, f"Response with id={name} not found.")
