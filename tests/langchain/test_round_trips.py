"""Round trip of responses of each API to LangChain's messages and back."""

import copy
import pickle
from collections.abc import Callable, Iterable
from functools import reduce
from operator import add
from typing import Any

import pytest
from langchain_core.load import dumpd, load
from langchain_core.messages import (
    AIMessage,
    HumanMessage,
    ToolMessage,
    merge_message_runs,
    trim_messages,
)
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from langchain_xai_lowcode import (
    ChatXAILowCode,
    code_execution,
    file_search,
    image_generation,
    mcp,
    web_search,
    x_search,
)
from langchain_xai_lowcode._input import to_messages
from langchain_xai_lowcode._output import ITEMS, build_output_blocks
from langchain_xai_lowcode._stream import ChunkBuilder
from xai_lowcode import Gateway, Settings
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.types.events import (
    ChoiceFinished,
    ImageGenerated,
    ResponseCompleted,
    ResponseStarted,
    TextDelta,
    UsageReported,
)
from xai_lowcode.types.messages import ImagePart, Message, ServerToolPart, TextPart
from xai_lowcode.types.requests import ChatRequest
from xai_lowcode.types.responses import Usage

Chat = Callable[..., ChatXAILowCode]
APIS = ["chat_completions", "responses", "messages"]
METHODS = ["invoke", "stream", "ainvoke", "astream"]
SERVER_TOOLS = [
    web_search(),
    x_search(),
    code_execution(),
    file_search(["collection_1"]),
    mcp("https://mcp.example", "museum", authorization="a-key-of-the-museum"),
    image_generation(),
]


def get_weather(city: str) -> str:
    """Get the weather in a city."""
    return f"Sunny in {city}"


def get_time(city: str) -> str:
    """Get the time in a city."""
    return f"Noon in {city}"


QUESTIONS: dict[str, tuple[str, list[Any]]] = {
    "text": ("Why is the sky blue?", []),
    "unicode": ("Say 'Grüße, 世界 🦊'.", []),
    "call": ("How is the weather in 'Vienna'?", [get_weather]),
    "two calls": ("Use get_weather and get_time for 'Vienna'.", [get_weather, get_time]),
}
SERVED: dict[str, tuple[str, list[Any]]] = {
    "search": ("Search the web for foxes.", [web_search()]),
    "two searches": ("Search the web and X for posts on foxes.", [web_search(), x_search()]),
    "code": ("Compute 2 plus 40 with code.", [code_execution()]),
    "image": ("Draw an image of a fox.", [image_generation()]),
    "everything": (
        "Search the web, X and the files, ask the museum, run code and draw an image.",
        SERVER_TOOLS,
    ),
    "search beside a call": ("Search the web; how is the weather in 'Rome'?", SERVER_TOOLS[:1]),
}
CASES = [(api, case) for api in APIS for case in QUESTIONS] + [
    ("responses", case) for case in SERVED
]


async def call_model(llm: Any, messages: Any, method: str) -> AIMessage:
    """Call one of the four methods; LangChain adds up the chunks of a stream."""
    match method:
        case "invoke":
            return llm.invoke(messages)
        case "ainvoke":
            return await llm.ainvoke(messages)
        case "stream":
            return reduce(add, llm.stream(messages))
        case _:
            return reduce(add, [chunk async for chunk in llm.astream(messages)])


def model(chat: Chat, api: str, case: str, **fields: Any) -> tuple[Any, str]:
    """Return the model with the tools of a case, and its prompt."""
    prompt, tools = (QUESTIONS | SERVED)[case]
    if api == "responses":
        fields["include"] = ["reasoning.encrypted_content", "web_search_call.action.sources"]
    llm = chat(model="grok-4.3", api=api, **fields)
    return (llm.bind_tools(tools) if tools else llm), prompt


def without_index(blocks: Iterable[Any]) -> list[Any]:
    """Return blocks without the indexes by which LangChain merges chunks."""
    return [
        {key: value for key, value in block.items() if key != "index"}
        if isinstance(block, dict)
        else block
        for block in blocks
        if block  # a stream may start with an empty text
    ]


# --- streamed and plain messages -----------------------------------------------------------------


