"""Findings: what the results of all checks show about the gateway, the token and the account."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from xai_lowcode.api import endpoints
from xai_lowcode.diagnostics.checks import CheckResult, State
from xai_lowcode.errors import (
    TOKEN_SOURCE,
    AccountNotConnectedError,
    AuthenticationError,
    CreditsExhaustedError,
    RouteNotFoundError,
    XAILowCodeError,
)
from xai_lowcode.types.resources import ApiKey

_USE_OLD = (
    "Until then each new process crashes the gateway once: set url_format='old',"
    " LOWCODEAPI_URL_FORMAT=old or --url-format old."
)

# Where each URL format has the id of an endpoint such as /v1/files/{file_id}.
_ID_PLACES = {"new": "path", "old": "query"}

_PAID = {
    endpoints.CREATE_RESPONSE.name: "responses",
    endpoints.CREATE_CHAT_COMPLETION.name: "chat completions",
    endpoints.CREATE_MESSAGE.name: "messages",
    endpoints.CREATE_IMAGE_GENERATION.name: "images",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What the results show about one topic.

    Attributes:
        name: The topic, for instance ``"token"``, or the names of endpoints.
        state: ``"ok"``, ``"failed"``, ``"warning"``, or ``"unknown"`` if no response shows it.
        text: What was found.
        hint: What to do about it.
    """

    name: str
    state: State
    text: str
    hint: str | None = None


def find_all(results: Sequence[CheckResult], base_url: str) -> list[Finding]:
    """Return one finding for each topic, in order of importance."""
    errors = [result.error for result in results if result.error is not None]
    responses = [result.response for result in results if result.response is not None]
    reached_xai = any(result.reached_xai for result in results)
    key = next((response for response in responses if isinstance(response, ApiKey)), None)
    if key is not None and (key.api_key_blocked or key.api_key_disabled):
        message = "the key is blocked" if key.api_key_blocked else "the key is disabled"
        hint = "Renew it at https://console.x.ai."
        errors.append(AuthenticationError(message, source="provider", hint=hint))
    if key is not None and key.team_blocked:
        hint = "See billing and limits at https://console.x.ai."
        errors.append(CreditsExhaustedError("the team is blocked", source="provider", hint=hint))
    rejections = [error for error in errors if isinstance(error, AuthenticationError)]
    token_error = next((e for e in rejections if e.source != "provider"), None)
    key_error = next((e for e in rejections if e.source == "provider"), None)
    account_error = next((e for e in errors if isinstance(e, AccountNotConnectedError)), None)
    team_error = next((e for e in errors if isinstance(e, CreditsExhaustedError)), None)
    token_ok = reached_xai or account_error is not None
    envelopes = Counter(result.envelope for result in results if result.envelope)
    counts = [_describe_envelope(name, count) for name, count in envelopes.most_common()]
    return [
        _find_base_url(results, errors, base_url),
        _judge("token", token_error, "accepted by the gateway", ok=token_ok, hint=TOKEN_SOURCE),
        _judge("account", account_error, "xAI is connected", ok=reached_xai),
        _judge("xAI key", key_error, "accepted by xAI", ok=bool(responses)),
        _judge("xAI team", team_error, "not blocked", ok=key is not None),
        _find_url_format(results),
        _judge_counts("envelope", envelopes, ", ".join(counts)),
        _find_streaming(results),
        *_find_apis(results),
        *_find_not_tried(results),
    ]


def _describe_envelope(name: str, count: int) -> str:
    where = "not in an envelope" if name == "bare" else f"in the key {name!r}"
    return f"{name}: xAI's response is {where} ({_plural(count, 'response')})"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _find_streaming(results: Sequence[CheckResult]) -> Finding:
    """Return how the first stream arrived; why it failed if none did."""
    streamed = (endpoints.CREATE_RESPONSE, endpoints.CREATE_CHAT_COMPLETION)
    findings = [
        _judge("streaming", result.error, result.response, ok=True)
        for result in results
        if result.endpoint in streamed
    ]
    not_checked = Finding("streaming", "unknown", "not checked: costs under a cent, use --spend")
    worked = (finding for finding in findings if finding.state == "ok")
    return next(worked, findings[0] if findings else not_checked)


