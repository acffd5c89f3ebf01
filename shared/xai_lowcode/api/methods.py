"""One function per endpoint of the gateway.

Each returns a flow of steps that the sync or the async client executes (see ``client``). Additional
keyword arguments become fields of the request body.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from xai_lowcode._internal import json
from xai_lowcode._internal.credentials import token_error
from xai_lowcode._internal.validation import check_type
from xai_lowcode.api import endpoints
from xai_lowcode.api.deferred import poll
from xai_lowcode.errors import UsageError, describe_value
from xai_lowcode.protocol.call_flow import CallContext, call_and_parse
from xai_lowcode.protocol.endpoint import Endpoint, parse_object
from xai_lowcode.protocol.steps import Call, Flow
from xai_lowcode.types.images import ImageBatch, ImageRequest
from xai_lowcode.types.requests import PollingOptions
from xai_lowcode.types.resources import (
    ApiKey,
    BatchUpload,
    Deletion,
    Embeddings,
    FilePage,
    FileRecord,
    LegacyCompletion,
    Model,
    TextCompletion,
    TextToken,
)

Json = dict[str, Any]

# The immediate response contains only the id.
_DEFERRED_COMPLETION = replace(endpoints.CREATE_CHAT_COMPLETION, parse=parse_object("request_id"))


def _post_call(endpoint: Endpoint[Any], /, **body: Any) -> Call[Any]:
    """Return a call whose body has the fields that are not None.

    Raises:
        UsageError: ``stream`` is set, a name or an id is a token, or the body cannot be serialized
            as JSON.
    """
    if (error := token_error(body)) is not None:
        raise error
    if body.get("stream"):
        raise UsageError(
            "stream: not supported by this method, which returns the complete response.",
            field="stream",
            hint="Use ChatModel.stream, or the client's stream method for the raw bytes.",
        )
    fields = {name: value for name, value in body.items() if value is not None}
    return Call(endpoint, json.dumps(fields))


def list_models(context: CallContext, /) -> Flow[list[Model]]:
    """List the models that the account can use."""
    return call_and_parse(Call(endpoints.LIST_MODELS), context)


def retrieve_model(context: CallContext, /, model_id: str) -> Flow[Model]:
    """Retrieve a model."""
    return call_and_parse(Call(endpoints.RETRIEVE_MODEL, ids={"model_id": model_id}), context)


def list_language_models(context: CallContext, /) -> Flow[list[Model]]:
    """List the language models, with modalities, prices and aliases."""
    return call_and_parse(Call(endpoints.LIST_LANGUAGE_MODELS), context)


def get_language_model(context: CallContext, /, model_id: str) -> Flow[Model]:
    """Retrieve a language model."""
    return call_and_parse(Call(endpoints.GET_LANGUAGE_MODEL, ids={"model_id": model_id}), context)


def list_image_models(context: CallContext, /) -> Flow[list[Model]]:
    """List the image generation models."""
    return call_and_parse(Call(endpoints.LIST_IMAGE_MODELS), context)


def get_image_model(context: CallContext, /, model_id: str) -> Flow[Model]:
    """Retrieve an image generation model."""
    return call_and_parse(Call(endpoints.GET_IMAGE_MODEL, ids={"model_id": model_id}), context)


def get_api_key(context: CallContext, /) -> Flow[ApiKey]:
    """Retrieve the xAI API key that the gateway uses. Free of charge: usable as a health check."""
    return call_and_parse(Call(endpoints.GET_API_KEY), context)


def tokenize(
    context: CallContext, /, text: str, *, model: str, **more: Any
) -> Flow[list[TextToken]]:
    """Tokenize a text with the model's tokenizer."""
    return call_and_parse(
        _post_call(endpoints.TOKENIZE_TEXT, text=text, model=model, **more), context
    )


def create_chat_completion(
    context: CallContext, /, *, model: str, messages: Sequence[Json], **more: Any
) -> Flow[Json]:
    """Create a chat completion.

    With ``deferred=True`` the response has only a ``request_id``, for
    ``poll_deferred_completion``.
    """
    endpoint = _DEFERRED_COMPLETION if more.get("deferred") else endpoints.CREATE_CHAT_COMPLETION
    body = {"model": model, "messages": list(messages), **more}
    return call_and_parse(_post_call(endpoint, **body), context)


def get_deferred_completion(context: CallContext, /, request_id: str) -> Flow[Json | None]:
    """Poll a deferred completion once; None if it is pending. It can be retrieved only once."""
    return call_and_parse(
        Call(endpoints.GET_DEFERRED_COMPLETION, ids={"request_id": request_id}), context
    )


def poll_deferred_completion(
    context: CallContext, /, request_id: str, options: PollingOptions | None = None
) -> Flow[Json]:
    """Poll until a deferred completion is ready, and retrieve it."""
    if options is not None:
        check_type("options", options, PollingOptions)
    success = yield from poll(request_id, options or PollingOptions(), context)
    return context.parse(parse_object("choices"), success)


