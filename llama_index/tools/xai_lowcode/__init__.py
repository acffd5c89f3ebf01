"""Tools at the import path of LlamaIndex's tool integrations."""

from llama_index_xai_lowcode.images import XAIImageToolSpec
from llama_index_xai_lowcode.server_tools import (
    XAIServerTool,
    code_execution,
    file_search,
    image_generation,
    mcp,
    web_search,
    x_search,
)

__all__ = [
    "XAIImageToolSpec",
    "XAIServerTool",
    "code_execution",
    "file_search",
    "image_generation",
    "mcp",
    "web_search",
    "x_search",
]
