"""Response models of the endpoints other than chat; unknown fields are kept in ``model_extra``.

Fields are optional where xAI's documentation and recorded responses differ. The dialects parse
responses of the chat endpoints.
"""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)

from xai_lowcode._internal.fork_safety import run_before_fork
from xai_lowcode.errors import InvalidResponseError

TOKEN_PRICE_PER_USD = 10_000
"""Token prices are in 10^-4 US dollars per million tokens (12500 is 1.25 dollars)."""

IMAGE_PRICE_PER_USD = 10_000_000_000
"""Image prices are in 10^-10 US dollars (200000000 is 0.02 dollars)."""

MAX_ERROR_LOCATIONS = 5
"""Maximum number of locations in an error message."""

R = TypeVar("R", bound="Resource")
T = TypeVar("T")

Int64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]
"""A 64-bit integer: a longer one cannot be divided, stored in an array, or printed."""

FailFastList = Annotated[list[T], Field(fail_fast=True)]
"""A list whose validation stops at the first error: a long list may have a million."""


class Resource(BaseModel):
    """Base class of response models."""

    # The validators are built on first use, which makes the import of the package faster.
    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True, protected_namespaces=())


class Model(Resource):
    """A model of a model list; prices in xAI's units, and in US dollars."""

    id: str
    created: Int64 | None = None
    owned_by: str | None = None
    aliases: FailFastList[str] = Field(default_factory=list)
    context_length: Int64 | None = None
    fingerprint: str | None = None
    version: str | None = None
    input_modalities: FailFastList[str] = Field(default_factory=list)
    output_modalities: FailFastList[str] = Field(default_factory=list)
    max_prompt_length: Int64 | None = None
    prompt_text_token_price: Int64 | None = None
    cached_prompt_text_token_price: Int64 | None = None
    completion_text_token_price: Int64 | None = None
    image_price: Int64 | None = None

    @property
    def input_usd_per_million(self) -> float | None:
        """US dollars per million input tokens."""
        return _to_usd(self.prompt_text_token_price, TOKEN_PRICE_PER_USD)

    @property
    def cached_input_usd_per_million(self) -> float | None:
        """US dollars per million cached input tokens."""
        return _to_usd(self.cached_prompt_text_token_price, TOKEN_PRICE_PER_USD)

    @property
    def output_usd_per_million(self) -> float | None:
        """US dollars per million output tokens, reasoning included."""
        return _to_usd(self.completion_text_token_price, TOKEN_PRICE_PER_USD)

    @property
    def usd_per_image(self) -> float | None:
        """US dollars per image."""
        return _to_usd(self.image_price, IMAGE_PRICE_PER_USD)


class ApiKey(Resource):
    """The xAI API key that the gateway uses, redacted."""

    redacted_api_key: str
    name: str | None = None
    team_id: str | None = None
    acls: FailFastList[str] = Field(default_factory=list)
    team_blocked: bool = False
    api_key_blocked: bool = False
    api_key_disabled: bool = False


class TextToken(Resource):
    """A token of a tokenized text."""

    token_id: Int64
    string_token: str
    token_bytes: FailFastList[int] = Field(default_factory=list)


class DeferredCompletion(Resource):
    """The response to a deferred request: the id under which its result can be retrieved."""

    request_id: str


class Deletion(Resource):
    """The response to a deletion."""

    id: str
    deleted: bool


class FileRecord(Resource):
    """Metadata of a file at xAI, in the older or newer format.

    Attributes:
        id: Id (``file_id`` in the older format).
        name: Name (``filename`` in the newer format).
        size: Size in bytes (``bytes``, or ``size_bytes`` as a string).
        created_at: Time of creation as returned by xAI: Unix time in seconds, or a string.
        upload_status: ``Initializing``, ``Uploading``, ``Complete`` or ``Failed``; older format.
        processing_status: ``pending``, ``processing``, ``complete``, ``failed`` or ``skipped``.
    """

    id: str = Field(validation_alias=AliasChoices("id", "file_id"))
    name: str | None = Field(None, validation_alias=AliasChoices("filename", "name"))
    size: Int64 | None = Field(None, validation_alias=AliasChoices("bytes", "size_bytes", "size"))
    content_type: str | None = None
    created_at: Int64 | float | str | None = None
    expires_at: Int64 | float | str | None = None
    hash: str | None = None
    upload_status: str | None = None
    upload_error_message: str | None = None
    processing_status: str | None = None


class FilePage(Resource):
    """A page of the file list; the last page has a ``pagination_token`` too."""

    data: FailFastList[FileRecord]
    pagination_token: str | None = None


class InitializedUpload(Resource):
    """The id of an initialized upload."""

    file_id: str


class BatchUpload(Resource):
    """A batch upload; xAI does not document its fields, which are in ``model_extra``."""

    batch_job_id: str | None = None


class Embedding(Resource):
    """One embedding: a list of numbers, or base64 if that encoding was requested."""

    index: Int64 = 0
    embedding: FailFastList[float] | str

    @field_validator("embedding", mode="before")
    @classmethod
    def _unwrap_vector(cls, value: Any) -> Any:
        """Unwrap the form of older documentation, an object with the encoding as its key."""
        match value:
            case {"Float": vector} | {"Base64": vector}:
                return vector
            case _:
                return value


class Embeddings(Resource):
    """The embeddings of a list of texts; ``usage`` as returned by xAI."""

    data: FailFastList[Embedding]
    model: str | None = None
    usage: dict[str, Any] | None = None


class TextChoice(Resource):
    """A choice of a legacy completion."""

    index: Int64 = 0
    text: str
    finish_reason: str | None = None


class TextCompletion(Resource):
    """A legacy completion; ``usage`` as returned by xAI."""

    id: str
    model: str | None = None
    choices: FailFastList[TextChoice]
    usage: dict[str, Any] = Field(default_factory=dict)


class LegacyCompletion(Resource):
    """A legacy completion of the Anthropic-compatible endpoint."""

    id: str
    completion: str
    stop_reason: str | None = None
    model: str | None = None


def parse_resource(kind: type[R]) -> Callable[[Any], R]:
    """Return a parser for one resource."""

    def parse(body: Any) -> R:
        try:
            return kind.model_validate(body)
        except ValidationError as mismatch:
            # Locations only: pydantic's messages, and the error itself, repeat the input.
            errors = mismatch.errors(include_url=False, include_context=False, include_input=False)
        locations = [".".join(map(str, error["loc"])) for error in errors[:MAX_ERROR_LOCATIONS]]
        names = ", ".join(location or "the response" for location in locations)
        raise InvalidResponseError(
            f"The response is not a valid {kind.__name__}: {names} is missing or of another type.",
            body=body,
        )

    return parse


def parse_resources(kind: type[R], key: str) -> Callable[[Any], list[R]]:
    """Return a parser for a list of resources under a key."""
    parse_item = parse_resource(kind)

    def parse(body: Any) -> list[R]:
        items = body.get(key) if isinstance(body, dict) else None
        if not isinstance(items, list):
            raise InvalidResponseError(f"The response has no list {key!r}.", body=body)
        return [parse_item(item) for item in items]

    return parse


def _to_usd(price: int | None, units: int) -> float | None:
    return None if price is None else price / units


def _build_validators(kind: type[Resource] = Resource) -> None:
    for subclass in kind.__subclasses__():
        subclass.model_rebuild()
        _build_validators(subclass)


# pydantic builds a validator on first use under a lock, on which a forked child would block.
run_before_fork(_build_validators)