def create_message(
    context: CallContext, /, *, model: str, messages: Sequence[Json], max_tokens: int, **more: Any
) -> Flow[Json]:
    """Create a message (Anthropic-compatible endpoint)."""
    body = {"model": model, "messages": list(messages), "max_tokens": max_tokens, **more}
    return call_and_parse(_post_call(endpoints.CREATE_MESSAGE, **body), context)


def create_response(
    context: CallContext,
    /,
    *,
    model: str,
    input: str | Sequence[Json],  # noqa: A002 - xAI's name
    **more: Any,
) -> Flow[Json]:
    """Create a response (Responses API)."""
    return call_and_parse(
        _post_call(endpoints.CREATE_RESPONSE, model=model, input=input, **more), context
    )


def retrieve_response(context: CallContext, /, response_id: str) -> Flow[Json]:
    """Retrieve a stored response; xAI stores responses for 30 days."""
    return call_and_parse(
        Call(endpoints.RETRIEVE_RESPONSE, ids={"response_id": response_id}), context
    )


def delete_response(context: CallContext, /, response_id: str) -> Flow[Deletion]:
    """Delete a stored response."""
    return call_and_parse(
        Call(endpoints.DELETE_RESPONSE, ids={"response_id": response_id}), context
    )


def create_images(context: CallContext, /, request: ImageRequest) -> Flow[ImageBatch]:
    """Generate images."""
    check_type("request", request, ImageRequest)
    return call_and_parse(
        Call(endpoints.CREATE_IMAGE_GENERATION, json.dumps(request.render())), context
    )


def create_completion(
    context: CallContext, /, *, model: str, prompt: str | Sequence[str], **more: Any
) -> Flow[TextCompletion]:
    """Complete a text (legacy endpoint; reasoning models reject it)."""
    return call_and_parse(
        _post_call(endpoints.CREATE_COMPLETION, model=model, prompt=prompt, **more), context
    )


def create_legacy_completion(
    context: CallContext, /, *, model: str, prompt: str, max_tokens_to_sample: int, **more: Any
) -> Flow[LegacyCompletion]:
    """Complete a text (legacy, Anthropic-compatible endpoint)."""
    body = {"prompt": prompt, "max_tokens_to_sample": max_tokens_to_sample, **more}
    return call_and_parse(
        _post_call(endpoints.CREATE_LEGACY_COMPLETION, model=model, **body), context
    )


def create_embeddings(
    context: CallContext,
    /,
    *,
    model: str,
    input: str | Sequence[str],  # noqa: A002 - xAI's name
    **more: Any,
) -> Flow[Embeddings]:
    """Create embeddings, if the gateway has the endpoint, which it does not list."""
    return call_and_parse(
        _post_call(endpoints.CREATE_EMBEDDINGS, model=model, input=input, **more), context
    )


def list_files(
    context: CallContext, /, *, limit: int = 100, pagination_token: str | None = None, **query: Any
) -> Flow[FilePage]:
    """List one page of the files; ``iterate_files`` iterates over all pages."""
    if isinstance(limit, bool) or not isinstance(limit, int):
        raise UsageError(f"limit: must be an integer, not {describe_value(limit)}.", field="limit")
    parameters = {"limit": limit, **query}
    if pagination_token:
        parameters["pagination_token"] = pagination_token
    return call_and_parse(Call(endpoints.LIST_FILES, query=parameters), context)


def get_file(context: CallContext, /, file_id: str) -> Flow[FileRecord]:
    """Retrieve the metadata of a file."""
    return call_and_parse(Call(endpoints.GET_FILE, ids={"file_id": file_id}), context)


def update_file(context: CallContext, /, file_id: str, **changes: Any) -> Flow[FileRecord]:
    """Update the metadata of a file, for instance its ``filename``."""
    call = Call(endpoints.UPDATE_FILE, json.dumps(changes), ids={"file_id": file_id})
    return call_and_parse(call, context)


def delete_file(context: CallContext, /, file_id: str) -> Flow[Deletion]:
    """Delete a file."""
    return call_and_parse(Call(endpoints.DELETE_FILE, ids={"file_id": file_id}), context)


def batch_upload(context: CallContext, /, body: Mapping[str, Any]) -> Flow[BatchUpload]:
    """Start a batch upload; xAI does not document the fields of the body."""
    return call_and_parse(Call(endpoints.BATCH_UPLOAD, json.dumps(dict(body))), context)


def complete_batch_upload(
    context: CallContext, /, batch_job_id: str, body: Mapping[str, Any] | None = None
) -> Flow[BatchUpload]:
    """Complete a batch upload."""
    ids = {"batch_job_id": batch_job_id}
    return call_and_parse(
        Call(endpoints.COMPLETE_BATCH_UPLOAD, json.dumps(dict(body or {})), ids=ids), context
    )


def get_definition(context: CallContext, /) -> Flow[Json]:
    """Retrieve the gateway's definition of its endpoints; no token is sent."""
    return call_and_parse(Call(endpoints.GET_DEFINITION), context)


def get_openapi(context: CallContext, /) -> Flow[Json]:
    """Retrieve the OpenAPI definition, if the gateway has one; no token is sent."""
    return call_and_parse(Call(endpoints.GET_OPENAPI), context)
