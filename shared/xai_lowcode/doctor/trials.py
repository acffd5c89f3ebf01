"""The endpoints that can be tried at no cost, how each is tried, and what came of it.

Where an endpoint needs the id of something, it is asked for one that cannot exist: xAI's own "no
such thing" proves the way there as well as a success would, and nothing is read or deleted.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from xai_lowcode import codec
from xai_lowcode import operations as rows
from xai_lowcode.addresses import address, parameters, reached_provider
from xai_lowcode.doctor.watching import Exchange, Watch
from xai_lowcode.envelope import unwrap
from xai_lowcode.errors import (
    APIConnectionError,
    APIStatusError,
    RouteNotFoundError,
    UsageError,
    XAILowCodeError,
)
from xai_lowcode.operation import Form, Operation
from xai_lowcode.operations import GATEWAY_OPERATIONS
from xai_lowcode.profiles import DEFAULT_MODEL
from xai_lowcode.transport.sync_client import Client

State = Literal["ok", "failed", "note", "untried"]

# Refusals of a request that xAI did look at.
_LOOKED_AT = frozenset({400, 404, 422})


@dataclass(frozen=True, slots=True)
class Probe:
    """How one endpoint is tried.

    Attributes:
        operation: The endpoint.
        id: What its id is taken from: the answer of this list of models, or None for an id that
            cannot exist.
        body: Its JSON body; a ``model`` in it is filled in.
        query: Its query.
    """

    operation: Operation[Any]
    id: Operation[Any] | None = None
    body: Mapping[str, Any] | None = None
    query: Mapping[str, str] = field(default_factory=dict)


PROBES: tuple[Probe, ...] = (
    Probe(rows.GET_API_KEY),
    Probe(rows.LIST_MODELS),
    Probe(rows.RETRIEVE_MODEL, id=rows.LIST_MODELS),
    Probe(rows.LIST_LANGUAGE_MODELS),
    Probe(rows.GET_LANGUAGE_MODEL, id=rows.LIST_LANGUAGE_MODELS),
    Probe(rows.LIST_IMAGE_MODELS),
    Probe(rows.GET_IMAGE_MODEL, id=rows.LIST_IMAGE_MODELS),
    Probe(rows.TOKENIZE_TEXT, body={"text": "Hello world!", "model": ""}),
    Probe(rows.RETRIEVE_RESPONSE),
    Probe(rows.DELETE_RESPONSE),
    Probe(rows.GET_DEFERRED_COMPLETION),
    Probe(rows.LIST_FILES, query={"limit": "1"}),
    Probe(rows.GET_FILE),
    Probe(rows.DELETE_FILE),
    Probe(rows.DOWNLOAD_FILE),
    # After the others of the same path: a PATCH is not repeated in the other URL form.
    Probe(rows.UPDATE_FILE, body={"filename": "xai-lowcode-doctor"}),
)
"""In the order of trying; the first two tell whether anybody answers at all."""

_UPLOADS = (
    rows.INITIALIZE_UPLOAD,
    rows.UPLOAD_CHUNK,
    rows.BATCH_UPLOAD,
    rows.COMPLETE_BATCH_UPLOAD,
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request of a trial.

    Attributes:
        form: Its URL form; None where both are the same.
        exchange: What went over the wire.
    """

    form: Form | None
    exchange: Exchange = field(repr=False)

    @property
    def status(self) -> int | None:
        """HTTP status; None if no answer came."""
        return self.exchange.status

    @property
    def seconds(self) -> float | None:
        """How long it took; None if no answer came."""
        return self.exchange.seconds


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of trying one endpoint.

    Attributes:
        operation: The endpoint.
        state: ``"ok"``, ``"failed"``, ``"note"`` (it answers, but not clearly) or ``"untried"``.
        said: The same in a few words.
        attempts: The requests that were made.
        envelope: What was around a success.
        error: What it failed with, if it did; xAI's "no such thing" is none.
        answer: What came back.
        reached: Whether xAI itself was reached.
    """

    operation: Operation[Any]
    state: State
    said: str
    attempts: tuple[Attempt, ...] = ()
    envelope: str | None = None
    error: XAILowCodeError | None = None
    answer: Any = field(default=None, repr=False)
    reached: bool = False

    @property
    def form(self) -> Form | None:
        """The URL form that led to an answer of xAI; None where both are the same."""
        return self.attempts[-1].form if self.attempts and self.reached else None


def untried(operation: Operation[Any], reason: str = "") -> Trial:
    """An endpoint that is left alone."""
    cause = "leaves a file behind" if operation in _UPLOADS else "costs"
    return Trial(operation, "untried", reason or cause)


def left_alone(tried: set[str]) -> list[Trial]:
    """The endpoints that no probe tries."""
    return [untried(row) for row in GATEWAY_OPERATIONS if row.name not in tried]


def try_endpoint(client: Client, watch: Watch, probe: Probe, ids: Mapping[str, str]) -> Trial:
    """Tries one endpoint; whatever goes wrong is part of the result.

    Args:
        client: Sends through the watched HTTP client.
        watch: The watch.
        probe: How to try it.
        ids: Ids of models by the name of the list they stand in.
    """
    body = probe.body
    if body is not None and "model" in body:
        body = {**body, "model": ids.get(rows.LIST_LANGUAGE_MODELS.name, DEFAULT_MODEL)}
    operation, before = probe.operation, len(watch.exchanges)
    given = {name: _id(probe, name, ids) for name in parameters(operation)}
    error, answer = None, None
    try:
        answer = client.call(operation, body=body, ids=given, query=probe.query)
    except XAILowCodeError as failed:
        error = failed
    exchanges = watch.exchanges[before:]
    attempts = tuple(
        Attempt(_form(operation, exchange, given, probe.query), exchange) for exchange in exchanges
    )
    if error is None:
        envelope = envelope_of(exchanges[-1], operation)
        return Trial(operation, "ok", "works", attempts, envelope, None, answer, reached=True)
    state, said = _judged(error, made_up=bool(given) and probe.id is None)
    kept = None if state == "ok" else error
    reached = state == "ok" or reached_provider(error)
    return Trial(operation, state, said, attempts, None, kept, None, reached)


def envelope_of(exchange: Exchange, operation: Operation[Any]) -> str | None:
    """The envelope of a success as it came: ``result``, ``data`` or ``bare``."""
    try:
        document = codec.load(exchange.content)
    except codec.JSONDecodeError:
        return None
    body = unwrap(document, own_data=operation.own_data).body
    if body is document:
        return "bare"
    return next(key for key in ("result", "data") if document.get(key) is body)


def told(error: XAILowCodeError) -> str:
    """An error in three words: its status and who made it."""
    if isinstance(error, APIConnectionError):
        return "no answer"
    if isinstance(error, APIStatusError):
        maker = {"provider": "by xAI", "gateway": "by the gateway"}.get(error.maker, "")
        return f"{error.status_code} {maker}".strip()
    return "not sent" if isinstance(error, UsageError) else "cannot be read"


def _judged(error: XAILowCodeError, *, made_up: bool) -> tuple[State, str]:
    looked_at = made_up and error.status_code in _LOOKED_AT
    looked_at = looked_at and not isinstance(error, RouteNotFoundError)
    if looked_at and error.maker == "provider":
        return "ok", "xAI: no such id"
    if looked_at and error.maker == "unknown":
        return "note", f"{error.status_code} by whom?"
    return "failed", told(error)


def _id(probe: Probe, name: str, ids: Mapping[str, str]) -> str:
    if probe.id is not None:
        return ids.get(probe.id.name, DEFAULT_MODEL)
    nobody = str(uuid.uuid4())
    return f"file_{nobody}" if name == "file_id" else nobody


def _form(
    operation: Operation[Any], exchange: Exchange, ids: Mapping[str, str], query: Mapping[str, str]
) -> Form | None:
    if not ids:
        return None
    return "new" if exchange.path.endswith(address(operation, "new", ids, query)) else "old"
