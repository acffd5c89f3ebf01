"""Checks of single endpoints."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Literal

from xai_lowcode._internal import json
from xai_lowcode.api import endpoints
from xai_lowcode.chat.dialect_selection import get_dialect
from xai_lowcode.chat.profiles import DEFAULT_MODEL
from xai_lowcode.chat.stream_reader import StreamReader
from xai_lowcode.errors import (
    APIConnectionError,
    APIStatusError,
    RouteNotFoundError,
    UsageError,
    XAILowCodeError,
)
from xai_lowcode.protocol.call_flow import call_and_parse
from xai_lowcode.protocol.endpoint import Endpoint, UrlFormat
from xai_lowcode.protocol.envelope import unwrap
from xai_lowcode.protocol.steps import Call, Flow, RequestFailed, SendRequest
from xai_lowcode.protocol.urls import (
    FRONT_STATUSES,
    is_provider_error,
    may_have_crashed,
    path_parameters,
)
from xai_lowcode.transport.sync_client import SyncAPIClient
from xai_lowcode.types.events import StreamEvent, UsageReported
from xai_lowcode.types.images import DEFAULT_IMAGE_MODEL
from xai_lowcode.types.messages import Message, TextPart
from xai_lowcode.types.requests import Api, ChatRequest

State = Literal["ok", "failed", "warning", "unknown"]

# Seconds. A buffered body arrives at once, possibly in several chunks. In a response shorter
# than half a second, whose chunks may arrive together, only a Content-Length shows it.
_BUFFERED_BODY = 0.05
_SHORT_RESPONSE = 0.5


@dataclass(frozen=True, slots=True)
class EndpointCheck:
    """How to call an endpoint at no cost.

    Attributes:
        endpoint: The endpoint.
        ids_from: The model list that its path parameter is taken from; None for a random id, which
            xAI must report as not found.
        body: JSON body; an empty string in it is replaced by a model id.
        query: Query parameters.
    """

    endpoint: Endpoint[Any]
    ids_from: Endpoint[Any] | None = None
    body: Mapping[str, Any] | None = None
    query: Mapping[str, str] = field(default_factory=dict)


ENDPOINT_CHECKS: tuple[EndpointCheck, ...] = (
    EndpointCheck(endpoints.GET_API_KEY),
    EndpointCheck(endpoints.LIST_MODELS),
    EndpointCheck(endpoints.RETRIEVE_MODEL, ids_from=endpoints.LIST_MODELS),
    EndpointCheck(endpoints.LIST_LANGUAGE_MODELS),
    EndpointCheck(endpoints.GET_LANGUAGE_MODEL, ids_from=endpoints.LIST_LANGUAGE_MODELS),
    EndpointCheck(endpoints.LIST_IMAGE_MODELS),
    EndpointCheck(endpoints.GET_IMAGE_MODEL, ids_from=endpoints.LIST_IMAGE_MODELS),
    EndpointCheck(endpoints.TOKENIZE_TEXT, body={"text": "Hello world!", "model": ""}),
    EndpointCheck(endpoints.RETRIEVE_RESPONSE),
    EndpointCheck(endpoints.DELETE_RESPONSE),
    EndpointCheck(endpoints.GET_DEFERRED_COMPLETION),
    EndpointCheck(endpoints.LIST_FILES, query={"limit": "1"}),
    EndpointCheck(endpoints.GET_FILE),
    EndpointCheck(endpoints.DELETE_FILE),
    EndpointCheck(endpoints.DOWNLOAD_FILE),
    # After the others of the same path: a PATCH is repeated in the other URL format only if the
    # gateway has no such route.
    EndpointCheck(endpoints.UPDATE_FILE, body={"filename": "xai-lowcode-doctor"}),
)
"""The free checks, in order."""


PAID_CHECKS: tuple[EndpointCheck, ...] = (
    EndpointCheck(
        endpoints.CREATE_MESSAGE,
        body={
            "model": "",
            "messages": [{"role": "user", "content": "Say hello."}],
            "max_tokens": 16,
        },
    ),
    EndpointCheck(
        endpoints.CREATE_IMAGE_GENERATION, body={"model": "", "prompt": "A circle", "n": 1}
    ),
)
"""The checks that cost money, besides the streamed ones."""

STREAMED_APIS: tuple[Api, ...] = ("responses", "chat_completions")
"""The APIs that ``check_streaming`` checks: the default one first."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request of a check; ``status`` is None without a response."""

    url_format: UrlFormat | None
    status: int | None
    seconds: float
    may_have_crashed: bool = False
    # Not in the repr: a response can quote the token.
    content: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of checking one endpoint.

    Attributes:
        endpoint: The endpoint.
        state: ``"ok"``, ``"failed"``, ``"warning"`` for an error of unknown source, or
            ``"unknown"`` if it was not called.
        summary: The result in a few words.
        attempts: The requests that were sent.
        error: The error, if there was one.
        response: The parsed response; for a streamed one a sentence about how it arrived.
    """

    endpoint: Endpoint[Any]
    state: State
    summary: str
    attempts: Sequence[Attempt]
    error: XAILowCodeError | None = None
    response: Any = field(default=None, repr=False)

    @property
    def reached_xai(self) -> bool:
        """Whether xAI itself responded."""
        if self.error is not None:
            return is_provider_error(self.error)
        return bool(self.attempts)

    @property
    def crashed_in_both_formats(self) -> bool:
        """Whether the gateway may have crashed at both URL formats of the endpoint."""
        formats = {item.url_format for item in self.attempts if item.may_have_crashed}
        return not self.reached_xai and {"new", "old"} <= formats

    @property
    def envelope(self) -> str | None:
        """Envelope of a successful response: ``result``, ``data`` or ``bare``; None if unknown."""
        document = b"" if self.response is None else _parse_json(self.attempts[-1].content)
        if isinstance(document, bytes):
            return None
        body = unwrap(document, body_has_data_key=self.endpoint.body_has_data_key).body
        keys = (key for key in ("result", "data") if body is not document)
        return next((key for key in keys if document.get(key) is body), "bare")


def run_check(
    client: SyncAPIClient, check: EndpointCheck, model_ids: Mapping[str, str]
) -> CheckResult:
    """Call an endpoint and return the result; an error is part of the result.

    ``model_ids`` has one model id for each endpoint that lists models, by its name.
    """
    endpoint, body, ids = check.endpoint, None, {}
    if check.body is not None:
        is_image = endpoint is endpoints.CREATE_IMAGE_GENERATION
        listing = endpoints.LIST_IMAGE_MODELS if is_image else endpoints.LIST_LANGUAGE_MODELS
        model = model_ids.get(listing.name, DEFAULT_IMAGE_MODEL if is_image else DEFAULT_MODEL)
        body = json.dumps(
            {key: model if value == "" else value for key, value in check.body.items()}
        )
    for name in path_parameters(endpoint):
        random_id = f"file_{uuid.uuid4()}" if name == "file_id" else str(uuid.uuid4())
        source = check.ids_from
        ids[name] = model_ids.get(source.name, DEFAULT_MODEL) if source else random_id
    attempts: list[Attempt] = []
    flow = call_and_parse(Call(endpoint, body, ids, check.query), client.context)
    try:
        response = client.execute(_record(flow, attempts))
    except XAILowCodeError as error:
        is_unknown_id = (
            ids
            and check.ids_from is None
            and error.status_code in {400, 404, 422}
            and not isinstance(error, RouteNotFoundError)
        )
        if is_unknown_id and error.source == "provider":
            return CheckResult(endpoint, "ok", "xAI: id not found", attempts)
        state: State = "warning" if is_unknown_id and error.source == "unknown" else "failed"
        return CheckResult(endpoint, state, _summarize_error(error), attempts, error)
    return CheckResult(endpoint, "ok", "works", attempts, response=response)


def _record(flow: Flow[Any], attempts: list[Attempt]) -> Flow[Any]:
    """Pass the steps of a flow on, and append an attempt for each request."""
    outcome = None
    while True:
        try:
            step = flow.send(outcome)
        except StopIteration as stop:
            return stop.value
        start = monotonic()
        outcome = yield step
        if isinstance(step, SendRequest):
            url_format = step.url_format if step.call.ids else None
            status, content = getattr(outcome, "status", None), getattr(outcome, "content", None)
            seconds = round(monotonic() - start, 4)
            crashed = status in FRONT_STATUSES
            if isinstance(outcome, RequestFailed):
                crashed = may_have_crashed(outcome.error)
            attempts.append(Attempt(url_format, status, seconds, crashed, content or b""))


def check_streaming(client: SyncAPIClient, model: str, api: Api) -> CheckResult:
    """Request one short streamed response, which costs money, and return how it arrived."""
    prompt = Message("user", (TextPart("Count from one to twenty in words."),))
    request = ChatRequest(model=model, messages=(prompt,), max_tokens=60, api=api)
    dialect = get_dialect(api)
    call = Call(dialect.endpoint, json.dumps(dialect.render(request, stream=True)), stream=True)
    reader, retry_state = StreamReader(dialect), client.context.new_retry_state()
    chunks: list[tuple[float, bytes]] = []
    events: list[StreamEvent] = []
    start = monotonic()
    try:
        for chunk in client.stream(call, retry_state=retry_state):
            chunks.append((monotonic() - start, chunk))
            events += reader.feed(chunk)
        events += reader.close()
    except XAILowCodeError as error:
        error.redact_token(client.context.token)
        attempt = Attempt(None, error.status_code, round(monotonic() - start, 4))
        return CheckResult(call.endpoint, "failed", _summarize_error(error), [attempt], error)
    content = b"".join(chunk for _, chunk in chunks)
    first, last = chunks[0][0], chunks[-1][0]
    has_length = "content-length" in retry_state.headers
    body = unwrap(_parse_json(content)).body
    mode = "buffered, all at once"
    if isinstance(body, str):
        mode += ", as a string inside JSON"
    elif not isinstance(body, bytes):
        mode = "not streamed, a plain JSON response"
    elif not has_length and (last < _SHORT_RESPONSE or last - first > _BUFFERED_BODY):
        mode = "live, chunk by chunk"
    costs = [event.usage.cost_usd for event in events if isinstance(event, UsageReported)]
    cost = f", cost ${costs[-1]:.6f}" if costs and costs[-1] is not None else ""
    times = f"first chunk after {first * 1000:.0f} ms, last after {last * 1000:.0f} ms"
    attempts = [Attempt(None, 200, round(last, 4), content=content)]
    delivery = f"{mode} ({times}{cost})"
    return CheckResult(call.endpoint, "ok", "works, streamed", attempts, response=delivery)


def _parse_json(content: bytes) -> Any:
    """Return the value of a JSON document, or the content itself if it is not JSON."""
    try:
        return json.loads(content)
    except json.JSONDecodeError:
        return content


def _summarize_error(error: XAILowCodeError) -> str:
    """Return the status and the source of an error, for instance ``"404 from the gateway"``."""
    if isinstance(error, APIConnectionError):
        return "incomplete response" if error.response_started else "no response"
    if isinstance(error, APIStatusError):
        sources = {"provider": "from xAI", "gateway": "from the gateway"}
        return f"{error.status_code} {sources.get(error.source, '(source unknown)')}"
    return "not sent" if isinstance(error, UsageError) else "invalid response"
