"""Tools that xAI runs itself, as LangChain takes a provider's own tools: dicts.

They go wherever LangChain takes tools (``bind_tools``, ``create_agent(tools=…)``), beside the
caller's own. xAI runs them; what it did is in the ``content_blocks`` of the answer. A tool that has
no function here is written by hand, ``{"type": "its_type", …}``.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

from langchain_xai_lowcode._errors import langchain_errors
from xai_lowcode.chat import server_tools
from xai_lowcode.chat.openai_format import render_tool
from xai_lowcode.redaction import mask_secrets
from xai_lowcode.types.requests import ServerTool

P = ParamSpec("P")


def _for_langchain(make: Callable[P, ServerTool]) -> Callable[P, dict[str, Any]]:
    @wraps(make)
    def made(*args: P.args, **kwargs: P.kwargs) -> dict[str, Any]:
        with langchain_errors():
            return mask_secrets(render_tool(make(*args, **kwargs)))

    return made


web_search = _for_langchain(server_tools.web_search)
x_search = _for_langchain(server_tools.x_search)
code_execution = _for_langchain(server_tools.code_execution)
file_search = _for_langchain(server_tools.file_search)
mcp = _for_langchain(server_tools.mcp)
image_generation = _for_langchain(server_tools.image_generation)
