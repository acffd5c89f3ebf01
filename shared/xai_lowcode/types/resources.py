"""What the smaller endpoints answer, as records that keep every field they do not know.

Fields are optional wherever xAI's documents and recordings disagree or change; ``model_extra``
holds what is new. The chat endpoints' answers are read by the dialects instead.
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
"""Token prices are in 10^-4 US dollars for a million tokens (12500 is 1.25 dollars)."""

IMAGE_PRICE_PER_USD = 10_000_000_000
"""Picture prices are in 10^-10 US dollars (200000000 is 0.02 dollars)."""

MAX_ERROR_LOCATIONS = 5
"""How many places an error names."""

R = TypeVar("R", bound="Resource")
T = TypeVar("T")

Int64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]
"""An integer of 64 bits: a longer one cannot be divided, kept in an array, or even printed."""

FailFastList = Annotated[list[T], Field(fail_fast=True)]
"""A list that is read up to its first fault: a long one may have a million of them."""


class Resource(BaseModel):
    """One object of an answer."""

    # Built on first use: importing the package must not pay for records that nobody reads.
    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True, protected_namespaces=())


class Model(Resource):
    """A model, as the model lists give it; prices in xAI's units, and in US dollars."""

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
        """US dollars for a million tokens of prompt."""
        return _to_usd(self.prompt_text_token_price, TOKEN_PRICE_PER_USD)

    @property
    def cached_input_usd_per_million(self) -> float | None:
        """US dollars for a million tokens of prompt that come from the cache."""
        return _to_usd(self.cached_prompt_text_token_price, TOKEN_PRICE_PER_USD)

    @property
    def output_usd_per_million(self) -> float | None:
        """US dollars for a million tokens of answer, reasoning included."""
        return _to_usd(self.completion_text_token_price, TOKEN_PRICE_PER_USD)

    @property
    def usd_per_image(self) -> float | None:
        """US dollars for a picture."""
        return _to_usd(self.image_price, IMAGE_PRICE_PER_USD)


class ApiKey(Resource):
    """The xAI key behind the token, as far as it may be shown."""

    redacted_api_key: str
    name: str | None = None
    team_id: str | None = None
    acls: FailFastList[str] = Field(default_factory=list)
    team_blocked: bool = False
    api_key_blocked: bool = False
    api_key_disabled: bool = False


class TextToken(Resource):
    """One token of a text."""

    token_id: Int64
    string_token: str
    token_bytes: FailFastList[int] = Field(default_factory=list)


class Ticket(Resource):
    """The promise of a deferred answer."""

    request_id: str


class Deletion(Resource):
    """That something was deleted."""

    id: str
    deleted: bool


class FileRecord(Resource):
    """A file at xAI, of either generation of records.

    Attributes:
        id: Its id (``file_id`` in the older generation).
        name: Its name (``filename`` in the newer one).
        size: Bytes (``bytes``, or ``size_bytes`` as a text).
        created_at: When it came, as xAI gives it: seconds since 1970, or a text.
        upload_status: ``Initializing``, ``Uploading``, ``Complete`` or ``Failed``; older ones only.
        processing_status: ``pending``, ``processing``, ``complete``, ``failed`` or ``skipped``.
    """

    id: str = Field(validation_alias=AliasChoices("id", "file_id"))
    name: str | None = Field(None, validation_alias=AliasChoices("filename", "name"))
    size: Int64 | None = Field(None, validation_alias=AliasChoices("bytes", "size_bytes", "size"))
    content_type: str | None = None
    created_at: Int64 | str | None = None
    expires_at: Int64 | str | None = None
    hash: str | None = None
    upload_status: str | None = None
    upload_error_message: str | None = None
    processing_status: str | None = None


class FilePage(Resource):
    """A page of the list of files; its token leads to the next, and stands on the last too."""

    data: FailFastList[FileRecord]
    pagination_token: str | None = None


class UploadTicket(Resource):
    """An upload that has begun."""

    file_id: str


class BatchUpload(Resource):
    """A batch of uploads; its form is not published, so ``model_extra`` has what it says."""

    batch_job_id: str | None = None


class Embedding(Resource):
    """One vector: numbers, or base64 of numbers if that was asked for."""

    index: Int64 = 0
    embedding: FailFastList[float] | str

    @field_validator("embedding", mode="before")
    @classmethod
    def _unpacked(cls, value: Any) -> Any:
        """The vector of xAI's older documents, which stands in an object that names its kind."""
        match value:
            case {"Float": vector} | {"Base64": vector}:
                return vector
            case _:
                return value


class Embeddings(Resource):
    """The vectors of a list of texts; ``usage`` as xAI gives it."""

    data: FailFastList[Embedding]
    model: str | None = None
    usage: dict[str, Any] | None = None


class TextChoice(Resource):
    """One text of a legacy completion."""

    index: Int64 = 0
    text: str
    finish_reason: str | None = None


class TextCompletion(Resource):
    """A legacy completion; ``usage`` as xAI gives it."""

    id: str
    model: str | None = None
    choices: FailFastList[TextChoice]
    usage: dict[str, Any] = Field(default_factory=dict)


class LegacyCompletion(Resource):
    """A legacy completion in Anthropic's form."""

    id: str
    completion: str
    stop_reason: str | None = None
    model: str | None = None


def parse_resource(kind: type[R]) -> Callable[[Any], R]:
    """Makes a parser for one record."""

    def parse(body: Any) -> R:
        try:
            return kind.model_validate(body)
        except ValidationError as mismatch:
            # Only the places: pydantic's own text, and the error itself, repeat the input.
            faults = mismatch.errors(include_url=False, include_context=False, include_input=False)
        places = [".".join(map(str, fault["loc"])) for fault in faults[:MAX_ERROR_LOCATIONS]]
        named = ", ".join(place or "the answer" for place in places)
        raise InvalidResponseError(
            f"The answer is not a {kind.__name__}: {named} is missing or of another type.",
            body=body,
        )

    return parse


def parse_resources(kind: type[R], key: str) -> Callable[[Any], list[R]]:
    """Makes a parser for a list of records below a key."""
    parse_one = parse_resource(kind)

    def parse(body: Any) -> list[R]:
        items = body.get(key) if isinstance(body, dict) else None
        if not isinstance(items, list):
            raise InvalidResponseError(f"The answer has no list {key!r}.", body=body)
        return [parse_one(item) for item in items]

    return parse


def _to_usd(price: int | None, units: int) -> float | None:
    return None if price is None else price / units


def _build_schemas(kind: type[Resource] = Resource) -> None:
    for record in kind.__subclasses__():
        record.model_rebuild()
        _build_schemas(record)


# pydantic builds a schema on first use under a lock, which a forked child would wait for.
run_before_fork(_build_schemas)
