"""What the trials tell of token, account, address, URL form and envelope, in a sentence each.

Every finding asks all trials: an endpoint that is missing on one gateway must not hide what the
others have shown.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal, TypeVar

from xai_lowcode._internal import json
from xai_lowcode.api import endpoints as rows
from xai_lowcode.api.endpoints import GATEWAY_ENDPOINTS
from xai_lowcode.chat.profiles import DEFAULT_MODEL
from xai_lowcode.diagnostics.recorder import ExchangeRecorder, RecordedExchange, Streaming
from xai_lowcode.errors import (
    TOKEN_SOURCE,
    AccountNotConnectedError,
    APIConnectionError,
    APIStatusError,
    AuthenticationError,
    CreditsExhaustedError,
    RouteNotFoundError,
    UsageError,
    XAILowCodeError,
)
from xai_lowcode.protocol.endpoint import Endpoint, UrlFormat
from xai_lowcode.protocol.envelope import unwrap
from xai_lowcode.protocol.urls import build_path, is_provider_error, path_parameters
from xai_lowcode.transport.sync_client import SyncAPIClient
from xai_lowcode.types.resources import ApiKey

State = Literal["ok", "failed", "note", "untried"]

# Refusals of a request that xAI did look at.
_LOOKED_AT = frozenset({400, 404, 422})


@dataclass(frozen=True, slots=True)
class EndpointCheck:
    """How one endpoint is tried.

    Attributes:
        endpoint: The endpoint.
        id: What its id is taken from: the answer of this list of models, or None for an id that
            cannot exist.
        body: Its JSON body; a ``model`` in it is filled in.
        query: Its query.
    """

    endpoint: Endpoint[Any]
    id: Endpoint[Any] | None = None
    body: Mapping[str, Any] | None = None
    query: Mapping[str, str] = field(default_factory=dict)


ENDPOINT_CHECKS: tuple[EndpointCheck, ...] = (
    EndpointCheck(rows.GET_API_KEY),
    EndpointCheck(rows.LIST_MODELS),
    EndpointCheck(rows.RETRIEVE_MODEL, id=rows.LIST_MODELS),
    EndpointCheck(rows.LIST_LANGUAGE_MODELS),
    EndpointCheck(rows.GET_LANGUAGE_MODEL, id=rows.LIST_LANGUAGE_MODELS),
    EndpointCheck(rows.LIST_IMAGE_MODELS),
    EndpointCheck(rows.GET_IMAGE_MODEL, id=rows.LIST_IMAGE_MODELS),
    EndpointCheck(rows.TOKENIZE_TEXT, body={"text": "Hello world!", "model": ""}),
    EndpointCheck(rows.RETRIEVE_RESPONSE),
    EndpointCheck(rows.DELETE_RESPONSE),
    EndpointCheck(rows.GET_DEFERRED_COMPLETION),
    EndpointCheck(rows.LIST_FILES, query={"limit": "1"}),
    EndpointCheck(rows.GET_FILE),
    EndpointCheck(rows.DELETE_FILE),
    EndpointCheck(rows.DOWNLOAD_FILE),
    # After the others of the same path: a PATCH is not repeated in the other URL form.
    EndpointCheck(rows.UPDATE_FILE, body={"filename": "xai-lowcode-doctor"}),
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

    form: UrlFormat | None
    exchange: RecordedExchange = field(repr=False)

    @property
    def status(self) -> int | None:
        """HTTP status; None if no answer came."""
        return self.exchange.status

    @property
    def seconds(self) -> float | None:
        """How long it took; None if no answer came."""
        return self.exchange.seconds


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What came of trying one endpoint.

    Attributes:
        endpoint: The endpoint.
        state: ``"ok"``, ``"failed"``, ``"note"`` (it answers, but not clearly) or ``"untried"``.
        said: The same in a few words.
        attempts: The requests that were made.
        envelope: What was around a success.
        error: What it failed with, if it did; xAI's "no such thing" is none.
        answer: What came back.
        request_sent: Whether xAI itself was request_sent.
    """

    endpoint: Endpoint[Any]
    state: State
    said: str
    attempts: tuple[Attempt, ...] = ()
    envelope: str | None = None
    error: XAILowCodeError | None = None
    answer: Any = field(default=None, repr=False)
    request_sent: bool = False

    @property
    def form(self) -> UrlFormat | None:
        """The URL form that led to an answer of xAI; None where both are the same."""
        return self.attempts[-1].form if self.attempts and self.request_sent else None


def skipped(endpoint: Endpoint[Any], reason: str = "") -> CheckResult:
    """An endpoint that is left alone."""
    cause = "leaves a file behind" if endpoint in _UPLOADS else "costs"
    return CheckResult(endpoint, "untried", reason or cause)


def skipped_checks(tried: set[str]) -> list[CheckResult]:
    """The endpoints that no probe tries."""
    return [skipped(row) for row in GATEWAY_ENDPOINTS if row.name not in tried]


