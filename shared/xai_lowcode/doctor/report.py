"""How a gateway behaved, to be sent to us: forms and figures, nothing that was said.

No contents, no token, no names of keys, teams, models or files, and no address but the public one.
"""

import re
from typing import Any

from xai_lowcode import codec
from xai_lowcode.classification import SUCCESSES
from xai_lowcode.doctor.diagnosis import Diagnosis
from xai_lowcode.doctor.trials import Attempt, Trial
from xai_lowcode.redaction import redact
from xai_lowcode.settings import DEFAULT_BASE_URL

FORMAT = 1

_DEEPEST = 6
# A member name longer or stranger than this is a datum used as a key.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,40}")


def report(diagnosis: Diagnosis, token: str = "") -> dict[str, Any]:
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


def _endpoint(trial: Trial) -> dict[str, Any]:
    return {
        "name": trial.operation.name,
        "state": trial.state,
        "envelope": trial.envelope,
        "attempts": [_attempt(attempt) for attempt in trial.attempts],
        "error": trial.error and type(trial.error).__name__,
        "maker": trial.error and trial.error.maker,
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
        return _shape(codec.load(content))
    except codec.JSONDecodeError:
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
