"""Recorded bodies of xAI and responses of the gateway, if the files are beside the repository."""

import json
from pathlib import Path
from typing import Any

SHARED = Path(__file__).parents[3] / "shared"
WIRE = SHARED / "wire" / "recorded"
FIXTURES = SHARED / "reference" / "gateway_fixtures.json"


def gateway_fixtures() -> dict[str, dict[str, Any]]:
    """Return the gateway's responses by name; none if the file is missing."""
    if not FIXTURES.exists():
        return {}
    cases = json.loads(FIXTURES.read_bytes())
    return {name: case for name, case in cases.items() if not name.startswith("_")}


def recorded_errors() -> dict[str, tuple[int, Any]]:
    """Return xAI's error bodies by name, with their status; none if the folder is missing."""
    return {
        path.stem: (int(path.name[:3]), json.loads(path.read_bytes()))
        for path in sorted((WIRE / "errors").glob("*.json"))
        if ".request." not in path.name
    }


def wrapped(body: Any, envelope: str) -> Any:
    """Return a body of xAI in an envelope of the gateway."""
    match envelope:
        case "result":
            fields = {"message": "Request completed", "provider": "xai", "response_headers": {}}
            return {**fields, "result": body}
        case "data":
            return {"data": body}
        case _:
            return body


def refused(body: Any, headers: dict[str, str] | None = None) -> Any:
    """Return an error of xAI in the gateway's format."""
    message = body.get("message") if isinstance(body, dict) else None
    return {
        "message": message or "Error received from the xai API",
        "provider": "xai",
        "error": body,
        "headers": headers or {},
    }


ENVELOPES = ("result", "data", "bare")
