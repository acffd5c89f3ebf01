"""The result of an examination: findings, trials, problems with their remedies, and a verdict."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from xai_lowcode._internal import json
from xai_lowcode.api.endpoints import GATEWAY_ENDPOINTS
from xai_lowcode.diagnostics.checks import Attempt, CheckResult, Finding
from xai_lowcode.diagnostics.recorder import Streaming
from xai_lowcode.protocol.error_mapping import SUCCESSES
from xai_lowcode.redaction import redact
from xai_lowcode.settings import DEFAULT_BASE_URL

TRANSIENT = "This may pass by itself: run the doctor again."  # noqa: S105 - a sentence


@dataclass(frozen=True, slots=True)
class Problem:
    """One failure, and all that failed the same way.

    Attributes:
        where: Names of the findings or endpoints.
        text: What went wrong.
        hint: What to do about it.
    """

    where: tuple[str, ...]
    text: str
    hint: str | None

    def __str__(self) -> str:
        sentences = [
            text if text.endswith((".", "!", "?")) else f"{text}."
            for text in (self.text, self.hint)
            if text
        ]
        return " ".join(sentences)


@dataclass(frozen=True, slots=True)
class DiagnosticReport:
    """What an examination found.

    Attributes:
        base_url: The address that was examined.
        findings: A sentence on each thing, in order.
        trials: The gateway's endpoints, in its order.
        streaming: How a streamed answer came; None if that was not tried, or failed.
        cost_usd: What the streamed answer cost, if the service said so.
        versions: What is installed.
    """

    base_url: str
    findings: tuple[Finding, ...]
    trials: tuple[CheckResult, ...]
    streaming: Streaming | None = None
    cost_usd: float | None = None
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def tried(self) -> list[CheckResult]:
        """The endpoints that were tried."""
        return [trial for trial in self.trials if trial.state != "untried"]

    @property
    def healthy(self) -> bool:
        """Whether nothing failed."""
        return not self.problems

    @property
    def alive(self) -> bool:
        """Whether anything answered at the address."""
        return any(attempt.status for trial in self.trials for attempt in trial.attempts)

    @property
    def problems(self) -> list[Problem]:
        """The failures, those of one kind together."""
        failed = [finding for finding in self.findings if finding.state == "failed"]
        problems = [Problem((finding.name,), finding.text, finding.hint) for finding in failed]
        known = {finding.text for finding in failed}
        # Where nobody is, there is one failure, however many endpoints were looked for.
        if any(finding.name == "base URL" for finding in failed):
            return problems
        return problems + [one for one in _grouped(self.trials) if one.text not in known]

    @property
    def verdict(self) -> str:
        """All of it in one line."""
        finding = next((one for one in self.findings if one.state == "failed"), None)
        failed = [trial for trial in self.trials if trial.state == "failed"]
        if finding is not None and not self.alive:
            return f"{self.base_url}: {finding.text}"
        if finding is not None and finding.name in _SENTENCES:
            return _SENTENCES[finding.name].format(base_url=self.base_url)
        if finding is not None:
            return f"Something is wrong with {finding.name}: {finding.text}"
        if failed:
            return f"{len(failed)} of the {len(self.tried)} endpoints that were tried do not work."
        return f"All good: token, account and the {len(self.tried)} endpoints that were tried work."

    def as_json(self) -> dict[str, Any]:
        """The same as one JSON document; it holds no token."""
        return {
            "healthy": self.healthy,
            "verdict": self.verdict,
            "base_url": self.base_url,
            "findings": [asdict(finding) for finding in self.findings],
            "problems": [asdict(problem) for problem in self.problems],
            "endpoints": [_trial(trial) for trial in self.trials],
            "streaming": self.streaming and asdict(self.streaming),
            "cost_usd": self.cost_usd,
            "versions": self.versions,
        }


_SENTENCES = {
    "base URL": "What answers at {base_url} is not the gateway for xAI.",
    "token": "The gateway does not accept this token.",
    "account": "The token is good, but no xAI key is connected to its account.",
    "xAI key": "The token is good, but xAI does not accept the key stored in its account.",
    "xAI team": "Token and key are good, but xAI does not serve the team behind them.",
}


def _grouped(trials: Sequence[CheckResult]) -> Iterator[Problem]:
    groups: dict[tuple[str, str | None], list[str]] = {}
    for trial in trials:
        if trial.state == "failed" and trial.error is not None:
            hint = trial.error.hint or (TRANSIENT if trial.error.is_retryable else None)
            groups.setdefault((trial.error.message, hint), []).append(trial.endpoint.name)
    for (text, hint), names in groups.items():
        yield Problem(tuple(names), text, hint)


def _trial(trial: CheckResult) -> dict[str, Any]:
    error = trial.error
    return {
        "number": GATEWAY_ENDPOINTS.index(trial.endpoint) + 1,
        "name": trial.endpoint.name,
        "method": trial.endpoint.method,
        "path": trial.endpoint.path,
        "state": trial.state,
        "said": trial.said,
        "url_form": trial.form,
        "envelope": trial.envelope,
        "attempts": [
            {"url_form": attempt.form, "status": attempt.status, "seconds": attempt.seconds}
            for attempt in trial.attempts
        ],
        "error": error
        and {
            "class": type(error).__name__,
            "message": error.message,
            "hint": error.hint,
            "status_code": error.status_code,
            "maker": error.source,
            "code": error.code,
        },
    }


FORMAT = 1

_DEEPEST = 6
# A member name longer or stranger than this is a datum used as a key.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,40}")


def report(diagnosis: DiagnosticReport, token: str = "") -> dict[str, Any]:
    """The report; what looks like a token is blanked once more at the end."""
    document = {
        "format": FORMAT,
        "gateway": "hosted" if diagnosis.base_url == DEFAULT_BASE_URL else "another",
        "healthy": diagnosis.healthy,
        "findings": {finding.name: finding.state for finding in diagnosis.findings},
        "streaming": diagnosis.as_json()["streaming"],
        "endpoints": [_endpoint(trial) for trial in diagnosis.trials],
    }
    # The versions last: this package's own name looks like a key of xAI.
    return {**redact(document, token), "versions": diagnosis.versions}


def _endpoint(trial: CheckResult) -> dict[str, Any]:
    return {
        "name": trial.endpoint.name,
        "state": trial.state,
        "envelope": trial.envelope,
        "attempts": [_attempt(attempt) for attempt in trial.attempts],
        "error": trial.error and type(trial.error).__name__,
        "maker": trial.error and trial.error.source,
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    exchange = attempt.exchange
    refused = exchange.status is not None and exchange.status not in SUCCESSES
    return {
        "url_form": attempt.form,
        "status": exchange.status,
        "seconds": exchange.seconds,
        "content_type": exchange.headers.get("content-type"),
        "header_names": sorted(set(exchange.headers)),
        "bytes": sum(len(piece) for _, piece in exchange.pieces),
        "pieces": len(exchange.pieces),
        "error_shape": _shape_of(exchange.content) if refused else None,
    }


def _shape_of(content: bytes) -> Any:
    try:
        return _shape(json.loads(content))
    except json.JSONDecodeError:
        return "no JSON" if content else "empty"


def _shape(value: Any, depth: int = 0) -> Any:
    """The form of a JSON value: names of members, and the kinds of what they hold."""
    match value:
        case dict() if depth < _DEEPEST:
            return {
                name if _NAME.fullmatch(name) else "(a name)": _shape(member, depth + 1)
                for name, member in value.items()
            }
        case list() if depth < _DEEPEST:
            return [_shape(value[0], depth + 1)] if value else []
        case _:
            return _KINDS.get(type(value), "more")


_KINDS = {str: "text", int: "integer", float: "number", bool: "boolean", type(None): "null"}
