"""What ``ChatModel`` adds to a request or takes out of it, over all APIs, streamed or not."""

import asyncio
import json
import warnings
from contextlib import aclosing
from typing import Any

import pytest

from tests.core.fake_server import TOKEN, FakeServer, Request, json_reply, sse_reply
from tests.core.test_stream_reader import BODY, STREAM_FORMATS
from tests.core.wire import refused
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.chat.openai_format import adapt_server_tool
from xai_lowcode.settings import Settings
from xai_lowcode.types.messages import (
    FilePart,
    ImagePart,
    Message,
    StoredResponse,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from xai_lowcode.types.requests import ChatRequest, ServerTool

MODEL = "grok-4.7"
HELLO = Message("user", (TextPart("Hello"),))
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "model": MODEL,
    "status": "completed",
    "output": [
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hi.", "annotations": []}],
        }
    ],
}


def reply(request: Request) -> Any:
    """Return a response of the requested API."""
    streamed = request.json.get("stream")
    if "/responses" not in request.target:
        return sse_reply(STREAM_FORMATS["live"]) if streamed else json_reply(BODY)
    event = json.dumps({"type": "response.completed", "response": RESPONSE})
    return sse_reply([f"data: {event}\n\n".encode()]) if streamed else json_reply(RESPONSE)


def send(model: ChatModel, request: ChatRequest, *, streamed: bool, is_async: bool) -> None:
    """Send a request by one of the four methods."""
    if is_async:
        asyncio.run(send_async(model, request, streamed=streamed))
    elif streamed:
        list(model.stream(request))
    else:
        model.generate(request)


async def send_async(model: ChatModel, request: ChatRequest, *, streamed: bool) -> None:
    """Send a request by one of the two async methods."""
    if not streamed:
        await model.agenerate(request)
        return
    async with aclosing(model.astream(request)) as events:
        async for _ in events:
            pass


def connect(gateway: FakeServer) -> ChatModel:
    """Return a model that is connected to the loopback server."""
    settings = Settings.create(
        api_token=TOKEN, base_url=gateway.base_url, max_retries=0, url_format="new"
    )
    return ChatModel(settings)


# The API, the key that the package adds, whether to streams only, and the message of xAI's error.
ADDED = [
    ("chat_completions", "stream_options", True, "Argument not supported: stream_options"),
    (
        "chat_completions",
        "stream_options",
        True,
        "Argument not supported on this model: streamOptions",
    ),
    (
        "chat_completions",
        "stream_options",
        True,
        "Model x does not support parameter stream_options.",
    ),
    ("responses", "include", False, "Argument not supported: include"),
    ("responses", "include", False, "Model x does not support parameter include."),
    ("responses", "include", False, "This model does not support encrypted reasoning content."),
    ("responses", "include", False, "Encrypted content is not supported with this model."),
]


@pytest.mark.parametrize(("api", "key", "streams_only", "message"), ADDED)
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("is_async", [False, True])
def test_a_rejected_option_of_the_package_is_omitted(
    gateway: FakeServer,
    api: Any,
    key: str,
    streams_only: bool,
    message: str,
    streamed: bool,
    is_async: bool,
) -> None:
    """The request is sent again without the option; later requests omit it, without a warning."""

    def respond(request: Request) -> Any:
        if key in request.json:
            return json_reply(refused({"code": "invalid-argument", "error": message}), 400)
        return reply(request)

    gateway.respond = respond
    model = connect(gateway)
    request = ChatRequest(model=MODEL, messages=(HELLO,), api=api)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            send(model, request, streamed=streamed, is_async=is_async)
    sent = [key in request.json for request in gateway.requests]
    assert sent == ([True, False, False] if streamed or not streams_only else [False, False])


