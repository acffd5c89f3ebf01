"""A readable word for each endpoint: what to say, and what comes back.

Each is a flow of steps that either client drives, so a word is written once and both speak it
(``gateway``). Keyword arguments beyond those named go into the request body as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from xai_lowcode._internal import json
from xai_lowcode.api import endpoints as chats
from xai_lowcode.api import endpoints as rows
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
_DEFERRED_COMPLETION = replace(chats.CREATE_CHAT_COMPLETION, parse=parse_object("request_id"))


def _post_call(operation: Endpoint[Any], /, **body: Any) -> Call[Any]:
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
    return Call(operation, json.dumps(given))


def list_models(session: CallContext, /) -> Flow[list[Model]]:
    """Lists the models that the account can use."""
    return call_and_parse(Call(rows.LIST_MODELS), session)


def retrieve_model(session: CallContext, /, model_id: str) -> Flow[Model]:
    """Tells of one model."""
    return call_and_parse(Call(rows.RETRIEVE_MODEL, ids={"model_id": model_id}), session)


def list_language_models(session: CallContext, /) -> Flow[list[Model]]:
    """Lists the language models, with modalities, prices and aliases."""
    return call_and_parse(Call(rows.LIST_LANGUAGE_MODELS), session)


def get_language_model(session: CallContext, /, model_id: str) -> Flow[Model]:
    """Tells of one language model."""
    return call_and_parse(Call(rows.GET_LANGUAGE_MODEL, ids={"model_id": model_id}), session)


def list_image_models(session: CallContext, /) -> Flow[list[Model]]:
    """Lists the models that make pictures."""
    return call_and_parse(Call(rows.LIST_IMAGE_MODELS), session)


def get_image_model(session: CallContext, /, model_id: str) -> Flow[Model]:
    """Tells of one model that makes pictures."""
    return call_and_parse(Call(rows.GET_IMAGE_MODEL, ids={"model_id": model_id}), session)


def get_api_key(session: CallContext, /) -> Flow[ApiKey]:
    """Tells of the xAI key behind the token; costs nothing, so it serves as a health check."""
    return call_and_parse(Call(rows.GET_API_KEY), session)


def tokenize(
    session: CallContext, /, text: str, *, model: str, **more: Any
) -> Flow[list[TextToken]]:
    """Cuts a text into the tokens of a model; their number is exact."""
    return call_and_parse(_post_call(rows.TOKENIZE_TEXT, text=text, model=model, **more), session)


def create_chat_completion(
    session: CallContext, /, *, model: str, messages: Sequence[Json], **more: Any
) -> Flow[Json]:
    """Asks in xAI's own words; ``ChatModel`` and the adapters speak ours.

    With ``deferred=True`` it returns a ticket: ``poll_deferred_completion`` takes its
    ``request_id``.
    """
    operation = _DEFERRED_COMPLETION if more.get("deferred") else chats.CREATE_CHAT_COMPLETION
    body = {"model": model, "messages": list(messages), **more}
    return call_and_parse(_post_call(operation, **body), session)


def get_deferred_completion(session: CallContext, /, request_id: str) -> Flow[Json | None]:
    """Looks once for a deferred answer; None means not yet. It can be fetched once."""
    return call_and_parse(
        Call(rows.GET_DEFERRED_COMPLETION, ids={"request_id": request_id}), session
    )


def poll_deferred_completion(
    session: CallContext, /, request_id: str, deferral: PollingOptions | None = None
) -> Flow[Json]:
    """Waits for a deferred answer and fetches it."""
    settled = yield from poll(request_id, deferral or PollingOptions(), session)
    return session.read(parse_object("choices"), settled)


def create_message(
    session: CallContext, /, *, model: str, messages: Sequence[Json], max_tokens: int, **more: Any
) -> Flow[Json]:
    """Asks in Anthropic's words."""
    body = {"model": model, "messages": list(messages), "max_tokens": max_tokens, **more}
    return call_and_parse(_post_call(chats.CREATE_MESSAGE, **body), session)


def create_response(
    session: CallContext,
    /,
    *,
    model: str,
    input: str | Sequence[Json],  # noqa: A002 - xAI's name
    **more: Any,
) -> Flow[Json]:
    """Asks in the words of xAI's Responses API."""
    return call_and_parse(
        _post_call(chats.CREATE_RESPONSE, model=model, input=input, **more), session
    )


