"""The result of an examination: findings, trials, problems with their remedies, and a verdict."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from xai_lowcode.doctor.findings import Finding
from xai_lowcode.doctor.streaming import Streaming
from xai_lowcode.doctor.trials import Trial
from xai_lowcode.operations import GATEWAY_OPERATIONS

MAY_PASS = "This may pass by itself: run the doctor again."  # noqa: S105 - a sentence


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
class Diagnosis:
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
    trials: tuple[Trial, ...]
    streaming: Streaming | None = None
    cost_usd: float | None = None
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def tried(self) -> list[Trial]:
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


def _grouped(trials: Sequence[Trial]) -> Iterator[Problem]:
    groups: dict[tuple[str, str | None], list[str]] = {}
    for trial in trials:
        if trial.state == "failed" and trial.error is not None:
            hint = trial.error.hint or (MAY_PASS if trial.error.is_retryable else None)
            groups.setdefault((trial.error.message, hint), []).append(trial.operation.name)
    for (text, hint), names in groups.items():
        yield Problem(tuple(names), text, hint)


def _trial(trial: Trial) -> dict[str, Any]:
    error = trial.error
    return {
        "number": GATEWAY_OPERATIONS.index(trial.operation) + 1,
        "name": trial.operation.name,
        "method": trial.operation.method,
        "path": trial.operation.path,
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
            "maker": error.maker,
            "code": error.code,
        },
    }
