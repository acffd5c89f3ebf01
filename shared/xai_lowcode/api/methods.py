"""A readable word for each endpoint: what to say, and what comes back.

Each is a flow of steps that either client drives, so a word is written once and both speak it
(``gateway``). Keyword arguments beyond those named go into the request body as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from xai_lowcode._internal import json
from xai_lowcode.api import endpoints
from xai_lowcode.api.deferred import poll
from xai_lowcode.errors import UsageError
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

# What comes at once is a ticket.
_DEFERRED_COMPLETION = replace(endpoints.CREATE_CHAT_COMPLETION, parse=parse_object("request_id"))


def _post_call(endpoint: Endpoint[Any], /, **body: Any) -> Call[Any]:
    """A call with the members of its body that are given.

    Raises:
        UsageError: A stream is asked for, or the body has no JSON form.
    """
    if body.get("stream"):
        raise UsageError(
            "stream: an endpoint's method returns the whole answer.",
            field="stream",
            hint="Use ChatModel.stream, or the client's stream for the bytes.",
        )
    given = {name: value for name, value in body.items() if value is not None}
    return Call(endpoint, json.dumps(given))


def list_models(context: CallContext, /) -> Flow[list[Model]]:
    """Lists the models that the account can use."""
    return call_and_parse(Call(endpoints.LIST_MODELS), context)


def retrieve_model(context: CallContext, /, model_id: str) -> Flow[Model]:
    """Tells of one model."""
    return call_and_parse(Call(endpoints.RETRIEVE_MODEL, ids={"model_id": model_id}), context)


def list_language_models(context: CallContext, /) -> Flow[list[Model]]:
    """Lists the language models, with modalities, prices and aliases."""
    return call_and_parse(Call(endpoints.LIST_LANGUAGE_MODELS), context)


def get_language_model(context: CallContext, /, model_id: str) -> Flow[Model]:
    """Tells of one language model."""
    return call_and_parse(Call(endpoints.GET_LANGUAGE_MODEL, ids={"model_id": model_id}), context)


def list_image_models(context: CallContext, /) -> Flow[list[Model]]:
    """Lists the models that make pictures."""
    return call_and_parse(Call(endpoints.LIST_IMAGE_MODELS), context)


def get_image_model(context: CallContext, /, model_id: str) -> Flow[Model]:
    """Tells of one model that makes pictures."""
    return call_and_parse(Call(endpoints.GET_IMAGE_MODEL, ids={"model_id": model_id}), context)


def get_api_key(context: CallContext, /) -> Flow[ApiKey]:
    """Tells of the xAI key behind the token; costs nothing, so it serves as a health check."""
    return call_and_parse(Call(endpoints.GET_API_KEY), context)


def tokenize(
    context: CallContext, /, text: str, *, model: str, **more: Any
) -> Flow[list[TextToken]]:
    """Cuts a text into the tokens of a model; their number is exact."""
    return call_and_parse(
        _post_call(endpoints.TOKENIZE_TEXT, text=text, model=model, **more), context
    )


def create_chat_completion(
    context: CallContext, /, *, model: str, messages: Sequence[Json], **more: Any
) -> Flow[Json]:
    """Asks in xAI's own words; ``ChatModel`` and the adapters speak ours.

    With ``deferred=True`` it returns a ticket: ``poll_deferred_completion`` takes its
    ``request_id``.
    """
    endpoint = _DEFERRED_COMPLETION if more.get("deferred") else endpoints.CREATE_CHAT_COMPLETION
    body = {"model": model, "messages": list(messages), **more}
    return call_and_parse(_post_call(endpoint, **body), context)


def get_deferred_completion(context: CallContext, /, request_id: str) -> Flow[Json | None]:
    """Looks once for a deferred answer; None means not yet. It can be fetched once."""
    return call_and_parse(
        Call(endpoints.GET_DEFERRED_COMPLETION, ids={"request_id": request_id}), context
    )


def poll_deferred_completion(
    context: CallContext, /, request_id: str, deferral: PollingOptions | None = None
) -> Flow[Json]:
    """Waits for a deferred answer and fetches it."""
    success = yield from poll(request_id, deferral or PollingOptions(), context)
    return context.parse(parse_object("choices"), success)


def create_message(
    context: CallContext, /, *, model: str, messages: Sequence[Json], max_tokens: int, **more: Any
) -> Flow[Json]:
    """Asks in Anthropic's words."""
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
    """Asks in the words of xAI's Responses API."""
    return call_and_parse(
        _post_call(endpoints.CREATE_RESPONSE, model=model, input=input, **more), context
    )


