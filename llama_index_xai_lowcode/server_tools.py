"""Server-side tools, which xAI runs, as LlamaIndex tools.

Pass them like other tools (``chat_with_tools``, ``FunctionAgent(tools=…)``), or as ``server_tools``
of the model for every call. The response contains their calls; see ``XAILowCode.chat``.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, NoReturn, ParamSpec

from llama_index.core.tools.types import AsyncBaseTool, ToolMetadata

from xai_lowcode.chat import server_tools
from xai_lowcode.errors import UsageError
from xai_lowcode.types.requests import ServerTool

P = ParamSpec("P")


class XAIServerTool(AsyncBaseTool):
    """A server-side tool as a LlamaIndex tool.

    Args:
        tool: The tool. For a type without a function here, pass ``ServerTool("type", {...})``.

    Example:
        >>> from xai_lowcode.types.requests import ServerTool
        >>> XAIServerTool(ServerTool("web_search")).metadata.name
        'web_search'
    """

    def __init__(self, tool: ServerTool) -> None:
        self.tool = tool

    def __repr__(self) -> str:
        return f"{type(self).__name__}(type={self.tool.type!r})"

    @property
    def type(self) -> str:
        """Type of the tool in xAI's API."""
        return self.tool.type

    @property
    def options(self) -> dict[str, Any]:
        """The other fields of the tool in xAI's API."""
        return dict(self.tool.options)

    @property
    def metadata(self) -> ToolMetadata:
        """Name and description for LlamaIndex; they are not sent."""
        return ToolMetadata(f"{self.type}, a tool that runs at xAI.", self.type)

    def call(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Raise an error: the tool runs at xAI.

        Raises:
            UsageError: Always.
        """
        raise UsageError(
            f"tools: {self.type} is run by xAI and cannot be called.",
            field="tools",
            hint="Use it with a FunctionAgent or chat_with_tools, not with ReActAgent.",
        )

    async def acall(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise an error; see ``call``."""
        self.call(*args, **kwargs)


def _to_llama_index(create: Callable[P, ServerTool]) -> Callable[P, XAIServerTool]:
    @wraps(create)
    def create_tool(*args: P.args, **kwargs: P.kwargs) -> XAIServerTool:
        return XAIServerTool(create(*args, **kwargs))

    return create_tool


web_search = _to_llama_index(server_tools.web_search)
x_search = _to_llama_index(server_tools.x_search)
code_execution = _to_llama_index(server_tools.code_execution)
file_search = _to_llama_index(server_tools.file_search)
mcp = _to_llama_index(server_tools.mcp)
image_generation = _to_llama_index(server_tools.image_generation)
