"""The result of the diagnostics: findings, results of the endpoints, verdict, JSON."""

from dataclasses import asdict, dataclass
from typing import Any

from xai_lowcode._version import __version__
from xai_lowcode.diagnostics.checks import CheckResult
from xai_lowcode.diagnostics.findings import Finding
from xai_lowcode.redaction import redact

_VERDICTS = {
    "base URL": "The server at {base_url} is not the gateway for xAI.",
    "token": "The gateway does not accept this token.",
    "account": "The token is valid, but no xAI key is connected to its account.",
    "xAI key": "The token is valid, but xAI does not accept the xAI key of its account.",
    "xAI team": "Token and xAI key are valid, but xAI does not serve their team.",
}


@dataclass(frozen=True, slots=True)
class DiagnosticReport:
    """The result of ``run_diagnostics``.

    Attributes:
        base_url: Base URL of the gateway.
        findings: What the results show, one finding for each topic.
        results: Results of the checked endpoints.
    """

    base_url: str
    findings: tuple[Finding, ...]
    results: tuple[CheckResult, ...]

    @property
    def problems(self) -> list[Finding]:
        """The findings that failed, then one for each further error of endpoints."""
        problems = [finding for finding in self.findings if finding.state == "failed"]
        if self.findings[0].state == "failed":
            # Without a gateway every endpoint fails, for the reason that is already listed.
            return problems
        messages = {problem.text for problem in problems}
        groups: dict[tuple[str, str | None], list[str]] = {}
        for result in self.results:
            error = result.error
            if result.state == "failed" and error and error.message not in messages:
                transient = "This error is transient: run the doctor again."
                hint = error.hint or (transient if error.is_retryable else None)
                groups.setdefault((error.message, hint), []).append(result.endpoint.name)
        return problems + [
            Finding(", ".join(names), "failed", message, hint)
            for (message, hint), names in groups.items()
        ]

    @property
    def healthy(self) -> bool:
        """Whether nothing failed."""
        return not self.problems

    @property
    def responded(self) -> bool:
        """Whether a server responded at the base URL."""
        return any(attempt.status for result in self.results for attempt in result.attempts)

    @property
    def verdict(self) -> str:
        """The result in one sentence."""
        count = sum(result.state != "unknown" for result in self.results)
        if self.healthy:
            works = f"token, account and the {count} checked endpoints work."
            not_tried = [item.text for item in self.findings if item.name == "not tried"]
            if not not_tried:
                return f"All good: {works}"
            return f"{works[0].upper()}{works[1:]} Not tried: {not_tried[0]}."
        problem = self.problems[0]
        if not self.responded:
            return f"{self.base_url}: {problem.text}"
        if problem.name in _VERDICTS:
            return _VERDICTS[problem.name].format(base_url=self.base_url)
        failed = sum(result.state == "failed" for result in self.results)
        return f"{failed} of the {count} checked endpoints failed."

    def to_dict(self, token: str = "") -> dict[str, Any]:
        """Return the report as a JSON document without contents of responses.

        Args:
            token: The token to redact; other tokens and keys are recognized by their form.
        """
        document: dict[str, Any] = {
            "healthy": self.healthy,
            "verdict": self.verdict,
            "base_url": self.base_url,
            "findings": [asdict(finding) for finding in self.findings],
            "problems": [asdict(problem) for problem in self.problems],
            "endpoints": [_result_to_dict(result) for result in self.results],
            "version": __version__,
        }
        return {key: redact(value, token) for key, value in document.items()}


def _result_to_dict(result: CheckResult) -> dict[str, Any]:
    return {
        "name": result.endpoint.name,
        "method": result.endpoint.method,
        "path": result.endpoint.path,
        "state": result.state,
        "summary": result.summary,
        "envelope": result.envelope,
        "error": result.error and str(result.error),
        "attempts": [
            {"url_format": item.url_format, "status": item.status, "seconds": item.seconds}
            for item in result.attempts
        ],
    }
