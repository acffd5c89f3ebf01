"""Server-side tools as dicts, which is LangChain's format of a provider's built-in tools.

Pass them to ``bind_tools`` or ``create_agent(tools=…)``, together with other tools. xAI runs them;
the calls and results are in ``content_blocks`` of the message. For a tool without a function here,
pass its dict: ``{"type": "its_type", …}``.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

from langchain_xai_lowcode._errors import langchain_errors
from xai_lowcode.chat import server_tools
from xai_lowcode.chat.openai_format import render_server_tool
from xai_lowcode.redaction import mask_secrets
from xai_lowcode.types.requests import ServerTool

P = ParamSpec("P")


def _as_dict(create: Callable[P, ServerTool]) -> Callable[P, dict[str, Any]]:
    @wraps(create)
    def create_dict(*args: P.args, **kwargs: P.kwargs) -> dict[str, Any]:
        with langchain_errors():
            return mask_secrets(render_server_tool(create(*args, **kwargs)))

    return create_dict


web_search = _as_dict(server_tools.web_search)
x_search = _as_dict(server_tools.x_search)
code_execution = _as_dict(server_tools.code_execution)
file_search = _as_dict(server_tools.file_search)
mcp = _as_dict(server_tools.mcp)
image_generation = _as_dict(server_tools.image_generation)
