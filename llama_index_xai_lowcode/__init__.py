"""Grok for LlamaIndex, through the LowCodeAPI gateway.

The names below are imported when they are first used.
"""

from typing import TYPE_CHECKING

from xai_lowcode._lazy import lazy_exports
from xai_lowcode._version import __version__

if TYPE_CHECKING:
    from llama_index_xai_lowcode._structured import StructuredOutputError
    from llama_index_xai_lowcode.images import XAIImageGenerator
    from llama_index_xai_lowcode.llms import XAILowCode

__all__ = ["StructuredOutputError", "XAIImageGenerator", "XAILowCode", "__version__"]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "StructuredOutputError": "llama_index_xai_lowcode._structured",
        "XAIImageGenerator": "llama_index_xai_lowcode.images",
        "XAILowCode": "llama_index_xai_lowcode.llms",
    },
    extra="llama-index",
    requires="llama_index",
)
