"""LlamaIndex integration of xAI's Grok through the LowCodeAPI gateway.

The names are imported on first use.
"""

from typing import TYPE_CHECKING

from xai_lowcode._lazy import lazy_exports
from xai_lowcode._version import __version__

if TYPE_CHECKING:
    from llama_index_xai_lowcode._structured_output import StructuredOutputError
    from llama_index_xai_lowcode.embeddings import XAILowCodeEmbedding
    from llama_index_xai_lowcode.images import (
        GeneratedImageBlock,
        XAIImageGenerator,
        XAIImageToolSpec,
    )
    from llama_index_xai_lowcode.llms import XAILowCode
    from llama_index_xai_lowcode.server_tools import (
        XAIServerTool,
        code_execution,
        file_search,
        image_generation,
        mcp,
        web_search,
        x_search,
    )
    from llama_index_xai_lowcode.usage import XAIUsageEventHandler

__all__ = [
    "GeneratedImageBlock",
    "StructuredOutputError",
    "XAIImageGenerator",
    "XAIImageToolSpec",
    "XAILowCode",
    "XAILowCodeEmbedding",
    "XAIServerTool",
    "XAIUsageEventHandler",
    "__version__",
    "code_execution",
    "file_search",
    "image_generation",
    "mcp",
    "web_search",
    "x_search",
]

_SERVER_TOOLS = (
    "XAIServerTool",
    "code_execution",
    "file_search",
    "image_generation",
    "mcp",
    "web_search",
    "x_search",
)

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "GeneratedImageBlock": "llama_index_xai_lowcode.images",
        "StructuredOutputError": "llama_index_xai_lowcode._structured_output",
        "XAIImageGenerator": "llama_index_xai_lowcode.images",
        "XAIImageToolSpec": "llama_index_xai_lowcode.images",
        "XAILowCode": "llama_index_xai_lowcode.llms",
        "XAILowCodeEmbedding": "llama_index_xai_lowcode.embeddings",
        "XAIUsageEventHandler": "llama_index_xai_lowcode.usage",
        **dict.fromkeys(_SERVER_TOOLS, "llama_index_xai_lowcode.server_tools"),
    },
    extra="llama-index",
    requires="llama_index",
)
