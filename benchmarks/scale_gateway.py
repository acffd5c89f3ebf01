"""The emulator in a process of its own, with faults, and a ledger of the responses it generated.

Prints its base URL and token as a line of JSON, and then for each line of input the number of open
connections, until the input ends. Then it writes the ledger: a line for each response that was
generated, which is what xAI bills, whether or not the client received it; the last line has the
numbers of requests and connections.
"""

import argparse
import json
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from tests.load.faulty_gateway import find_server, inject_faults
from xai_lowcode.emulator import (
    CutBytes,
    CutStream,
    Drop,
    ErrorIn200,
    Fault,
    Html,
    Refuse,
    Reset,
    ResetUnread,
    SlowDrip,
    Stall,
    running,
    server,
)
from xai_lowcode.emulator.app import EmulatorApp
from xai_lowcode.emulator.handler_types import CrashError, HandlerResult

PROMPT = re.compile(r"row (\d+)'")


@dataclass(frozen=True, slots=True)
class LoseResponse(Fault):
    """Generate the response and close the connection before its first byte."""


# The response of these is generated, but not received.
LOSING = (LoseResponse, CutBytes, CutStream)
FAULTS: tuple[Fault, ...] = (
    Refuse(429, retry_after=0.02),
    Refuse(429, retry_after=0.02, retry_after_in="header"),
    Refuse(500, source="gateway"),
    Refuse(503),
    Html(502),
    ErrorIn200(),
    Drop(),
    Reset(),
    ResetUnread(),
    LoseResponse(),
    CutBytes(0),
    CutBytes(300),
    CutStream(),
    Stall(0.5),
    SlowDrip(0.05),
)


class Ledger:
    """What the gateway generated, and how many requests it received."""

    def __init__(self) -> None:
        self.responses: list[dict[str, Any]] = []
        self.requests: Counter[str] = Counter()

    def app(self, *args: Any) -> EmulatorApp:
        """Return the emulator's application with this ledger."""
        ledger = self

        class RecordingApp(EmulatorApp):
            async def _call_provider(
                self, request: Any, match: Any, body: Any, sequence: int, fault: Fault | None
            ) -> Any:
                result = await super()._call_provider(request, match, body, sequence, fault)
                if isinstance(result, HandlerResult) and not isinstance(fault, ErrorIn200):
                    ledger.add(body, result.body, fault)
                if isinstance(fault, LoseResponse):
                    raise CrashError
                return result

        return RecordingApp(*args)

    def add(self, request: Any, response: Any, fault: Fault | None) -> None:
        """Record a generated response."""
        found = PROMPT.search(json.dumps(request["input"]))
        self.responses.append(
            {
                "id": int(found[1]) if found else None,
                "response_id": response["id"],
                "cost_ticks": response["usage"]["cost_in_usd_ticks"],
                "lost": type(fault).__name__ if isinstance(fault, LOSING) else None,
            }
        )

    def count(self, gateway: Any) -> None:
        """Count the requests by fault, as the faults are chosen."""
        choose = gateway.next_fault

        def counting(*kinds: type[Fault]) -> Fault | None:
            fault: Fault | None = choose(*kinds)
            if fault is not None or not kinds:
                self.requests[type(fault).__name__ if fault else "none"] += 1
            return fault

        gateway.next_fault = counting


def main() -> None:
    """Serve until the input ends, and write the ledger."""
    parser = argparse.ArgumentParser()
    parser.add_argument("ledger", type=Path)
    parser.add_argument("--faults", type=float, default=0.0)
    parser.add_argument("--latency", type=float, default=0.0)
    args = parser.parse_args()
    ledger = Ledger()
    with mock.patch.object(server, "EmulatorApp", ledger.app), running() as gateway:
        gateway.latency = args.latency
        inject_faults(gateway, args.faults, seed=1, faults=FAULTS)
        ledger.count(gateway)
        connections = find_server().server_state.connections
        print(
            json.dumps({"base_url": gateway.base_url, "api_token": gateway.api_token}), flush=True
        )
        for _ in sys.stdin:
            gateway.requests.clear()
            print(len(connections), flush=True)
        totals = {"requests": ledger.requests, "connections": gateway.connections}
    lines = [*ledger.responses, totals]
    args.ledger.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main()
