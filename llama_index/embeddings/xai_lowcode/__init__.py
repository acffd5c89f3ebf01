"""``XAILowCodeEmbedding`` at the import path of LlamaIndex's embedding integrations."""

from llama_index_xai_lowcode.embeddings import XAILowCodeEmbedding

__all__ = ["XAILowCodeEmbedding"]
