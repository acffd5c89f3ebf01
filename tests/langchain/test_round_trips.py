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
WAYS = ["invoke", "stream", "ainvoke", "astream"]
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


async def ask(llm: Any, messages: Any, way: str) -> AIMessage:
    """Asks in one of the four ways; the chunks of a stream are put together by LangChain."""
    match way:
        case "invoke":
            return llm.invoke(messages)
        case "ainvoke":
            return await llm.ainvoke(messages)
        case "stream":
            return reduce(add, llm.stream(messages))
        case _:
            return reduce(add, [chunk async for chunk in llm.astream(messages)])


def model(chat: Chat, api: str, case: str, **fields: Any) -> tuple[Any, str]:
    """The model with the tools of a case, and its question."""
    question, tools = (QUESTIONS | SERVED)[case]
    if api == "responses":
        fields["include"] = ["reasoning.encrypted_content", "web_search_call.action.sources"]
    llm = chat(model="grok-4.3", api=api, **fields)
    return (llm.bind_tools(tools) if tools else llm), question


def without_index(blocks: Iterable[Any]) -> list[Any]:
    """Blocks without the numbers by which LangChain put their pieces together."""
    return [
        {key: value for key, value in block.items() if key != "index"}
        if isinstance(block, dict)
        else block
        for block in blocks
        if block  # the pieces of a stream may begin with an empty text
    ]


# --- streams and plain answers ------------------------------------------------------------------


def facts(answer: AIMessage) -> Any:
    """Everything of an answer that must not depend on the way it came."""
    told, content = answer.response_metadata, answer.content
    return (
        content if isinstance(content, str) else without_index(content),
        answer.additional_kwargs,
        answer.tool_calls,
        answer.usage_metadata,
        answer.id,
        {key: told[key] for key in told.keys() - {"token_usage", "created", "completed_at"}},
    )


@pytest.mark.parametrize(("api", "case"), CASES)
async def test_an_answer_is_the_same_however_it_comes(
    gateway: Any, chat: Chat, api: str, case: str
) -> None:
    """Four ways give one message; v1 content is the blocks that v0 messages are translated to."""
    blocks = []
    for version in ("v0", "v1"):
        told = []
        for way in WAYS:
            gateway.reset()
            llm, question = model(chat, api, case, output_version=version)
            answer = await ask(llm, question, way)
            told.append(facts(answer))
            blocks.append(without_index(answer.content_blocks))
        assert told[1:] == told[:1] * 3
    assert blocks[0] == told[0][0]
    assert blocks[1:] == blocks[:1] * 7


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("options", [{"stop": ["wrote"]}, {"max_tokens": 3}])
async def test_cut_answers_and_later_turns_are_the_same_too(
    gateway: Any, chat: Chat, api: str, options: dict[str, Any]
) -> None:
    """After a tool's result, and cut by a stop string or a limit, four ways agree as well."""
    call = {"name": "get_weather", "args": {"city": "Vienna"}, "id": "call_1"}
    history = [
        HumanMessage("How is the weather in 'Vienna'?"),
        AIMessage("I look.", tool_calls=[call]),
        ToolMessage("Sunny, they wrote.", tool_call_id="call_1"),
    ]
    for messages in ([HumanMessage("Hello")], history):
        told = []
        for way in WAYS:
            gateway.reset()
            llm = chat(model="grok-4.3", api=api, output_version="v1", **options)
            answer = await ask(llm, messages, way)
            told.append((without_index(answer.content), answer.response_metadata["finish_reason"]))
        assert told[1:] == told[:1] * 3


def test_every_kind_of_block_is_told(chat: Chat) -> None:
    """Reasoning, what was made, and the text with its sources stand in this order."""
    llm, question = model(chat, "responses", "everything")
    blocks: list[Any] = llm.invoke(question).content_blocks
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
    made: dict[str, Any] = {block.get("name", block["type"]): block for block in blocks}
    assert made["code_interpreter"]["args"].keys() == {"code"}
    assert made["web_search"]["args"] == {"query": question}
    assert made["search"]["args"] == {"query": question, "server_label": "museum"}
    assert made["image"]["mime_type"] == "image/png"
    results = {block["tool_call_id"]: block for block in blocks if "tool_call_id" in block}
    assert results.keys() == {block["id"] for block in blocks if block.get("name")}
    assert results[made["search"]["id"]]["output"] == "museum knows nothing about it."
    text = made["text"]["text"]
    for citation in made["text"]["annotations"]:
        assert citation["type"] == "citation"
        assert citation["url"] in text[citation["start_index"] : citation["end_index"]]


@pytest.mark.parametrize("version", ["v0", "v1"])
def test_images_in_a_row_stay_apart(chat: Chat, version: str) -> None:
    """Two images, and a text in several pieces after them, are three blocks."""

    class Painter(ChatModel):
        def stream(self, request: ChatRequest) -> Any:
            assert request.messages
            images = [ImageGenerated(ImagePart(f"data:image/png;base64,{x}")) for x in ("QQ", "Qg")]
            yield from (ResponseStarted(), *images, TextDelta("Here "), TextDelta("are "))
            yield from (ImageGenerated(ImagePart("https://x.example/c.png")), TextDelta("three."))
            yield ChoiceFinished("stop")

    llm = chat(output_version=version)
    llm._gateway = Painter(llm._gateway.settings)
    answer = reduce(add, llm.stream("Draw."))
    blocks: list[Any] = answer.content_blocks
    told = [
        {"type": "image", "base64": "QQ", "mime_type": "image/png"},
        {"type": "image", "base64": "Qg", "mime_type": "image/png"},
        {"type": "image", "url": "https://x.example/c.png"},
    ]
    text = {"type": "text", "text": "Here are three."}
    if version == "v0":
        # As in a response that is not streamed.
        assert blocks == [*told, text]
        assert answer.content == text["text"]
    else:
        # LangChain puts the blocks of chunks in the order in which they begin.
        assert without_index(blocks) == [*told[:2], text, told[2]]