def run_check(
    client: SyncAPIClient, watch: ExchangeRecorder, probe: EndpointCheck, ids: Mapping[str, str]
) -> CheckResult:
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
    endpoint, before = probe.endpoint, len(watch.exchanges)
    given = {name: _id(probe, name, ids) for name in path_parameters(endpoint)}
    error, answer = None, None
    try:
        answer = client.call(endpoint, body=body, ids=given, query=probe.query)
    except XAILowCodeError as failed:
        error = failed
    exchanges = watch.exchanges[before:]
    attempts = tuple(
        Attempt(_form(endpoint, exchange, given, probe.query), exchange) for exchange in exchanges
    )
    if error is None:
        envelope = envelope_of(exchanges[-1], endpoint)
        return CheckResult(
            endpoint, "ok", "works", attempts, envelope, None, answer, request_sent=True
        )
    state, said = _judge(error, made_up=bool(given) and probe.id is None)
    kept = None if state == "ok" else error
    request_sent = state == "ok" or is_provider_error(error)
    return CheckResult(endpoint, state, said, attempts, None, kept, None, request_sent)


def envelope_of(exchange: RecordedExchange, endpoint: Endpoint[Any]) -> str | None:
    """The envelope of a success as it came: ``result``, ``data`` or ``bare``."""
    try:
        document = json.loads(exchange.content)
    except json.JSONDecodeError:
        return None
    body = unwrap(document, body_has_data_key=endpoint.body_has_data_key).body
    if body is document:
        return "bare"
    return next(key for key in ("result", "data") if document.get(key) is body)


def short_status(error: XAILowCodeError) -> str:
    """An error in three words: its status and who made it."""
    if isinstance(error, APIConnectionError):
        return "no answer"
    if isinstance(error, APIStatusError):
        maker = {"provider": "by xAI", "gateway": "by the gateway"}.get(error.source, "")
        return f"{error.status_code} {maker}".strip()
    return "not sent" if isinstance(error, UsageError) else "cannot be read"


def _judge(error: XAILowCodeError, *, made_up: bool) -> tuple[State, str]:
    looked_at = made_up and error.status_code in _LOOKED_AT
    looked_at = looked_at and not isinstance(error, RouteNotFoundError)
    if looked_at and error.source == "provider":
        return "ok", "xAI: no such id"
    if looked_at and error.source == "unknown":
        return "note", f"{error.status_code} by whom?"
    return "failed", short_status(error)


def _id(probe: EndpointCheck, name: str, ids: Mapping[str, str]) -> str:
    if probe.id is not None:
        return ids.get(probe.id.name, DEFAULT_MODEL)
    nobody = str(uuid.uuid4())
    return f"file_{nobody}" if name == "file_id" else nobody


def _form(
    endpoint: Endpoint[Any],
    exchange: RecordedExchange,
    ids: Mapping[str, str],
    query: Mapping[str, str],
) -> UrlFormat | None:
    if not ids:
        return None
    return "new" if exchange.path.endswith(build_path(endpoint, "new", ids, query)) else "old"


E = TypeVar("E", bound=XAILowCodeError)

KEYS = "https://console.x.ai"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the diagnosis.

    Attributes:
        name: What it is about.
        state: ``"ok"``, ``"failed"``, ``"note"`` or ``"untried"`` (which includes "not known").
        text: What was found.
        hint: What to do about it.
    """

    name: str
    state: State
    text: str
    hint: str | None = None


def _failed(name: str, error: XAILowCodeError) -> Finding:
    return Finding(name, "failed", error.message, error.hint)


def _unknown(name: str) -> Finding:
    return Finding(name, "untried", "not known")


def first_error(
    trials: Sequence[CheckResult], kind: type[E], fits: Callable[[E], bool] = lambda _: True
) -> E | None:
    """The first error of a kind."""
    errors = (trial.error for trial in trials)
    return next((error for error in errors if isinstance(error, kind) and fits(error)), None)


def token(trials: Sequence[CheckResult]) -> Finding:
    """Whether the gateway accepts the token."""
    refusal = first_error(trials, AuthenticationError, lambda error: error.source != "provider")
    if refusal is not None:
        return Finding("token", "failed", refusal.message, refusal.hint or TOKEN_SOURCE)
    if request_sent(trials) or first_error(trials, AccountNotConnectedError):
        return Finding("token", "ok", "accepted by the gateway")
    return _unknown("token")


def account(trials: Sequence[CheckResult]) -> Finding:
    """Whether xAI is connected to the token's account."""
    if refusal := first_error(trials, AccountNotConnectedError):
        return _failed("account", refusal)
    if request_sent(trials):
        return Finding("account", "ok", "xAI is connected")
    return _unknown("account")


def key(trials: Sequence[CheckResult]) -> Finding:
    """Whether xAI accepts the key that is stored in the account."""
    if refusal := first_error(
        trials, AuthenticationError, lambda error: error.source == "provider"
    ):
        return _failed("xAI key", refusal)
    record = _key_record(trials)
    if record is not None and (record.api_key_blocked or record.api_key_disabled):
        state = "blocked" if record.api_key_blocked else "disabled"
        return Finding("xAI key", "failed", f"the key is {state}", f"Renew it at {KEYS}.")
    if record is not None or any(trial.answer is not None for trial in trials):
        return Finding("xAI key", "ok", "accepted by xAI")
    return _unknown("xAI key")


