"""Vectors of texts: what is asked of ``/v1/embeddings``, and what comes back, batch by batch."""

import base64
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from xai_lowcode._internal import json
from xai_lowcode._internal.parsing import get_int
from xai_lowcode.api.endpoints import CREATE_EMBEDDINGS
from xai_lowcode.errors import InvalidResponseError, RouteNotFoundError, UsageError, describe_value
from xai_lowcode.protocol.call_flow import CallContext, call_and_parse
from xai_lowcode.protocol.steps import Call, Flow
from xai_lowcode.types.resources import Embeddings

DEFAULT_EMBEDDING_MODEL = "grok-embedding-small"
"""The only name that xAI's pages mention; its lists name none, and access is given on request."""

MAX_INPUTS = 128
"""How many texts xAI takes in one request."""

EncodingFormat = Literal["float", "base64"]

_BYTES_OF_A_NUMBER = 4
_ALTERNATIVE = (
    "Use the embedding class of a local model (sentence-transformers, FastEmbed, Ollama) or of"
    " another provider in its place; none are made up here."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingRequest:
    """Texts whose vectors are wanted.

    Attributes:
        texts: The texts, any number of them.
        model: Name of the embedding model; any name is sent as it is.
        dimensions: Length of the vectors, where a model lets it be chosen.
        encoding_format: How vectors travel: ``"float"`` or ``"base64"``, which is shorter and
            rounds to 32 bits. They arrive as numbers either way.
        batch_size: Texts in one request, 1 to 128.
        user: An id of the end user, for abuse detection.
        extra: Further members of the request body, sent as they are.

    Raises:
        UsageError: A field has an impossible value.
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
            raise UsageError("texts: a list of texts is needed, not one text.", field="texts")
        if not isinstance(self.texts, Sequence):
            raise UsageError("texts: a list of texts is needed.", field="texts")
        for position, text in enumerate(self.texts):
            if not isinstance(text, str):
                place = f"texts[{position}]"
                raise UsageError(
                    f"{place}: a text is needed, not a {type(text).__name__}.", field=place
                )
        if not isinstance(self.model, str) or not self.model.strip():
            raise UsageError("model: a name is needed.", field="model")
        _check_complete("batch_size", self.batch_size, MAX_INPUTS)
        if self.dimensions is not None:
            _check_complete("dimensions", self.dimensions, None)
        if self.encoding_format not in (None, "float", "base64"):
            raise UsageError(
                f"encoding_format: 'float' or 'base64', not {describe_value(self.encoding_format)}.",
                field="encoding_format",
            )

    def render(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """The request bodies, one for each batch, with the number of texts in it."""
        options = {
            "dimensions": self.dimensions,
            "encoding_format": self.encoding_format,
            "user": self.user,
        }
        given = {name: value for name, value in options.items() if value is not None}
        for begin in range(0, len(self.texts), self.batch_size):
            batch = list(self.texts[begin : begin + self.batch_size])
            yield len(batch), {"model": self.model, "input": batch, **given, **self.extra}


@dataclass(frozen=True, slots=True)
class EmbeddingBatch:
    """The vectors of texts, in their order.

    Attributes:
        vectors: One for each text, all of one length.
        model: The model that made them; empty if nothing was asked.
        tokens: What the texts counted; None if the service did not say.
    """

    vectors: list[list[float]] = field(repr=False)
    model: str = ""
    tokens: int | None = None


def embed_batches(context: CallContext, /, request: EmbeddingRequest) -> Flow[EmbeddingBatch]:
    """Makes vectors of texts, batch after batch.

    Raises:
        RouteNotFoundError: This gateway has no such endpoint; its published list has none.
        InvalidResponseError: An answer does not hold a vector for each text.
    """
    vectors: list[list[float]] = []
    model, tokens = "", None
    for size, body in request.render():
        try:
            answer = yield from call_and_parse(Call(CREATE_EMBEDDINGS, json.dumps(body)), context)
        except RouteNotFoundError as missing:
            raise _no_embeddings_error(missing) from None
        vectors += parse_vectors(answer, size)
        model = answer.model or model or request.model
        if (counted := _count_tokens(answer.usage)) is not None:
            tokens = (tokens or 0) + counted
    if len({len(vector) for vector in vectors}) > 1:
        raise InvalidResponseError("The vectors are of different lengths.")
    return EmbeddingBatch(vectors, model, tokens)


def _no_embeddings_error(missing: RouteNotFoundError) -> RouteNotFoundError:
    who = "xAI" if missing.source == "provider" else "The gateway"
    return RouteNotFoundError(
        f"{who} has no endpoint for embeddings.",
        hint=_ALTERNATIVE,
        status_code=missing.status_code,
        code=missing.code,
        source=missing.source,
        request_id=missing.request_id,
        body=missing.body,
    )


def parse_vectors(answer: Embeddings, size: int) -> list[list[float]]:
    """The vectors of one answer, in the order of the texts.

    Args:
        answer: The answer.
        size: How many texts were sent.

    Raises:
        InvalidResponseError: It does not hold exactly one vector for each text.
    """
    rows = answer.data
    # Where no row has a number, they stand in the order of the texts.
    if any("index" in row.model_fields_set for row in rows):
        rows = sorted(rows, key=lambda row: row.index)
        if [row.index for row in rows] != list(range(size)):
            raise InvalidResponseError("The vectors' numbers are not those of the texts.")
    if len(rows) != size:
        raise InvalidResponseError(f"{size} texts were sent, {len(rows)} vectors came.")
    return [_decode_vector(row.embedding) for row in rows]


def _decode_vector(vector: list[float] | str) -> list[float]:
    if isinstance(vector, str):
        try:
            packed = base64.b64decode(vector, validate=True)
            numbers = list(struct.unpack(f"<{len(packed) // _BYTES_OF_A_NUMBER}f", packed))
        except (ValueError, struct.error) as broken:
            raise InvalidResponseError(f"A vector is not base64 of numbers ({broken}).") from None
    else:
        numbers = vector
    if not numbers:
        raise InvalidResponseError("A vector is empty.")
    # One sum is much faster than to look at each number; a sum may overflow by itself.
    if not math.isfinite(sum(numbers)) and not all(map(math.isfinite, numbers)):
        raise InvalidResponseError("A vector holds NaN or infinity.")
    return numbers


def _count_tokens(usage: Mapping[str, Any] | None) -> int | None:
    counts = (get_int(usage, name) for name in ("total_tokens", "prompt_tokens"))
    return next((count for count in counts if count is not None), None)


def _check_complete(name: str, value: Any, most: int | None) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or value < 1 or (most is not None and value > most):
        limit = "above 0" if most is None else f"from 1 to {most}"
        raise UsageError(
            f"{name}: a whole number {limit} is needed, not {describe_value(value)}.", field=name
        )
