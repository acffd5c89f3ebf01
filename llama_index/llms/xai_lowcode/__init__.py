"""``XAILowCode`` at the import path of LlamaIndex's LLM integrations."""

from llama_index_xai_lowcode.llms import XAILowCode

__all__ = ["XAILowCode"]
