"""Names of response formats that LangChain takes from classes are sent as xAI accepts them."""

import re
from typing import Any, Generic, TypeVar

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ProviderStrategy
from pydantic import BaseModel

from langchain_xai_lowcode import ChatXAILowCode
from xai_lowcode.emulator import Reply

T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    """A page of items."""

    items: list[T]


LONG = type("A" * 80, (Page[int],), {})
APIS = ["responses", "chat_completions"]


def get_name(gateway: Any) -> str:
    """Return the name of the response format of the last request."""
    body = gateway.requests[-1].body
    sent = body["text"]["format"] if "text" in body else body["response_format"]["json_schema"]
    return str(sent["name"])


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("schema", [Page[int], LONG, Page[Page[str]]])
def test_names_of_classes(gateway: Any, api: Any, schema: Any) -> None:
    """Agents, ``bind`` and ``with_structured_output`` send the same valid name."""
    llm = ChatXAILowCode(api=api)
    gateway.reply(*[Reply({"items": []})] * 4)
    names = set()
    for response_format in (schema, ProviderStrategy(schema)):
        agent = create_agent(llm, [], response_format=response_format)
        result = agent.invoke({"messages": [("human", "List.")]})
        assert result["structured_response"] == schema(items=[])
        names.add(get_name(gateway))
    llm.bind(response_format=schema).invoke("List.")
    names.add(get_name(gateway))
    llm.with_structured_output(schema).invoke("List.")
    names.add(get_name(gateway))
    assert len(names) == 1
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", names.pop())
