"""The LLM where LlamaIndex's users look for one; it lives in ``llama_index_xai_lowcode``."""

from llama_index_xai_lowcode.llms import XAILowCode

__all__ = ["XAILowCode"]