def retrieve_response(session: CallContext, /, response_id: str) -> Flow[Json]:
    """Fetches a stored response; xAI keeps them for 30 days."""
    return call_and_parse(Call(rows.RETRIEVE_RESPONSE, ids={"response_id": response_id}), session)


def delete_response(session: CallContext, /, response_id: str) -> Flow[Deletion]:
    """Deletes a stored response."""
    return call_and_parse(Call(rows.DELETE_RESPONSE, ids={"response_id": response_id}), session)


def create_images(session: CallContext, /, request: ImageRequest) -> Flow[ImageBatch]:
    """Makes pictures."""
    return call_and_parse(Call(rows.CREATE_IMAGE_GENERATION, json.dumps(request.render())), session)


def create_completion(
    session: CallContext, /, *, model: str, prompt: str | Sequence[str], **more: Any
) -> Flow[TextCompletion]:
    """Completes a text (legacy; reasoning models refuse it)."""
    return call_and_parse(
        _post_call(rows.CREATE_COMPLETION, model=model, prompt=prompt, **more), session
    )


def create_legacy_completion(
    session: CallContext, /, *, model: str, prompt: str, max_tokens_to_sample: int, **more: Any
) -> Flow[LegacyCompletion]:
    """Completes a text in Anthropic's old words (legacy)."""
    body = {"prompt": prompt, "max_tokens_to_sample": max_tokens_to_sample, **more}
    return call_and_parse(_post_call(rows.CREATE_LEGACY_COMPLETION, model=model, **body), session)


def create_embeddings(
    session: CallContext,
    /,
    *,
    model: str,
    input: str | Sequence[str],  # noqa: A002 - xAI's name
    **more: Any,
) -> Flow[Embeddings]:
    """Makes vectors of texts, where the gateway has that endpoint; its published list has not."""
    return call_and_parse(
        _post_call(rows.CREATE_EMBEDDINGS, model=model, input=input, **more), session
    )


def list_files(
    session: CallContext, /, *, limit: int = 100, pagination_token: str | None = None, **query: str
) -> Flow[FilePage]:
    """Lists a page of the files; ``iterate_files`` turns the pages."""
    asked = {"limit": str(limit), **query}
    if pagination_token:
        asked["pagination_token"] = pagination_token
    return call_and_parse(Call(rows.LIST_FILES, query=asked), session)


def get_file(session: CallContext, /, file_id: str) -> Flow[FileRecord]:
    """Tells of one file."""
    return call_and_parse(Call(rows.GET_FILE, ids={"file_id": file_id}), session)


def update_file(session: CallContext, /, file_id: str, **changes: Any) -> Flow[FileRecord]:
    """Changes what is told of a file, for instance its ``filename``."""
    call = Call(rows.UPDATE_FILE, json.dumps(changes), ids={"file_id": file_id})
    return call_and_parse(call, session)


def delete_file(session: CallContext, /, file_id: str) -> Flow[Deletion]:
    """Deletes a file."""
    return call_and_parse(Call(rows.DELETE_FILE, ids={"file_id": file_id}), session)


def batch_upload(session: CallContext, /, body: Mapping[str, Any]) -> Flow[BatchUpload]:
    """Begins a batch of uploads; xAI publishes no form for it, so the body is yours."""
    return call_and_parse(Call(rows.BATCH_UPLOAD, json.dumps(dict(body))), session)


def complete_batch_upload(
    session: CallContext, /, batch_job_id: str, body: Mapping[str, Any] | None = None
) -> Flow[BatchUpload]:
    """Ends a batch of uploads."""
    ids = {"batch_job_id": batch_job_id}
    return call_and_parse(
        Call(rows.COMPLETE_BATCH_UPLOAD, json.dumps(dict(body or {})), ids=ids), session
    )


def get_definition(session: CallContext, /) -> Flow[Json]:
    """Fetches the gateway's description of its endpoints; no token is sent."""
    return call_and_parse(Call(rows.GET_DEFINITION), session)


def get_openapi(session: CallContext, /) -> Flow[Json]:
    """Fetches the description in the new URL form, where a gateway has it; no token is sent."""
    return call_and_parse(Call(rows.GET_OPENAPI), session)


def learn_url_forms(session: CallContext, /) -> Flow[int]:
    """Takes over the gateway's own parameter names for the old URL form from its definition.

    Returns:
        How many endpoints with ids were found in it.
    """
    definition = yield from get_definition(session)
    return session.forms.learn(rows.GATEWAY_ENDPOINTS, definition)
