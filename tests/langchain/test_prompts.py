"""Prompt templates: images, documents, tool call examples, trimmed histories."""

import base64
import io
import json
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import (
    AIMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    trim_messages,
)
from langchain_core.prompts import ChatPromptTemplate, FewShotChatMessagePromptTemplate
from langchain_core.tools import tool
from langchain_core.utils.function_calling import tool_example_to_messages
from PIL import Image
from pydantic import BaseModel

from tests.langchain.helpers import APIS, SYNC_AND_ASYNC, Chat, create_chat, run
from xai_lowcode.errors import UsageError

PDF = base64.b64encode(b"%PDF-1.4\nfoxes\n%%EOF").decode()


def image() -> str:
    """A small PNG, as base64."""
    target = io.BytesIO()
    Image.new("RGB", (16, 8), (200, 30, 30)).save(target, "PNG")
    return base64.b64encode(target.getvalue()).decode()


class Report(BaseModel):
    """A weather report."""

    city: str
    sunny: bool


# --- images and documents ------------------------------------------------------------------------


@SYNC_AND_ASYNC
@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "base64": "{data}", "mime_type": "image/png"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,{data}"}},
        {"type": "image_url", "image_url": "data:image/png;base64,{data}"},
    ],
)
async def test_a_template_with_an_image(
    gateway: Any, chat: Chat, api: str, block: dict[str, Any], *, use_async: bool
) -> None:
    """The standard block and OpenAI's two formats are formatted and sent."""
    prompt = ChatPromptTemplate.from_messages(
        [("system", "Be {how}."), ("user", [{"type": "text", "text": "What is {it}?"}, block])]
    )
    given = {"how": "brief", "it": "this", "data": image()}
    answer = await run(prompt | create_chat(chat, api), given, use_async=use_async)
    assert given["data"] in json.dumps(gateway.requests[-1].body)
    assert "1 image: PNG 16x8" in answer.text


@SYNC_AND_ASYNC
@pytest.mark.parametrize("api", ["auto", "responses"])
async def test_a_template_with_a_document(
    gateway: Any, chat: Chat, api: str, *, use_async: bool
) -> None:
    """A PDF as data is sent by the Responses API, which is selected for it."""
    block = {"type": "file", "base64": "{pdf}", "mime_type": "application/pdf"}
    prompt = ChatPromptTemplate.from_messages(
        [("user", [{"type": "text", "text": "What is in it?"}, block])]
    )
    answer = await run(prompt | create_chat(chat, api), {"pdf": PDF}, use_async=use_async)
    assert "1 file" in answer.text
    assert gateway.requests[-1].body["input"][0]["content"][1]["file_data"].endswith(PDF)


def test_an_api_without_documents_rejects_them(gateway: Any, chat: Chat) -> None:
    """An API that does not support documents raises, and no request is sent."""
    block: Any = {"type": "file", "base64": PDF, "mime_type": "application/pdf"}
    for api in ("chat_completions", "messages"):
        with pytest.raises(UsageError):
            chat(api=api).invoke([HumanMessage([block])])
    assert gateway.requests == []


@SYNC_AND_ASYNC
@pytest.mark.parametrize("api", APIS)
async def test_a_tool_returns_an_image(chat: Chat, api: str, *, use_async: bool) -> None:
    """An image that an agent's tool returns is sent to the model."""

    @tool
    def take_image(what: str) -> list[dict[str, str]]:
        """Take a photograph of something."""
        return [
            {"type": "text", "text": f"The {what}."},
            {"type": "image", "base64": image(), "mime_type": "image/png"},
        ]

    agent: Any = create_agent(create_chat(chat, api), [take_image])
    messages = (await run(agent, {"messages": "Use take_image of a 'fox'."}, use_async=use_async))[
        "messages"
    ]
    assert "The fox." in messages[-1].text
    assert "1 image: PNG 16x8" in messages[-1].text


# --- examples ------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
@SYNC_AND_ASYNC
@pytest.mark.parametrize("api", APIS)
async def test_tool_call_examples_are_sent(
    gateway: Any, chat: Chat, api: str, *, use_async: bool
) -> None:
    """Example tool calls with their results are sent before the prompt."""
    wien, graz = Report(city="Wien", sunny=True), Report(city="Graz", sunny=False)
    examples = tool_example_to_messages("Wien, Graz", [wien, graz], ai_response="Noted.")
    expected_turns = [
        HumanMessage("Linz?"),
        AIMessage("", tool_calls=[{"name": "Report", "args": wien.model_dump(), "id": "call_x"}]),
        ToolMessage("Seen.", tool_call_id="call_x"),
    ]
    llm = create_chat(chat, api).bind_tools([Report], tool_choice="Report")
    prompt = [
        SystemMessage("Report."),
        *examples,
        *expected_turns,
        HumanMessage("Sunny in 'Rome'?"),
    ]
    answer = await run(llm, prompt, use_async=use_async)
    assert answer.tool_calls[0]["args"] == {"city": "Rome", "sunny": True}
    sent = str(gateway.requests[-1].body)
    assert sent.count("Wien") == 3
    assert sent.count("call_x") == 2


def test_few_shot_examples_are_sent(gateway: Any, chat: Chat) -> None:
    """A few-shot template is sent as turns of user and assistant."""
    turn = ChatPromptTemplate.from_messages([("human", "{q}"), ("ai", "{a}")])
    few_shot: Any = FewShotChatMessagePromptTemplate(
        examples=[{"q": "2+2", "a": "4"}, {"q": "3+3", "a": "6"}], example_prompt=turn
    )
    prompt = ChatPromptTemplate.from_messages([("system", "Add."), few_shot, ("human", "{q}")])
    (prompt | chat()).invoke({"q": "4+4"})
    roles = [message["role"] for message in gateway.requests[-1].body["input"]]
    assert roles == ["system", *["user", "assistant"] * 2, "user"]


# --- trimmed histories ---------------------------------------------------------------------------


@SYNC_AND_ASYNC
@pytest.mark.parametrize("api", APIS)
async def test_a_trimmed_history_can_be_sent(
    gateway: Any, chat: Chat, api: str, *, use_async: bool
) -> None:
    """Trimmed by token count, a history keeps the system message and starts with a human one."""
    llm = create_chat(chat, api)
    history: list[Any] = [SystemMessage("Be brief.")]
    for word in ("first", "second", "third"):
        history.append(HumanMessage(f"Say '{word}'."))
        history.append(await run(llm, history, use_async=use_async))
    trimmer = trim_messages(
        max_tokens=60, token_counter=llm, include_system=True, start_on="human", strategy="last"
    )
    chain = trimmer | llm
    await run(chain, [*history, HumanMessage("And now?")], use_async=use_async)
    body = gateway.requests[-1].body
    turns = [m for m in body.get("messages", body.get("input")) if m.get("role") == "user"]
    assert "first" not in str(body)
    assert turns[-1]["content"] == "And now?"
    assert "Be brief." in str(body)