# A tool in OpenAI's format, the tool that is sent, and the options that a warning names.
OPENAI_TOOLS: list[tuple[dict[str, Any], dict[str, Any], list[str]]] = [
    (
        {"type": "web_search", "search_context_size": "low"},
        {"type": "web_search"},
        ["search_context_size"],
    ),
    (
        {
            "type": "web_search",
            "user_location": {"type": "approximate", "country": "DE"},
            "external_web_access": True,
            "allowed_domains": ["x.ai"],
        },
        {"type": "web_search", "allowed_domains": ["x.ai"]},
        ["external_web_access", "user_location"],
    ),
    (
        {"type": "web_search", "user_location": None, "filters": None},
        {"type": "web_search"},
        [],
    ),
    (
        {"type": "web_search", "filters": {"allowed_domains": ["x.ai"]}},
        {"type": "web_search", "allowed_domains": ["x.ai"]},
        [],
    ),
    (
        {"type": "web_search", "filters": {"blocked_domains": ["a.org"], "allowed_domains": []}},
        {"type": "web_search", "excluded_domains": ["a.org"]},
        [],
    ),
    (
        {"type": "web_search", "filters": {"language": "de"}, "enable_image_search": True},
        {"type": "web_search", "enable_image_search": True},
        ["filters"],
    ),
    (
        {"type": "web_search_preview", "search_context_size": "high"},
        {"type": "web_search"},
        ["search_context_size"],
    ),
    ({"type": "web_search_preview_2025_03_11"}, {"type": "web_search"}, []),
    (
        {"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file_1"]}},
        {"type": "code_interpreter"},
        ["container"],
    ),
    (
        {
            "type": "file_search",
            "vector_store_ids": ["c"],
            "filters": {"type": "eq"},
            "ranking_options": {},
        },
        {"type": "file_search", "vector_store_ids": ["c"]},
        ["filters", "ranking_options"],
    ),
    # Options of xAI and unknown tools are sent unchanged.
    ({"type": "new_tool", "container": "c"}, {"type": "new_tool", "container": "c"}, []),
    (
        {
            "type": "mcp",
            "server_label": "m",
            "server_url": "https://m",
            "require_approval": "never",
        },
        {
            "type": "mcp",
            "server_label": "m",
            "server_url": "https://m",
            "require_approval": "never",
        },
        [],
    ),
]


@pytest.mark.parametrize(("tool", "sent", "omitted"), OPENAI_TOOLS)
def test_options_of_openai_only(
    gateway: FakeServer, tool: dict[str, Any], sent: dict[str, Any], omitted: list[str]
) -> None:
    """Options that xAI rejects are translated, or left out with one warning for each."""
    gateway.respond = reply
    model = connect(gateway)
    options = {name: value for name, value in tool.items() if name != "type"}
    server_tool = ServerTool(tool["type"], options)
    request = ChatRequest(model=MODEL, messages=(HELLO,), server_tools=(server_tool,))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for streamed in (False, True):
            for is_async in (False, True):
                send(model, request, streamed=streamed, is_async=is_async)
    assert [body.json["tools"] for body in gateway.requests] == [[sent]] * 4
    assert [str(warning.message).partition(":")[0] for warning in warned] == omitted
    assert adapt_server_tool(adapt_server_tool(server_tool)[0])[1] == ()
    assert server_tool.options == options


IMAGE = ImagePart("https://example.com/a.png")
STORED = Message("assistant", (TextPart("Hi."),), stored=StoredResponse("resp_1", "not the digest"))
# Messages, options, and whether a warning states that xAI advises not to store the images.
STORED_IMAGES: list[tuple[tuple[Message, ...], dict[str, Any], bool]] = [
    ((Message("user", (TextPart("?"), IMAGE)),), {"store": True}, True),
    ((Message("user", (IMAGE,)),), {"previous_response_id": "resp_1"}, True),
    (
        (
            HELLO,
            Message("assistant", (ToolCallPart("c", "look", "{}"),)),
            Message("tool", (ToolResultPart("c", (IMAGE,)),)),
        ),
        {"store": True},
        True,
    ),
    ((Message("user", (IMAGE,)),), {}, False),
    ((Message("user", (IMAGE,)),), {"store": False}, False),
    ((HELLO,), {"store": True}, False),
    ((Message("user", (FilePart(file_id="file_1"),)),), {"store": True}, False),
    # Sent with an earlier request.
    (
        (Message("user", (IMAGE,)), STORED, HELLO),
        {"previous_response_id": "resp_1", "stored_messages": 2},
        False,
    ),
]


@pytest.mark.parametrize(("messages", "options", "warns"), STORED_IMAGES)
@pytest.mark.parametrize("is_async", [False, True])
def test_stored_images(
    gateway: FakeServer,
    messages: tuple[Message, ...],
    options: dict[str, Any],
    warns: bool,
    is_async: bool,
) -> None:
    """A request that stores images is sent, and warns once for a client."""
    gateway.respond = reply
    model = connect(gateway)
    request = ChatRequest(model=MODEL, messages=messages, **options)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for streamed in (False, True):
            send(model, request, streamed=streamed, is_async=is_async)
    assert ["store=False" in str(warning.message) for warning in warned] == [True] * warns
    is_stored = bool(options.get("store") or "previous_response_id" in options)
    assert [body.json["store"] for body in gateway.requests] == [is_stored] * 2
