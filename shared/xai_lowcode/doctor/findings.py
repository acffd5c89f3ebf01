"""What the trials tell of token, account, address, URL form and envelope, in a sentence each.

Every finding asks all trials: an endpoint that is missing on one gateway must not hide what the
others have shown.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

from xai_lowcode.doctor.streaming import Streaming
from xai_lowcode.doctor.trials import Attempt, State, Trial
from xai_lowcode.errors import (
    TOKEN_SOURCE,
    AccountNotConnectedError,
    AuthenticationError,
    CreditsExhaustedError,
    RouteNotFoundError,
    XAILowCodeError,
)
from xai_lowcode.records import ApiKey

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
    trials: Sequence[Trial], kind: type[E], fits: Callable[[E], bool] = lambda _: True
) -> E | None:
    """The first error of a kind."""
    errors = (trial.error for trial in trials)
    return next((error for error in errors if isinstance(error, kind) and fits(error)), None)


def token(trials: Sequence[Trial]) -> Finding:
    """Whether the gateway accepts the token."""
    refusal = first_error(trials, AuthenticationError, lambda error: error.maker != "provider")
    if refusal is not None:
        return Finding("token", "failed", refusal.message, refusal.hint or TOKEN_SOURCE)
    if reached(trials) or first_error(trials, AccountNotConnectedError):
        return Finding("token", "ok", "accepted by the gateway")
    return _unknown("token")


def account(trials: Sequence[Trial]) -> Finding:
    """Whether xAI is connected to the token's account."""
    if refusal := first_error(trials, AccountNotConnectedError):
        return _failed("account", refusal)
    if reached(trials):
        return Finding("account", "ok", "xAI is connected")
    return _unknown("account")


def key(trials: Sequence[Trial]) -> Finding:
    """Whether xAI accepts the key that is stored in the account."""
    if refusal := first_error(trials, AuthenticationError, lambda error: error.maker == "provider"):
        return _failed("xAI key", refusal)
    record = _key_record(trials)
    if record is not None and (record.api_key_blocked or record.api_key_disabled):
        state = "blocked" if record.api_key_blocked else "disabled"
        return Finding("xAI key", "failed", f"the key is {state}", f"Renew it at {KEYS}.")
    if record is not None or any(trial.answer is not None for trial in trials):
        return Finding("xAI key", "ok", "accepted by xAI")
    return _unknown("xAI key")


def team(trials: Sequence[Trial]) -> Finding:
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


def base_url(trials: Sequence[Trial], address: str) -> Finding:
    """Whether a gateway answers at the address."""
    tried = [trial for trial in trials if trial.attempts]
    statuses = [attempt.status for trial in tried for attempt in trial.attempts]
    if not any(statuses):
        error = next((trial.error for trial in tried if trial.error), None)
        return Finding("base URL", "failed", error.message if error else "no answer", _CHECK)
    if all(isinstance(trial.error, RouteNotFoundError) for trial in tried):
        text = f"{address} answers, but has none of the endpoints"
        return Finding("base URL", "failed", text, "It should end in /xai, the provider's name.")
    return Finding("base URL", "ok", f"{address} answers")


_CHECK = "Check base_url, the network and proxies; then run the doctor again."


def url_form(trials: Sequence[Trial]) -> Finding:
    """Which URL form the endpoints with an id are served in, and why the other was left."""
    forms = Counter(trial.form for trial in trials if trial.form)
    if not forms:
        return _unknown("URL form")
    left = Counter(
        f"{attempt.form} was tried first and {_got(attempt)}"
        for trial in trials
        for attempt in trial.attempts
        if trial.form and attempt.form != trial.form
    )
    parts = [f"{form} at {number}" for form, number in forms.most_common()]
    text = "; ".join([f"{' and '.join(parts)} endpoints with an id", *left])
    return Finding("URL form", "ok" if len(forms) == 1 else "note", text)


def _got(attempt: Attempt) -> str:
    return f"got {attempt.status}" if attempt.status else "the connection was dropped"


def envelope(trials: Sequence[Trial]) -> Finding:
    """What was around the answers."""
    seen = Counter(trial.envelope for trial in trials if trial.envelope)
    if not seen:
        return Finding("envelope", "untried", "not seen: nothing succeeded")
    text = ", ".join(f"{kind} ({_count(number, 'answer')})" for kind, number in seen.most_common())
    return Finding("envelope", "ok" if len(seen) == 1 else "note", text)


def latency(trials: Sequence[Trial]) -> Finding:
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


def definition(trial: Trial | None, renamed: Sequence[str], address: str) -> Finding:
    """Whether the gateway's description of itself can be had; nothing depends on it."""
    if trial is None:
        return _unknown("definition")
    if trial.error is not None:
        text = f"not at {address}/definition ({trial.said}); nothing depends on it"
        return Finding("definition", "note", text)
    number = sum(len(methods) for methods in trial.answer["paths"].values())
    text = f"{_count(number, 'endpoint')} at {address}/definition"
    if renamed:
        text += f"; it has other names for ids: {', '.join(renamed)}"
        return Finding("definition", "note", text, "Call gateway.learn_url_forms() first.")
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


def reached(trials: Sequence[Trial]) -> bool:
    """Whether xAI itself answered any of them."""
    return any(trial.reached for trial in trials)


def _key_record(trials: Sequence[Trial]) -> ApiKey | None:
    answers = (trial.answer for trial in trials)
    return next((answer for answer in answers if isinstance(answer, ApiKey)), None)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
