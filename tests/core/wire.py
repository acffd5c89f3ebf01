"""Where the recorded bodies and the gateway's answers lie, if they lie beside the repository."""

import json
from pathlib import Path
from typing import Any

SHARED = Path(__file__).parents[3] / "shared"
WIRE = SHARED / "wire" / "recorded"
FIXTURES = SHARED / "reference" / "gateway_fixtures.json"


def gateway_fixtures() -> dict[str, dict[str, Any]]:
    """The gateway's answers by name; none where the file is absent."""
    if not FIXTURES.exists():
        return {}
    cases = json.loads(FIXTURES.read_bytes())
    return {name: case for name, case in cases.items() if not name.startswith("_")}


def recorded_errors() -> dict[str, tuple[int, Any]]:
    """XAI's error bodies by name, with their status; none where the folder is absent."""
    return {
        path.stem: (int(path.name[:3]), json.loads(path.read_bytes()))
        for path in sorted((WIRE / "errors").glob("*.json"))
        if ".request." not in path.name
    }


def wrapped(body: Any, how: str) -> Any:
    """A body of xAI in one of the gateway's envelopes for a success."""
    match how:
        case "result":
            facts = {"message": "Request completed", "provider": "xai", "response_headers": {}}
            return {**facts, "result": body}
        case "data":
            return {"data": body}
        case _:
            return body


def refused(body: Any, headers: dict[str, str] | None = None) -> Any:
    """An error of xAI as the gateway passes it on."""
    said = body.get("message") if isinstance(body, dict) else None
    return {
        "message": said or "Error received from the xai API",
        "provider": "xai",
        "error": body,
        "headers": headers or {},
    }


ENVELOPES = ("result", "data", "bare")