def facts(message: AIMessage) -> Any:
    """Return what must be equal in each method."""
    metadata, content = message.response_metadata, message.content
    return (
        content if isinstance(content, str) else without_index(content),
        message.additional_kwargs,
        message.tool_calls,
        message.usage_metadata,
        message.id,
        {
            key: metadata[key]
            for key in metadata.keys() - {"token_usage", "created", "completed_at"}
        },
    )


@pytest.mark.parametrize(("api", "case"), CASES)
async def test_four_methods_give_the_same_message(
    gateway: Any, chat: Chat, api: str, case: str
) -> None:
    """Four methods give the same message; v1 content equals the content blocks of v0."""
    blocks = []
    for version in ("v0", "v1"):
        results = []
        for method in METHODS:
            gateway.reset()
            llm, prompt = model(chat, api, case, output_version=version)
            message = await call_model(llm, prompt, method)
            results.append(facts(message))
            blocks.append(without_index(message.content_blocks))
        assert results[1:] == results[:1] * 3
    assert blocks[0] == results[0][0]
    assert blocks[1:] == blocks[:1] * 7


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("options", [{"stop": ["wrote"]}, {"max_tokens": 3}])
async def test_truncated_and_later_messages_are_the_same(
    gateway: Any, chat: Chat, api: str, options: dict[str, Any]
) -> None:
    """Four methods agree after a tool result, and on messages truncated by stop or a limit."""
    call = {"name": "get_weather", "args": {"city": "Vienna"}, "id": "call_1"}
    history = [
        HumanMessage("How is the weather in 'Vienna'?"),
        AIMessage("I look.", tool_calls=[call]),
        ToolMessage("Sunny, they wrote.", tool_call_id="call_1"),
    ]
    for messages in ([HumanMessage("Hello")], history):
        results = []
        for method in METHODS:
            gateway.reset()
            llm = chat(model="grok-4.3", api=api, output_version="v1", **options)
            message = await call_model(llm, messages, method)
            results.append(
                (without_index(message.content), message.response_metadata["finish_reason"])
            )
        assert results[1:] == results[:1] * 3


def test_content_blocks_of_each_type(chat: Chat) -> None:
    """Reasoning, server-side tool calls, images and the text with citations are in this order."""
    llm, prompt = model(chat, "responses", "everything")
    blocks: list[Any] = llm.invoke(prompt).content_blocks
    called = [block["name"] for block in blocks if block["type"] == "server_tool_call"]
    assert called == [
        "web_search",
        "x_keyword_search",
        "code_interpreter",
        "file_search",
        "search",
        "image_generation",
    ]
    kinds = [block["type"] for block in blocks]
    assert kinds == [
        "reasoning",
        *["server_tool_call", "server_tool_result"] * 6,
        "image",
        "text",
    ]
    blocks_by_name: dict[str, Any] = {block.get("name", block["type"]): block for block in blocks}
    assert blocks_by_name["code_interpreter"]["args"].keys() == {"code"}
    assert blocks_by_name["web_search"]["args"] == {"query": prompt}
    assert blocks_by_name["search"]["args"] == {"query": prompt, "server_label": "museum"}
    assert blocks_by_name["image"]["mime_type"] == "image/png"
    results = {block["tool_call_id"]: block for block in blocks if "tool_call_id" in block}
    assert results.keys() == {block["id"] for block in blocks if block.get("name")}
    assert results[blocks_by_name["search"]["id"]]["output"] == "museum knows nothing about it."
    text = blocks_by_name["text"]["text"]
    for citation in blocks_by_name["text"]["annotations"]:
        assert citation["type"] == "citation"
        assert citation["url"] in text[citation["start_index"] : citation["end_index"]]


