"""Tools that xAI runs itself, as tools of LlamaIndex's kind.

They go wherever LlamaIndex takes tools (``chat_with_tools``, ``FunctionAgent(tools=…)``), or into
the field ``server_tools`` of the model, which then has them in every call. xAI runs them; what it
did is in the answer, see ``XAILowCode.chat``.
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
    """A tool that xAI runs itself, where LlamaIndex takes tools.

    Args:
        tool: The tool; one that has no function here is ``ServerTool("its_type", {...})``.

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
        """What kind of tool it is, as xAI calls it."""
        return self.tool.type

    @property
    def options(self) -> dict[str, Any]:
        """Its further members on the wire."""
        return dict(self.tool.options)

    @property
    def metadata(self) -> ToolMetadata:
        """What LlamaIndex shows of it; xAI is told the tool itself."""
        return ToolMetadata(f"{self.type}, a tool that xAI runs.", self.type)

    def call(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Refuses: there is nothing to run here.

        Raises:
            UsageError: Always.
        """
        raise UsageError(
            f"tools: {self.type} is run by xAI and cannot be called.",
            field="tools",
            hint="Offer it to a model that calls functions; text protocols cannot use it.",
        )

    async def acall(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuses; see ``call``."""
        self.call(*args, **kwargs)


def _for_llama_index(make: Callable[P, ServerTool]) -> Callable[P, XAIServerTool]:
    @wraps(make)
    def made(*args: P.args, **kwargs: P.kwargs) -> XAIServerTool:
        return XAIServerTool(make(*args, **kwargs))

    return made


web_search = _for_llama_index(server_tools.web_search)
x_search = _for_llama_index(server_tools.x_search)
code_execution = _for_llama_index(server_tools.code_execution)
file_search = _for_llama_index(server_tools.file_search)
mcp = _for_llama_index(server_tools.mcp)
image_generation = _for_llama_index(server_tools.image_generation)