def retrieve_response(context: CallContext, /, response_id: str) -> Flow[Json]:
    """Fetches a stored response; xAI keeps them for 30 days."""
    return call_and_parse(
        Call(endpoints.RETRIEVE_RESPONSE, ids={"response_id": response_id}), context
    )


def delete_response(context: CallContext, /, response_id: str) -> Flow[Deletion]:
    """Deletes a stored response."""
    return call_and_parse(
        Call(endpoints.DELETE_RESPONSE, ids={"response_id": response_id}), context
    )


def create_images(context: CallContext, /, request: ImageRequest) -> Flow[ImageBatch]:
    """Makes pictures."""
    return call_and_parse(
        Call(endpoints.CREATE_IMAGE_GENERATION, json.dumps(request.render())), context
    )


def create_completion(
    context: CallContext, /, *, model: str, prompt: str | Sequence[str], **more: Any
) -> Flow[TextCompletion]:
    """Completes a text (legacy; reasoning models refuse it)."""
    return call_and_parse(
        _post_call(endpoints.CREATE_COMPLETION, model=model, prompt=prompt, **more), context
    )


def create_legacy_completion(
    context: CallContext, /, *, model: str, prompt: str, max_tokens_to_sample: int, **more: Any
) -> Flow[LegacyCompletion]:
    """Completes a text in Anthropic's old words (legacy)."""
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
    """Makes vectors of texts, where the gateway has that endpoint; its published list has not."""
    return call_and_parse(
        _post_call(endpoints.CREATE_EMBEDDINGS, model=model, input=input, **more), context
    )


def list_files(
    context: CallContext, /, *, limit: int = 100, pagination_token: str | None = None, **query: str
) -> Flow[FilePage]:
    """Lists a page of the files; ``iterate_files`` turns the pages."""
    asked = {"limit": str(limit), **query}
    if pagination_token:
        asked["pagination_token"] = pagination_token
    return call_and_parse(Call(endpoints.LIST_FILES, query=asked), context)


def get_file(context: CallContext, /, file_id: str) -> Flow[FileRecord]:
    """Tells of one file."""
    return call_and_parse(Call(endpoints.GET_FILE, ids={"file_id": file_id}), context)


def update_file(context: CallContext, /, file_id: str, **changes: Any) -> Flow[FileRecord]:
    """Changes what is told of a file, for instance its ``filename``."""
    call = Call(endpoints.UPDATE_FILE, json.dumps(changes), ids={"file_id": file_id})
    return call_and_parse(call, context)


def delete_file(context: CallContext, /, file_id: str) -> Flow[Deletion]:
    """Deletes a file."""
    return call_and_parse(Call(endpoints.DELETE_FILE, ids={"file_id": file_id}), context)


def batch_upload(context: CallContext, /, body: Mapping[str, Any]) -> Flow[BatchUpload]:
    """Begins a batch of uploads; xAI publishes no form for it, so the body is yours."""
    return call_and_parse(Call(endpoints.BATCH_UPLOAD, json.dumps(dict(body))), context)


def complete_batch_upload(
    context: CallContext, /, batch_job_id: str, body: Mapping[str, Any] | None = None
) -> Flow[BatchUpload]:
    """Ends a batch of uploads."""
    ids = {"batch_job_id": batch_job_id}
    return call_and_parse(
        Call(endpoints.COMPLETE_BATCH_UPLOAD, json.dumps(dict(body or {})), ids=ids), context
    )


def get_definition(context: CallContext, /) -> Flow[Json]:
    """Fetches the gateway's description of its endpoints; no token is sent."""
    return call_and_parse(Call(endpoints.GET_DEFINITION), context)


def get_openapi(context: CallContext, /) -> Flow[Json]:
    """Fetches the description in the new URL form, where a gateway has it; no token is sent."""
    return call_and_parse(Call(endpoints.GET_OPENAPI), context)