@pytest.mark.parametrize("version", ["v0", "v1"])
def test_consecutive_images_are_separate_blocks(chat: Chat, version: str) -> None:
    """Two images and a text in several chunks after them are three blocks."""

    class ModelWithImages(ChatModel):
        def stream(self, request: ChatRequest) -> Any:
            assert request.messages
            images = [ImageGenerated(ImagePart(f"data:image/png;base64,{x}")) for x in ("QQ", "Qg")]
            yield from (ResponseStarted(), *images, TextDelta("Here "), TextDelta("are "))
            yield from (ImageGenerated(ImagePart("https://x.example/c.png")), TextDelta("three."))
            yield ChoiceFinished("stop")

    llm = chat(output_version=version)
    llm._gateway = ModelWithImages(llm._gateway.settings)
    message = reduce(add, llm.stream("Draw."))
    blocks: list[Any] = message.content_blocks
    expected_blocks = [
        {"type": "image", "base64": "QQ", "mime_type": "image/png"},
        {"type": "image", "base64": "Qg", "mime_type": "image/png"},
        {"type": "image", "url": "https://x.example/c.png"},
    ]
    text = {"type": "text", "text": "Here are three."}
    if version == "v0":
        # As in a response that is not streamed.
        assert blocks == [*expected_blocks, text]
        assert message.content == text["text"]
    else:
        # LangChain puts the blocks of chunks in the order in which they begin.
        assert without_index(blocks) == [*expected_blocks[:2], text, expected_blocks[2]]


def test_a_failed_server_side_tool_is_an_error_result() -> None:
    """The error of a server-side tool is the output of a result with the status "error"."""
    parts = (
        ServerToolPart("mcp_call", "mcp_1", "find", '{"a":1}', "no such thing", failed=True),
        ServerToolPart("web_search_call", "ws_1", arguments="foxes"),
    )
    blocks = list(build_output_blocks(parts))
    assert [block.get("status") for block in blocks] == [None, "error", None, "success"]
    assert [block.get("output") for block in blocks] == [None, "no such thing", None, None]
    assert (blocks[0]["args"], blocks[2]["args"]) == ({"a": 1}, {"query": "foxes"})


# --- messages sent back --------------------------------------------------------------------------


def through_langchain(message: Any) -> Any:
    """Dump and load a message as LangChain does."""
    return load(dumpd(message), allowed_objects="messages")


def through_a_checkpoint(message: Any) -> Any:
    """Serialize and deserialize a message as LangGraph's checkpointers do."""
    serde = JsonPlusSerializer()
    return serde.loads_typed(serde.dumps_typed(message))


SERIALIZERS: dict[str, Callable[[Any], Any]] = {
    "checkpoint": through_a_checkpoint,
    "dump": through_langchain,
    "pickle": lambda message: pickle.loads(pickle.dumps(message)),  # noqa: S301 - our own bytes
    "model_copy": lambda message: message.model_copy(),
    "deepcopy": copy.deepcopy,
    "json": lambda message: type(message).model_validate_json(message.model_dump_json()),
    "trim": lambda message: trim_messages([message], max_tokens=9, token_counter=len)[0],
    "merge": lambda message: merge_message_runs([message])[0],
}


@pytest.mark.filterwarnings("ignore:The function `load` is in beta")
@pytest.mark.parametrize(
    ("method", "version"),
    [("invoke", "v0"), ("stream", "v1"), ("ainvoke", "v1"), ("astream", "v0")],
)
@pytest.mark.parametrize(("api", "case"), CASES)
async def test_messages_are_sent_back_unchanged(
    gateway: Any, chat: Chat, api: str, case: str, method: str, version: str
) -> None:
    """A message of any method, also after serialization, is sent back as xAI returned it."""
    stored = {"store": True} if api == "responses" else {}
    llm, prompt = model(chat, api, case, output_version=version, **stored)
    message = await call_model(llm, prompt, method)
    converted = to_messages([message])
    assert all(to_messages([serialize(message)]) == converted for serialize in SERIALIZERS.values())
    results = [ToolMessage("Sunny", tool_call_id=call["id"]) for call in message.tool_calls]
    llm.invoke([HumanMessage(prompt), message, *results, HumanMessage("Go on.")])
    sent = gateway.requests[-1].body
    if api == "responses":
        items = as_stored(gateway, message)
        assert sent["input"][1 : 1 + len(items)] == items
    if api == "messages":
        # Reasoning is signed in this API, and the signature is sent back.
        blocks = sent["messages"][1]["content"]
        assert blocks == message.additional_kwargs[ITEMS]["messages"]
        assert [block["signature"] for block in blocks if block["type"] == "thinking"]
    if api == "chat_completions":
        sent_message = sent["messages"][1]
        assert sent_message["reasoning_content"] == message.additional_kwargs["reasoning_content"]