def _find_apis(results: Sequence[CheckResult]) -> list[Finding]:
    """Return a finding on the chat APIs that are served, if they were tried."""
    names = [endpoints.CREATE_RESPONSE.name, endpoints.CREATE_CHAT_COMPLETION.name]
    tried = [result for result in results if result.endpoint.name in names]
    served = {result.endpoint.name for result in tried if result.error is None}
    if not served:
        return []
    default = next(name for name in names if name in served)
    text = f"api='auto' uses {_PAID[default]}"
    if default == names[0] or len(tried) == 1:
        return [Finding("chat API", "ok", text)]
    return [Finding("chat API", "warning", f"{text}: responses failed")]


def _find_not_tried(results: Sequence[CheckResult]) -> list[Finding]:
    """Return a finding that names the paid endpoints that were not called, if there are any."""
    tried = {result.endpoint.name for result in results}
    names = [label for name, label in _PAID.items() if name not in tried]
    if not names:
        return []
    return [Finding("not tried", "unknown", f"{', '.join(names)}: they cost money, use --spend")]


def _judge(
    name: str, error: XAILowCodeError | None, text: str, *, ok: bool, hint: str | None = None
) -> Finding:
    if error is not None:
        return Finding(name, "failed", error.message, error.hint or hint)
    return Finding(name, "ok", text) if ok else Finding(name, "unknown", "unknown")


def _judge_counts(name: str, counts: Counter[str], text: str) -> Finding:
    state: State = "ok" if len(counts) == 1 else "warning"
    return Finding(name, state, text) if counts else Finding(name, "unknown", "unknown")


def _find_base_url(
    results: Sequence[CheckResult], errors: Sequence[XAILowCodeError], base_url: str
) -> Finding:
    if not any(attempt.status for result in results for attempt in result.attempts):
        hint = errors[0].hint or "Check base_url, the network and proxies."
        hint += " Then run the doctor again."
        return Finding("base URL", "failed", errors[0].message, hint)
    if all(isinstance(result.error, RouteNotFoundError) for result in results):
        text = f"{base_url} responds, but has none of the endpoints"
        return Finding("base URL", "failed", text, "It must end in /xai, the provider's name.")
    return Finding("base URL", "ok", f"{base_url} responds")


def _find_url_format(results: Sequence[CheckResult]) -> Finding:
    """Count the URL formats in which xAI was reached, and report why the other one failed."""
    formats: Counter[str] = Counter()
    failures: dict[str, None] = {}
    if any(result.crashed_in_both_formats for result in results):
        hint = "Endpoints with an id cannot be used at this gateway."
        text = "URLs with an id make this gateway drop all connections, in both formats"
        return Finding("URL format", "failed", text, hint)
    for result in results:
        if result.reached_xai and (url_format := result.attempts[-1].url_format):
            formats[url_format] += 1
            crashed = any(i.may_have_crashed for i in result.attempts if i.url_format == "new")
            if url_format == "old" and crashed:
                cause = "the new URL format makes this gateway drop all connections"
                return Finding("URL format", "warning", f"{cause}: set url_format='old'", _USE_OLD)
            for attempt in result.attempts:
                if attempt.url_format != url_format:
                    reason = f"got {attempt.status}" if attempt.status else "disconnected"
                    failures[f"{attempt.url_format} was tried first and {reason}"] = None
    counts = [
        f"{name}: ids are in the {_ID_PLACES[name]} ({_plural(count, 'endpoint')})"
        for name, count in formats.most_common()
    ]
    text = "; ".join([*counts, *failures])
    return _judge_counts("URL format", formats, text)
