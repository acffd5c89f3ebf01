"""The embeddings where LlamaIndex's users look for them; see ``llama_index_xai_lowcode``."""

from llama_index_xai_lowcode.embeddings import XAILowCodeEmbedding

__all__ = ["XAILowCodeEmbedding"]
