"""``XAILowCodeEmbedding``: embeddings as a LlamaIndex integration, if the gateway offers them."""

from typing import TYPE_CHECKING, Any, ClassVar

from llama_index.core.base.embeddings.base import BaseEmbedding
from pydantic import Field

from llama_index_xai_lowcode._client_fields import ClientFields
from xai_lowcode._internal.credentials import credential_error
from xai_lowcode.api.embeddings import (
    DEFAULT_EMBEDDING_MODEL,
    MAX_INPUTS,
    EmbeddingRequest,
    EncodingFormat,
    embed_batches,
)

if TYPE_CHECKING:
    from dataclasses import InitVar

Vector = list[float]

# Fields of the request body that are not checked for credentials.
_KNOWN = frozenset({"model", "dimensions", "encoding_format", "user"})


class XAILowCodeEmbedding(ClientFields, BaseEmbedding):
    """Embeddings through the LowCodeAPI gateway.

    xAI's API specification has the endpoint, with access to the models on request; the gateway's
    published list does not. If it is missing, calls raise ``RouteNotFoundError``, which names
    alternatives. Keyword arguments are the fields below; any other becomes part of
    ``additional_kwargs``, the further fields of the request body, with a warning. A batch of more
    than 128 texts is sent as several requests.

    Raises:
        UsageError: The token is missing or invalid, a setting has an invalid value, or an unknown
            argument is a credential.

    Example:
        >>> from llama_index_xai_lowcode import XAILowCodeEmbedding
        >>> embedding = XAILowCodeEmbedding(dimensions=256, api_token="at_r0123456789abcdef")
        >>> embedding.model_name
        'grok-embedding-small'
        >>> len(embedding.get_text_embedding("A red fox."))  # doctest: +SKIP
        256
    """

    _aliases: ClassVar[dict[str, str]] = {**ClientFields._aliases, "model": "model_name"}  # noqa: SLF001 - of the base

    model_name: str = Field(
        default=DEFAULT_EMBEDDING_MODEL,
        min_length=1,
        kw_only=False,
        description="Name of the embedding model, also as model.",
    )
    dimensions: int | None = Field(
        default=None, gt=0, description="Length of the vectors, if the model supports a choice."
    )
    encoding_format: EncodingFormat | None = Field(
        default=None,
        description="Encoding of the vectors in the response: 'float', or 'base64', which is"
        " shorter. The result is the same.",
    )
    user: str | None = Field(default=None, description="Id of the end user, for abuse detection.")

    if TYPE_CHECKING:
        # An alias, for type checkers.
        model: InitVar[str] = DEFAULT_EMBEDDING_MODEL

    @classmethod
    def class_name(cls) -> str:
        """Return the name of the class in dumps and events."""
        return "XAILowCodeEmbedding"

    def to_payload(self) -> dict[str, Any]:
        """Return what events and traces contain of the model; no secrets."""
        return {
            "class_name": self.class_name(),
            "model_name": self.model_name,
            "embed_batch_size": self.embed_batch_size,
            "dimensions": self.dimensions,
        }

    def _get_query_embedding(self, query: str) -> Vector:
        return self._get_text_embeddings([query])[0]

    async def _aget_query_embedding(self, query: str) -> Vector:
        return (await self._aget_text_embeddings([query]))[0]

    def _get_text_embedding(self, text: str) -> Vector:
        return self._get_text_embeddings([text])[0]

    async def _aget_text_embedding(self, text: str) -> Vector:
        return (await self._aget_text_embeddings([text]))[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[Vector]:
        model = self._chat_model()
        return model.client.execute(
            embed_batches(model.context, self._build_request(texts))
        ).vectors

    async def _aget_text_embeddings(self, texts: list[str]) -> list[Vector]:
        model = self._chat_model()
        flow = embed_batches(model.context, self._build_request(texts))
        return (await model.async_client.execute(flow)).vectors

    def _build_request(self, texts: list[str]) -> EmbeddingRequest:
        # additional_kwargs can be changed after the constructor has checked them.
        if (error := credential_error(self.additional_kwargs, known=_KNOWN)) is not None:
            raise error
        return EmbeddingRequest(
            texts=texts,
            model=self.model_name,
            dimensions=self.dimensions,
            encoding_format=self.encoding_format,
            batch_size=min(self.embed_batch_size, MAX_INPUTS),
            user=self.user,
            extra=self.additional_kwargs,
        )
