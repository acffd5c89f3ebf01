"""What every client sends: model, token, messages and tools, also as objects of the frameworks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

API = Literal["responses", "chat_completions", "messages"]
Message = dict[str, Any]

TOKEN = "at_" + "0" * 32
MODEL = "grok-4.7"
PROMPT = "Hello?"
PROMPT_MESSAGES: list[Message] = [{"role": "user", "content": PROMPT}]
CONVERSATION: list[Message] = [
    {
        "role": "assistant" if number % 2 else "user",
        "content": f"Message {number} of a long conversation about towers, lamps and the sea.",
    }
    for number in range(499)
]
TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": f"tool_{number}",
            "description": "Looks something up.",
            "parameters": {
                "type": "object",
                "properties": {"a": {"type": "integer"}, "b": {"type": "string"}},
                "required": ["a"],
            },
        },
    }
    for number in range(20)
]


@dataclass(frozen=True)
class ClientConfig:
    """What a client is constructed with.

    Attributes:
        base_url: URL of the scenario on the local server. ``/xai`` below it wraps responses in the
            gateway's envelope, ``/v1`` does not.
        api: API to send requests to.
        chunks: Number of chunks that a client without a server generates for a stream.
    """

    base_url: str
    api: API = "responses"
    chunks: int = 200


def to_langchain_messages(messages: Sequence[Message]) -> list[Any]:
    """Convert messages to LangChain's."""
    from langchain_core.messages import AIMessage, HumanMessage

    classes: dict[str, Any] = {"user": HumanMessage, "assistant": AIMessage}
    return [classes[message["role"]](message["content"]) for message in messages]


def to_llama_index_messages(messages: Sequence[Message]) -> list[Any]:
    """Convert messages to LlamaIndex's."""
    from llama_index.core.base.llms.types import ChatMessage

    return [ChatMessage(role=m["role"], content=m["content"]) for m in messages]


def to_llama_index_tools(tools: Sequence[dict[str, Any]]) -> list[Any]:
    """Build a LlamaIndex tool for the name of each tool."""
    from llama_index.core.tools import FunctionTool

    def look_up(a: int, b: str = "x") -> str:
        """Looks something up."""
        return b * a

    return [FunctionTool.from_defaults(look_up, name=tool["function"]["name"]) for tool in tools]
