"""``XAILowCodeEmbeddings``: vectors of texts, where the gateway has an endpoint for them."""

from typing import Any

from langchain_core.embeddings import Embeddings
from langchain_core.load.serializable import Serializable
from pydantic import AliasChoices, Field

from langchain_xai_lowcode._client_fields import ModelKwargsMixin
from langchain_xai_lowcode._errors import langchain_errors
from xai_lowcode._internal.credentials import credential_error
from xai_lowcode.api.embeddings import (
    DEFAULT_EMBEDDING_MODEL,
    MAX_INPUTS,
    EmbeddingRequest,
    EncodingFormat,
    embed_batches,
)

# Options that are no unknown ones, whatever they hold.
_KNOWN = frozenset({"model", "dimensions", "encoding_format", "user"})


class XAILowCodeEmbeddings(ModelKwargsMixin, Serializable, Embeddings):
    """Embeddings through the LowCodeAPI gateway.

    The gateway's published list has no such endpoint, though xAI's specification has, and xAI gives
    access to its embedding models on request. Where the endpoint is missing, calls raise
    ``RouteNotFoundError``, which says what to use in its place.

    Setup:
        ``pip install 'xai-lowcode[langchain]'``, and the token of your LowCodeAPI account in
        ``LOWCODEAPI_API_TOKEN``.

    Key init args — completion params:
        model: Name of the embedding model.
        dimensions: Length of the vectors, where a model lets it be chosen.
        chunk_size: Texts in one request, 1 to 128.

    Key init args — client params:
        api_token, base_url, timeout, max_retries, …: As those of ``ChatXAILowCode``.

    Instantiate:
        ```python
        from langchain_xai_lowcode import XAILowCodeEmbeddings

        embeddings = XAILowCodeEmbeddings(dimensions=256)
        ```

    Embed texts:
        ```python
        vectors = embeddings.embed_documents(["A fox.", "An owl."])
        print(len(vectors), len(vectors[0]))  # 2 256
        ```

    Embed a query:
        ```python
        print(len(embeddings.embed_query("Which animal barks?")))
        ```

    Async:
        ```python
        import asyncio

        print(len(asyncio.run(embeddings.aembed_documents(["A fox.", "An owl."]))))
        ```
    """

    model: str = Field(
        default=DEFAULT_EMBEDDING_MODEL,
        validation_alias=AliasChoices("model", "model_name"),
        min_length=1,
    )
    """Name of the embedding model; any name is sent as it is."""

    dimensions: int | None = None
    """Length of the vectors, where a model lets it be chosen."""

    encoding_format: EncodingFormat | None = None
    """How vectors travel: ``"float"``, or ``"base64"``, which is shorter; they arrive alike."""

    chunk_size: int = MAX_INPUTS
    """Texts in one request, 1 to 128."""

    user: str | None = None
    """An id of the end user, for abuse detection."""

    def embed_documents(self, texts: list[str], chunk_size: int | None = None) -> list[list[float]]:
        """Makes a vector for each text, in their order.

        Args:
            texts: The texts.
            chunk_size: Texts in one request; default: the field.

        Raises:
            UsageError: The request cannot be made; nothing was sent.
            RouteNotFoundError: This gateway has no such endpoint.
            XAILowCodeError: The call failed.
        """
        with langchain_errors():
            client, request = self._gateway.client, self._request(texts, chunk_size)
            return client.execute(embed_batches(client.context, request)).vectors

    async def aembed_documents(
        self, texts: list[str], chunk_size: int | None = None
    ) -> list[list[float]]:
        """Makes a vector for each text; see ``embed_documents``."""
        with langchain_errors():
            client, request = self._gateway.async_client, self._request(texts, chunk_size)
            return (await client.execute(embed_batches(client.context, request))).vectors

    def embed_query(self, text: str) -> list[float]:
        """Makes the vector of a query, which is that of the same text as a document."""
        return self.embed_documents([text])[0]

    async def aembed_query(self, text: str) -> list[float]:
        """Makes the vector of a query; see ``embed_query``."""
        return (await self.aembed_documents([text]))[0]

    def _request(self, texts: list[str], chunk_size: int | None) -> EmbeddingRequest:
        options: dict[str, Any] = {
            "model": self.model,
            "dimensions": self.dimensions,
            "encoding_format": self.encoding_format,
            "user": self.user,
        }
        # Constructors check it too, but a dict may be changed later.
        if (refusal := credential_error(self.model_kwargs, known=_KNOWN)) is not None:
            raise refusal
        size = self.chunk_size if chunk_size is None else chunk_size
        return EmbeddingRequest(texts=texts, batch_size=size, extra=self.model_kwargs, **options)

    @classmethod
    def get_lc_namespace(cls) -> list[str]:
        """Where LangChain finds the class when it loads a dump."""
        return ["langchain_xai_lowcode", "embeddings"]
