"""Every request option is sent, applied client-side, omitted with a warning, or rejected.

The table in ``docs/apis.md`` states the same.
"""

import warnings
from pathlib import Path
from typing import Any

import pytest

from tests.core.loopback import TOKEN, Loopback, json_reply
from tests.core.wire import refused
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.errors import BadRequestError, UsageError
from xai_lowcode.settings import Settings
from xai_lowcode.types.messages import Message, TextPart
from xai_lowcode.types.requests import OPTIONS, ChatRequest, ResponseFormat, ServerTool, ToolSpec

PAGE = Path(__file__).parents[2] / "docs" / "apis.md"
DIALECTS = ("chat_completions", "messages", "responses")
TOOL = ToolSpec("look", parameters={"type": "object", "properties": {}})
# Options are tried on the one family that is known to take them; effort is refused by it.
TAKES_MOST, TAKES_EFFORT = "grok-4.20-0309-non-reasoning", "grok-4.7"
VALUES: dict[str, Any] = {
    "tools": (TOOL,),
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "response_format": ResponseFormat({"type": "object", "properties": {}}),
    "temperature": 0.5,
    "top_p": 0.5,
    "max_tokens": 9,
    "stop": ("z",),
    "n": 2,
    "seed": 1,
    "presence_penalty": 0.5,
    "frequency_penalty": 0.5,
    "logprobs": True,
    "top_logprobs": 2,
    "reasoning_effort": "low",
    "user": "u",
    "service_tier": "priority",
    "prompt_cache_key": "k",
    "server_tools": (ServerTool("web_search"),),
    "previous_response_id": "r",
    "store": True,
    "include": ("reasoning.encrypted_content",),
    "reasoning_summary": "auto",
    "max_turns": 2,
    "deferred": True,
}
# How a request is made, not what stands in it.
NOT_SENT = {"api", "stream_usage", "clean_schemas"}


def test_every_option_is_tried() -> None:
    """A new option is tried here too."""
    assert VALUES.keys() | NOT_SENT == OPTIONS


def test_the_table_of_the_documentation_is_true(gateway: Loopback) -> None:
    """The page states what each API does with each option."""
    page = PAGE.read_text()
    for line in table(gateway):
        assert line in page, line


@pytest.mark.parametrize("option", sorted(VALUES))
@pytest.mark.parametrize("dialect", DIALECTS)
def test_nothing_is_lost_without_a_word(gateway: Loopback, dialect: str, option: str) -> None:
    """An option is sent, applied client-side, omitted with a warning, or rejected."""
    assert fate(gateway, dialect, option) in WORDS or fate(gateway, dialect, option)[0] == "`"


WORDS = ("rejected", "omitted, with a warning", "applied client-side")


def table(gateway: Loopback) -> list[str]:
    """The lines of the table."""
    return [
        f"| `{option}` | {' | '.join(fate(gateway, dialect, option) for dialect in DIALECTS)} |"
        for option in VALUES
    ]


def fate(gateway: Loopback, dialect: str, option: str) -> str:
    """How an API treats an option, in the words of the table."""
    beside = {"tools": (TOOL,)} if option in {"tool_choice", "parallel_tool_calls"} else {}
    bare = sent(gateway, dialect, option, beside)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            body = sent(gateway, dialect, option, {**beside, option: VALUES[option]})
        except UsageError as error:
            return "rejected" if error.field == option else f"rejected as {error.field}"
    if members := [name for name in body if body[name] != bare.get(name)]:
        assert not told
        (name,) = members
        inside = list(body[name]) if isinstance(body[name], dict) else []
        return f"`{name}.{inside[0]}`" if len(inside) == 1 else f"`{name}`"
    if option == "stop":
        return "applied client-side"
    assert [f"{option}: not supported by" in str(word.message) for word in told] == [True], told
    return "omitted, with a warning"


def sent(gateway: Loopback, dialect: str, option: str, options: dict[str, Any]) -> dict[str, Any]:
    """The body of a request."""
    model = TAKES_EFFORT if option == "reasoning_effort" else TAKES_MOST
    question = Message("user", (TextPart("x"),))
    request = ChatRequest(model=model, messages=(question,), api=dialect, **options)  # type: ignore[arg-type]  # a table
    gateway.play = lambda _request: json_reply(refused({"error": "seen"}), 400)
    settings = Settings.create(api_token=TOKEN, base_url=gateway.base_url, max_retries=0)
    asked = ChatModel(settings)
    with pytest.raises(BadRequestError, match="seen"):
        asked.generate(request)
    asked.client.close()
    body: dict[str, Any] = gateway.requests[-1].json
    return body
