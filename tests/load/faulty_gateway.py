"""The emulator in its own process, with faults in a share of the requests.

It prints its base URL and token as a line of JSON, and serves until its input ends. For each line
of input it prints the number of open connections.
"""

import argparse
import gc
import json
import random
import sys
from typing import Any

import uvicorn

from xai_lowcode.emulator import (
    CutStream,
    Drop,
    EndStreamEarly,
    ErrorIn200,
    ErrorInStream,
    Fault,
    Html,
    Refuse,
    Reset,
    ResetUnread,
    running,
)

FAULTS: tuple[Fault, ...] = (
    Refuse(429, retry_after=0.02),
    Refuse(429, retry_after=0.02, retry_after_in="header"),
    Refuse(503),
    Refuse(500, source="gateway"),
    Html(502),
    Drop(),
    Reset(),
    ResetUnread(),
    CutStream(after_chunks=1),
    CutStream(after_chunks=2, mid_chunk=True),
    EndStreamEarly(after_chunks=1),
    ErrorInStream(after_chunks=1),
    ErrorIn200(),
)


def inject_faults(
    gateway: Any, share: float, seed: int, faults: tuple[Fault, ...] = FAULTS
) -> None:
    """Inject a fault into a share of the requests, chosen by the seed."""
    generator, next_faults = random.Random(seed), list[Fault | None]()  # noqa: S311 - no secret

    def next_fault(*kinds: type[Fault]) -> Fault | None:
        # The emulator asks for faults of bytes before faults of requests.
        if not next_faults:
            next_faults.append(generator.choice(faults) if generator.random() < share else None)
        if kinds and not isinstance(next_faults[0], kinds):
            return None
        return next_faults.pop()

    gateway.next_fault = next_fault


def find_server() -> uvicorn.Server:
    """Return the server, which counts the connections that clients have not closed."""
    (server,) = (each for each in gc.get_objects() if isinstance(each, uvicorn.Server))
    return server


def main() -> None:
    """Serve until the input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--faults", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with running(deferred_polls=1) as gateway:
        inject_faults(gateway, arguments.faults, arguments.seed)
        server = find_server()
        sys.stdout.write(
            json.dumps({"base_url": gateway.base_url, "api_token": gateway.api_token}) + "\n"
        )
        sys.stdout.flush()
        for _ in sys.stdin:
            # The recorded requests would grow for as long as it serves.
            gateway.requests.clear()
            sys.stdout.write(f"{len(server.server_state.connections)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
