"""``XAILowCodeEmbeddings``: LangChain embeddings, for gateways with an embeddings endpoint."""

from typing import TYPE_CHECKING, Any

from langchain_core.embeddings import Embeddings
from langchain_core.load.serializable import Serializable
from pydantic import AliasChoices, Field, ValidationInfo, field_validator

from langchain_xai_lowcode._client_fields import ClientFields
from langchain_xai_lowcode._errors import langchain_errors
from xai_lowcode._internal.credentials import credential_error
from xai_lowcode.api.embeddings import (
    DEFAULT_EMBEDDING_MODEL,
    MAX_INPUTS,
    EmbeddingRequest,
    EncodingFormat,
    check_count,
    embed_batches,
)

if TYPE_CHECKING:
    from dataclasses import InitVar

# Options that are not checked for credentials.
_KNOWN_OPTIONS = frozenset({"model", "dimensions", "encoding_format", "user"})
_MAXIMA = {"chunk_size": MAX_INPUTS}


class XAILowCodeEmbeddings(ClientFields, Serializable, Embeddings):
    """Embeddings through the LowCodeAPI gateway.

    The gateway's published list has no embeddings endpoint; xAI's specification has one, and xAI
    gives access to its embedding models on request. Without the endpoint, calls raise
    ``RouteNotFoundError``, whose hint names alternatives.

    Setup:
        ``pip install "xai-lowcode[langchain] @ git+https://github.com/xai-lowcode/xai-lowcode"``,
        and set ``LOWCODEAPI_API_TOKEN`` to the token of your LowCodeAPI account.

    Key init args — completion params:
        model: Name of the embedding model.
        dimensions: Length of the vectors, if the model supports several.
        chunk_size: Maximum number of texts in one request, 1 to 128. Default: 128.

    Key init args — client params:
        api_token, base_url, timeout, max_retries, …: As in ``ChatXAILowCode``.

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
        kw_only=False,
    )
    """Name of the embedding model, sent unchanged."""

    dimensions: int | None = None
    """Length of the vectors, if the model supports several. Default: the model's."""

    encoding_format: EncodingFormat | None = None
    """Encoding of vectors in the response: ``"float"`` or ``"base64"``, which is smaller."""

    chunk_size: int = MAX_INPUTS
    """Maximum number of texts in one request, 1 to 128. Default: 128."""

    user: str | None = None
    """Identifier of the end user, for abuse detection."""

    @field_validator("dimensions", "chunk_size")
    @classmethod
    def _check_count(cls, count: int | None, info: ValidationInfo) -> int | None:
        if count is not None:
            with langchain_errors():
                check_count(str(info.field_name), count, _MAXIMA.get(str(info.field_name)))
        return count

    if TYPE_CHECKING:
        # An alias, for type checkers.
        model_name: InitVar[str] = DEFAULT_EMBEDDING_MODEL

    def embed_documents(self, texts: list[str], chunk_size: int | None = None) -> list[list[float]]:
        """Embed texts; the vectors are in the order of the texts.

        Args:
            texts: The texts.
            chunk_size: Maximum number of texts in one request. Default: the field.

        Raises:
            UsageError: An argument is invalid; nothing was sent.
            RouteNotFoundError: The gateway has no embeddings endpoint.
            XAILowCodeError: The request failed.
        """
        with langchain_errors():
            client, request = self._gateway.client, self._build_request(texts, chunk_size)
            return client.execute(embed_batches(client.context, request)).vectors

    async def aembed_documents(
        self, texts: list[str], chunk_size: int | None = None
    ) -> list[list[float]]:
        """Embed texts; see ``embed_documents``."""
        with langchain_errors():
            client, request = self._gateway.async_client, self._build_request(texts, chunk_size)
            return (await client.execute(embed_batches(client.context, request))).vectors

    def embed_query(self, text: str) -> list[float]:
        """Embed a query, in the same way as a document."""
        return self.embed_documents([text])[0]

    async def aembed_query(self, text: str) -> list[float]:
        """Embed a query; see ``embed_query``."""
        return (await self.aembed_documents([text]))[0]

    def _build_request(self, texts: list[str], chunk_size: int | None) -> EmbeddingRequest:
        options: dict[str, Any] = {
            "model": self.model,
            "dimensions": self.dimensions,
            "encoding_format": self.encoding_format,
            "user": self.user,
        }
        # The constructor checks model_kwargs too, but the dict can be changed later.
        if (error := credential_error(self.model_kwargs, known=_KNOWN_OPTIONS)) is not None:
            raise error
        batch_size = self.chunk_size if chunk_size is None else chunk_size
        check_count("chunk_size", batch_size, MAX_INPUTS)
        return EmbeddingRequest(
            texts=texts, batch_size=batch_size, extra=self.model_kwargs, **options
        )
