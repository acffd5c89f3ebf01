"""Embeddings: requests and responses of ``/v1/embeddings``, in batches."""

import base64
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from xai_lowcode._internal import json
from xai_lowcode._internal.credentials import token_error
from xai_lowcode._internal.parsing import get_int
from xai_lowcode._internal.validation import check_type
from xai_lowcode.api.endpoints import CREATE_EMBEDDINGS
from xai_lowcode.errors import InvalidResponseError, RouteNotFoundError, UsageError, describe_value
from xai_lowcode.protocol.call_flow import CallContext, call_and_parse
from xai_lowcode.protocol.steps import Call, Flow
from xai_lowcode.types.resources import Embeddings

DEFAULT_EMBEDDING_MODEL = "grok-embedding-small"
"""The only model in xAI's documentation; its model lists have none, and access is on request."""

MAX_INPUTS = 128
"""Maximum number of texts in one request."""

EncodingFormat = Literal["float", "base64"]

_FLOAT_SIZE = 4
_ALTERNATIVE = (
    "Use the embedding class of a local model (sentence-transformers, FastEmbed, Ollama) or of"
    " another provider instead."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingRequest:
    """A request to embed texts.

    Attributes:
        texts: The texts, any number of them.
        model: Name of the embedding model, sent unchanged.
        dimensions: Length of the vectors, if the model supports it.
        encoding_format: Encoding of the response: ``"float"`` or ``"base64"``, which is shorter and
            rounds to 32 bits. The result is a list of numbers either way.
        batch_size: Texts per request, 1 to 128.
        user: An id of the end user, for abuse detection.
        extra: Additional fields of the request body, sent unchanged.

    Raises:
        UsageError: A field has an invalid value.
    """

    texts: Sequence[str]
    model: str = DEFAULT_EMBEDDING_MODEL
    dimensions: int | None = None
    encoding_format: EncodingFormat | None = None
    batch_size: int = MAX_INPUTS
    user: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.texts, str):
            raise UsageError("texts: must be a list of strings, not a string.", field="texts")
        if not isinstance(self.texts, Sequence):
            raise UsageError("texts: must be a list of strings.", field="texts")
        for position, text in enumerate(self.texts):
            if not isinstance(text, str):
                name = f"texts[{position}]"
                raise UsageError(
                    f"{name}: must be a string, not a {type(text).__name__}.", field=name
                )
        if not isinstance(self.model, str) or not self.model.strip():
            raise UsageError("model: must not be empty.", field="model")
        names = ("model", "user", "encoding_format")
        if (error := token_error({name: getattr(self, name) for name in names})) is not None:
            raise error
        check_count("batch_size", self.batch_size, MAX_INPUTS)
        if self.dimensions is not None:
            check_count("dimensions", self.dimensions)
        if self.encoding_format not in (None, "float", "base64"):
            raise UsageError(
                "encoding_format: must be 'float' or 'base64', not"
                f" {describe_value(self.encoding_format)}.",
                field="encoding_format",
            )

    def render(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the request body of each batch with its number of texts."""
        options = {
            "dimensions": self.dimensions,
            "encoding_format": self.encoding_format,
            "user": self.user,
        }
        fields = {name: value for name, value in options.items() if value is not None}
        for start in range(0, len(self.texts), self.batch_size):
            batch = list(self.texts[start : start + self.batch_size])
            yield len(batch), {"model": self.model, "input": batch, **fields, **self.extra}


@dataclass(frozen=True, slots=True)
class EmbeddingBatch:
    """The embeddings of texts, in their order.

    Attributes:
        vectors: One for each text, all of the same length.
        model: The model that created them; empty if there was no text.
        tokens: Tokens of the texts; None if the service did not return it.
    """

    vectors: list[list[float]] = field(repr=False)
    model: str = ""
    tokens: int | None = None


def embed_batches(context: CallContext, /, request: EmbeddingRequest) -> Flow[EmbeddingBatch]:
    """Embed texts, one batch after the other.

    Raises:
        UsageError: ``request`` is not an ``EmbeddingRequest``.
        RouteNotFoundError: The gateway has no embeddings endpoint, which it does not list.
        InvalidResponseError: A response does not have exactly one vector for each text.
    """
    check_type("request", request, EmbeddingRequest)
    vectors: list[list[float]] = []
    model, tokens = "", None
    for batch_size, body in request.render():
        try:
            response = yield from call_and_parse(Call(CREATE_EMBEDDINGS, json.dumps(body)), context)
        except RouteNotFoundError as error:
            raise _no_embeddings_error(error) from None
        vectors += parse_vectors(response, batch_size)
        model = response.model or model or request.model
        if (count := _count_tokens(response.usage)) is not None:
            tokens = (tokens or 0) + count
    if len({len(vector) for vector in vectors}) > 1:
        raise InvalidResponseError("The embeddings have different lengths.")
    return EmbeddingBatch(vectors, model, tokens)


def _no_embeddings_error(error: RouteNotFoundError) -> RouteNotFoundError:
    source = "xAI" if error.source == "provider" else "The gateway"
    return RouteNotFoundError(
        f"{source} has no endpoint for embeddings.",
        hint=_ALTERNATIVE,
        status_code=error.status_code,
        code=error.code,
        source=error.source,
        request_id=error.request_id,
        body=error.body,
    )


def parse_vectors(response: Embeddings, count: int) -> list[list[float]]:
    """Return the vectors of one response, in the order of the texts.

    Args:
        response: The response.
        count: Number of texts that were sent.

    Raises:
        InvalidResponseError: It does not have exactly one vector for each text.
    """
    rows = response.data
    # Without indexes, the order is that of the texts.
    if any("index" in row.model_fields_set for row in rows):
        rows = sorted(rows, key=lambda row: row.index)
        if [row.index for row in rows] != list(range(count)):
            raise InvalidResponseError("The indexes of the embeddings do not match the texts.")
    if len(rows) != count:
        raise InvalidResponseError(f"{count} texts were sent, {len(rows)} embeddings returned.")
    return [_decode_vector(row.embedding) for row in rows]


def _decode_vector(vector: list[float] | str) -> list[float]:
    if isinstance(vector, str):
        try:
            packed = base64.b64decode(vector, validate=True)
            numbers = list(struct.unpack(f"<{len(packed) // _FLOAT_SIZE}f", packed))
        except (ValueError, struct.error) as error:
            raise InvalidResponseError(f"An embedding is not valid base64 ({error}).") from None
    else:
        numbers = vector
    if not numbers:
        raise InvalidResponseError("An embedding is empty.")
    # The sum is much faster than a check of each number, but may overflow itself.
    if not math.isfinite(sum(numbers)) and not all(map(math.isfinite, numbers)):
        raise InvalidResponseError("An embedding contains NaN or infinity.")
    return numbers


def _count_tokens(usage: Mapping[str, Any] | None) -> int | None:
    counts = (get_int(usage, name) for name in ("total_tokens", "prompt_tokens"))
    return next((count for count in counts if count is not None), None)


def check_count(name: str, value: Any, maximum: int | None = None) -> None:
    """Check an option that is a number of texts or of dimensions.

    Raises:
        UsageError: It is not an integer from 1 to the maximum.
    """
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    if not is_integer or value < 1 or (maximum is not None and value > maximum):
        limit = "above 0" if maximum is None else f"from 1 to {maximum}"
        raise UsageError(
            f"{name}: must be an integer {limit}, not {describe_value(value)}.", field=name
        )