def as_stored(gateway: Any, message: AIMessage) -> list[Any]:
    """Return the output items of a response as the emulator has stored them."""
    settings = Settings.create(api_token=gateway.api_token, base_url=gateway.base_url)
    with Gateway(settings) as client:
        stored = client.retrieve_response(message.response_metadata["response_id"])
    output: list[Any] = stored["output"]
    return output


def test_items_are_in_one_chunk(chat: Chat) -> None:
    """Output items are in one chunk, since LangChain appends the lists of chunks."""
    llm, prompt = model(chat, "responses", "everything")
    chunks = list(llm.stream(prompt))
    candidates = [chunk for chunk in chunks if ITEMS in chunk.additional_kwargs]
    assert len(candidates) == 1
    assert candidates[0].additional_kwargs[ITEMS].keys() == {"responses"}


def test_an_edited_message_is_sent_as_edited(gateway: Any, chat: Chat) -> None:
    """The output items do not override an edited text."""
    llm, prompt = model(chat, "responses", "call")
    message = llm.invoke(prompt)
    message.tool_calls[0]["args"] = {"city": "Rome"}
    result = ToolMessage("Sunny", tool_call_id=message.tool_calls[0]["id"])
    llm.invoke([HumanMessage(prompt), message, result])
    (call,) = [i for i in gateway.requests[-1].body["input"] if i.get("type") == "function_call"]
    assert call["arguments"] == '{"city":"Rome"}'


def test_messages_can_be_sent_through_another_api(gateway: Any, chat: Chat) -> None:
    """A message of one API is sent through another one by its text and tool calls."""
    for source_api in APIS:
        llm, prompt = model(chat, source_api, "call")
        message = llm.invoke(prompt)
        result = ToolMessage("Sunny", tool_call_id=message.tool_calls[0]["id"])
        for target_api in APIS:
            other_model, _ = model(chat, target_api, "call")
            assert "Sunny" in other_model.invoke([HumanMessage(prompt), message, result]).text
            assert gateway.requests[-1].path.endswith(target_api.replace("chat_", "chat/"))


def test_merged_messages_can_be_sent(gateway: Any, chat: Chat) -> None:
    """Two messages that LangChain has merged are sent by their joined text."""
    llm, prompt = model(chat, "responses", "text")
    pair = [llm.invoke(prompt), llm.invoke("And the sea?")]
    (one,) = merge_message_runs(pair)
    llm.invoke([HumanMessage(prompt), one, HumanMessage("Go on.")])
    sent_message = gateway.requests[-1].body["input"][1]
    assert sent_message == {"role": "assistant", "content": f"{pair[0].text}\n{pair[1].text}"}


def test_invalid_items_are_ignored(gateway: Any, chat: Chat) -> None:
    """Invalid values in place of the output items are ignored."""
    odd: list[Any] = [
        None,
        "text",
        [],
        {},
        {"responses": "text"},
        {"responses": [1]},
        {"a": [], "b": []},
    ]
    for items in odd:
        message = AIMessage("Yes.", additional_kwargs={ITEMS: items})
        assert chat().invoke([HumanMessage("Hi"), message, HumanMessage("Hi")]).text
        assert gateway.requests[-1].body["input"][1] == {"role": "assistant", "content": "Yes."}


def test_a_service_tier_at_the_end_of_a_stream() -> None:
    """The last reported service tier is in the message once, as in a plain response."""
    builder = ChunkBuilder(
        ChatRequest(model="grok-4.7", messages=[Message("user", (TextPart("Hi"),))])
    )
    events: list[Any] = [
        ResponseStarted("id", "grok-4.7", service_tier="auto"),
        TextDelta("Hi"),
        ChoiceFinished("stop"),
        ResponseCompleted("priority", {"status": "completed"}),
        UsageReported(Usage(1, 2, 3)),
    ]
    fed = [chunk for event in events if (chunk := builder.feed(event)) is not None]
    chunks: list[Any] = [chunk.message for chunk in [*fed, *builder.end()]]
    message = reduce(add, chunks)
    assert message.response_metadata["service_tier"] == "priority"
    assert message.response_metadata["status"] == "completed"