def team(trials: Sequence[CheckResult]) -> Finding:
    """Whether the xAI team may use the service, as far as that shows without spending."""
    if refusal := first_error(trials, CreditsExhaustedError):
        return _failed("xAI team", refusal)
    record = _key_record(trials)
    if record is None:
        return _unknown("xAI team")
    if record.team_blocked:
        hint = f"See billing and limits at {KEYS}."
        return Finding("xAI team", "failed", "the team is blocked", hint)
    return Finding("xAI team", "ok", "not blocked")


def base_url(trials: Sequence[CheckResult], build_path: str) -> Finding:
    """Whether a gateway answers at the address."""
    tried = [trial for trial in trials if trial.attempts]
    statuses = [attempt.status for trial in tried for attempt in trial.attempts]
    if not any(statuses):
        error = next((trial.error for trial in tried if trial.error), None)
        return Finding("base URL", "failed", error.message if error else "no answer", _CHECK)
    if all(isinstance(trial.error, RouteNotFoundError) for trial in tried):
        text = f"{build_path} answers, but has none of the endpoints"
        return Finding("base URL", "failed", text, "It should end in /xai, the provider's name.")
    return Finding("base URL", "ok", f"{build_path} answers")


_CHECK = "Check base_url, the network and proxies; then run the doctor again."


def url_form(trials: Sequence[CheckResult]) -> Finding:
    """Which URL form the endpoints with an id are served in, and why the other was left."""
    forms = Counter(trial.form for trial in trials if trial.form)
    if not forms:
        return _unknown("URL form")
    left = Counter(
        f"{attempt.form} was tried first and {_values(attempt)}"
        for trial in trials
        for attempt in trial.attempts
        if trial.form and attempt.form != trial.form
    )
    parts = [f"{form} at {number}" for form, number in forms.most_common()]
    text = "; ".join([f"{' and '.join(parts)} endpoints with an id", *left])
    return Finding("URL form", "ok" if len(forms) == 1 else "note", text)


def _values(attempt: Attempt) -> str:
    return f"got {attempt.status}" if attempt.status else "the connection was dropped"


def envelope(trials: Sequence[CheckResult]) -> Finding:
    """What was around the answers."""
    seen = Counter(trial.envelope for trial in trials if trial.envelope)
    if not seen:
        return Finding("envelope", "untried", "not seen: nothing succeeded")
    text = ", ".join(f"{kind} ({_count(number, 'answer')})" for kind, number in seen.most_common())
    return Finding("envelope", "ok" if len(seen) == 1 else "note", text)


def latency(trials: Sequence[CheckResult]) -> Finding:
    """How long whole answers took."""
    times = [
        attempt.seconds * 1000
        for trial in trials
        for attempt in trial.attempts
        if attempt.seconds is not None
    ]
    if not times:
        return _unknown("latency")
    text = f"median {median(times):.0f} ms, {min(times):.0f} to {max(times):.0f} ms"
    return Finding("latency", "ok", f"{text} ({_count(len(times), 'answer')})")


def definition(trial: CheckResult | None, build_path: str) -> Finding:
    """Whether the gateway's description of itself can be had; nothing depends on it."""
    if trial is None:
        return _unknown("definition")
    if trial.error is not None:
        text = f"not at {build_path}/definition ({trial.said}); nothing depends on it"
        return Finding("definition", "note", text)
    number = sum(len(methods) for methods in trial.answer["paths"].values())
    text = f"{_count(number, 'endpoint')} at {build_path}/definition"
    return Finding("definition", "ok", text)


def streaming(
    seen: Streaming | None, error: XAILowCodeError | None, *, cost_usd: float | None
) -> Finding:
    """How a streamed answer came."""
    if error is not None:
        return _failed("streaming", error)
    if seen is None:
        text = "not tried, since it costs a fraction of a cent; --spend tries it"
        return Finding("streaming", "untried", text)
    wrapped = f", each chunk wrapped in {seen.wrapped}" if seen.wrapped else ""
    first, last = round(seen.first_after * 1000), round(seen.last_after * 1000)
    times = f"after {last} ms" if seen.pieces == 1 else f"after {first} to {last} ms"
    cost = "" if cost_usd is None else f"; it cost ${cost_usd:.6f}"
    text = f"{_MANNERS[seen.manner]}{wrapped} ({_count(seen.pieces, 'piece')} {times}{cost})"
    return Finding("streaming", "ok", text)


_MANNERS = {
    "live": "live, in pieces",
    "buffered": "buffered, all at once",
    "string": "all at once, as a text inside JSON",
    "whole": "not streamed: a plain answer came",
}


def request_sent(trials: Sequence[CheckResult]) -> bool:
    """Whether xAI itself answered any of them."""
    return any(trial.request_sent for trial in trials)


def _key_record(trials: Sequence[CheckResult]) -> ApiKey | None:
    answers = (trial.answer for trial in trials)
    return next((answer for answer in answers if isinstance(answer, ApiKey)), None)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
