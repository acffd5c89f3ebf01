"""``XAILowCodeEmbedding``: vectors of texts for indices, where the gateway has an endpoint."""

from typing import Any, ClassVar

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

Vector = list[float]

# Options that are no unknown ones, whatever they hold.
_KNOWN = frozenset({"model", "dimensions", "encoding_format", "user"})


class XAILowCodeEmbedding(ClientFields, BaseEmbedding):
    """Embeddings through the LowCodeAPI gateway.

    The gateway's published list has no such endpoint, though xAI's specification has, and xAI gives
    access to its embedding models on request. Where the endpoint is missing, calls raise
    ``RouteNotFoundError``, which says what to use in its place.

    Args:
        model_name: Name of the embedding model, also as ``model``; any name is sent as it is.
        dimensions: Length of the vectors, where a model lets it be chosen.
        encoding_format: How vectors travel: ``"float"``, or ``"base64"``, which is shorter; they
            arrive alike.
        user: An id of the end user, for abuse detection.
        embed_batch_size: Texts that LlamaIndex hands over at once; default 10. More than 128 go in
            several requests.
        num_workers: How many batches are under way at once in async calls; default all.
        additional_kwargs: Further members of the request body.
        options: ``api_token``, ``base_url``, ``timeout``, ``deadline``, ``max_retries``,
            ``max_concurrency``, ``rate_limiter``, ``proxy``, ``verify``, ``max_response_bytes``,
            ``url_format``, ``allow_insecure_http``, ``http_client`` and ``async_http_client``, as
            ``XAILowCode`` takes them.

    Raises:
        UsageError: There is no token, or it cannot be one; a setting has an impossible value, or
            an unknown option is or holds a credential.

    Example:
        >>> from llama_index_xai_lowcode import XAILowCodeEmbedding
        >>> embedding = XAILowCodeEmbedding(dimensions=256, api_token="at_r0123456789abcdef")
        >>> embedding.model_name
        'grok-embedding-small'
        >>> len(embedding.get_text_embedding("A red fox."))  # doctest: +SKIP
        256
    """

    _aliases: ClassVar[dict[str, str]] = {**ClientFields._aliases, "model": "model_name"}  # noqa: SLF001 - the base's table

    model_name: str = Field(
        default=DEFAULT_EMBEDDING_MODEL,
        min_length=1,
        description="Name of the embedding model; any name is sent.",
    )
    dimensions: int | None = Field(
        default=None, gt=0, description="Length of the vectors; None for the model's own."
    )
    encoding_format: EncodingFormat | None = Field(
        default=None, description="How vectors travel: 'float' or 'base64'."
    )
    user: str | None = Field(default=None, description="An id of the end user.")

    @classmethod
    def class_name(cls) -> str:
        """The name in stored components and events."""
        return "XAILowCodeEmbedding"

    def to_payload(self) -> dict[str, Any]:
        """What events and traces show; never a secret.

        Versions of LlamaIndex before 0.14.23 show ``to_dict`` instead, which has no secret either.
        """
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
        gateway = self._gateway()
        return gateway.client.execute(embed_batches(gateway.context, self._request(texts))).vectors

    async def _aget_text_embeddings(self, texts: list[str]) -> list[Vector]:
        gateway = self._gateway()
        flow = embed_batches(gateway.context, self._request(texts))
        return (await gateway.async_client.execute(flow)).vectors

    def _request(self, texts: list[str]) -> EmbeddingRequest:
        # The constructor checks it too, but it may be changed later.
        if (refusal := credential_error(self.additional_kwargs, known=_KNOWN)) is not None:
            raise refusal
        return EmbeddingRequest(
            texts=texts,
            model=self.model_name,
            dimensions=self.dimensions,
            encoding_format=self.encoding_format,
            batch_size=min(self.embed_batch_size, MAX_INPUTS),
            user=self.user,
            extra=self.additional_kwargs,
        )