def test_a_tool_of_xais_that_failed_says_so() -> None:
    """What went wrong at xAI is the output of a result whose status is an error."""
    parts = (
        ServerToolPart("mcp_call", "mcp_1", "find", '{"a":1}', "no such thing", failed=True),
        ServerToolPart("web_search_call", "ws_1", arguments="foxes"),
    )
    blocks = list(build_output_blocks(parts))
    assert [block.get("status") for block in blocks] == [None, "error", None, "success"]
    assert [block.get("output") for block in blocks] == [None, "no such thing", None, None]
    assert (blocks[0]["args"], blocks[2]["args"]) == ({"a": 1}, {"query": "foxes"})


# --- and back -----------------------------------------------------------------------------------


def through_langchain(message: Any) -> Any:
    """Dumped and loaded as LangChain's tools do it."""
    return load(dumpd(message), allowed_objects="messages")


def through_a_checkpoint(message: Any) -> Any:
    """Written and read as LangGraph's checkpoints are."""
    serde = JsonPlusSerializer()
    return serde.loads_typed(serde.dumps_typed(message))


JOURNEYS: dict[str, Callable[[Any], Any]] = {
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
    ("way", "version"), [("invoke", "v0"), ("stream", "v1"), ("ainvoke", "v1"), ("astream", "v0")]
)
@pytest.mark.parametrize(("api", "case"), CASES)
async def test_answers_go_back_as_they_came(
    gateway: Any, chat: Chat, api: str, case: str, way: str, version: str
) -> None:
    """However an answer came and wherever it has been, it goes back as xAI gave it."""
    stored = {"store": True} if api == "responses" else {}
    llm, question = model(chat, api, case, output_version=version, **stored)
    answer = await ask(llm, question, way)
    kept = to_messages([answer])
    assert all(to_messages([travel(answer)]) == kept for travel in JOURNEYS.values())
    results = [ToolMessage("Sunny", tool_call_id=call["id"]) for call in answer.tool_calls]
    llm.invoke([HumanMessage(question), answer, *results, HumanMessage("Go on.")])
    sent = gateway.requests[-1].body
    if api == "responses":
        items = as_stored(gateway, answer)
        assert sent["input"][1 : 1 + len(items)] == items
    if api == "messages":
        # Reasoning is signed there, and the signature goes back too.
        blocks = sent["messages"][1]["content"]
        assert blocks == answer.additional_kwargs[ITEMS]["messages"]
        assert [block["signature"] for block in blocks if block["type"] == "thinking"]
    if api == "chat_completions":
        said = sent["messages"][1]
        assert said["reasoning_content"] == answer.additional_kwargs["reasoning_content"]


def as_stored(gateway: Any, answer: AIMessage) -> list[Any]:
    """The items of an answer as xAI has stored them: what it says itself."""
    settings = Settings.create(api_token=gateway.api_token, base_url=gateway.base_url)
    with Gateway(settings) as client:
        stored = client.retrieve_response(answer.response_metadata["response_id"])
    output: list[Any] = stored["output"]
    return output


def test_items_are_in_one_chunk(chat: Chat) -> None:
    """LangChain appends lists, so what comes twice would be sent twice."""
    llm, question = model(chat, "responses", "everything")
    chunks = list(llm.stream(question))
    holders = [chunk for chunk in chunks if ITEMS in chunk.additional_kwargs]
    assert len(holders) == 1
    assert holders[0].additional_kwargs[ITEMS].keys() == {"responses"}


def test_a_corrected_answer_goes_back_corrected(gateway: Any, chat: Chat) -> None:
    """What a person changed is not undone by the items."""
    llm, question = model(chat, "responses", "call")
    answer = llm.invoke(question)
    answer.tool_calls[0]["args"] = {"city": "Rome"}
    result = ToolMessage("Sunny", tool_call_id=answer.tool_calls[0]["id"])
    llm.invoke([HumanMessage(question), answer, result])
    (call,) = [i for i in gateway.requests[-1].body["input"] if i.get("type") == "function_call"]
    assert call["arguments"] == '{"city":"Rome"}'


def test_answers_change_form(gateway: Any, chat: Chat) -> None:
    """An answer of one form goes on in each other form by its text and calls."""
    for came in APIS:
        llm, question = model(chat, came, "call")
        answer = llm.invoke(question)
        result = ToolMessage("Sunny", tool_call_id=answer.tool_calls[0]["id"])
        for goes in APIS:
            twin, _ = model(chat, goes, "call")
            assert "Sunny" in twin.invoke([HumanMessage(question), answer, result]).text
            assert gateway.requests[-1].path.endswith(goes.replace("chat_", "chat/"))


def test_merged_answers_are_still_messages(gateway: Any, chat: Chat) -> None:
    """Two answers that LangChain has made one of are sent, by what they say together."""
    llm, question = model(chat, "responses", "text")
    two = [llm.invoke(question), llm.invoke("And the sea?")]
    (one,) = merge_message_runs(two)
    llm.invoke([HumanMessage(question), one, HumanMessage("Go on.")])
    said = gateway.requests[-1].body["input"][1]
    assert said == {"role": "assistant", "content": f"{two[0].text}\n{two[1].text}"}


def test_odd_items_are_passed_over(gateway: Any, chat: Chat) -> None:
    """What somebody else has put in the place of the items does no harm."""
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
        answer = AIMessage("Yes.", additional_kwargs={ITEMS: items})
        assert chat().invoke([HumanMessage("Hi"), answer, HumanMessage("Hi")]).text
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
