"""The workloads: which method of a client is called, how often, against which scenario."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.clients import Client
from benchmarks.implementations import CLIENTS, PACKAGE_AND_BASELINES, LangChainLiteLLM
from benchmarks.inputs import API

_API_TITLES: dict[API, str] = {
    "responses": "Responses",
    "chat_completions": "Chat Completions",
    "messages": "Messages",
}


@dataclass(frozen=True)
class Workload:
    """One row of the table.

    Attributes:
        title: Name in the table.
        scenario: Key of `benchmarks.responses.SCENARIOS`: what the server sends.
        method: Method of `Client` that is called.
        calls: Number of calls in a sample.
        concurrent: Whether the calls are concurrent; the method is then a coroutine function.
        chunks: Number of chunks of a stream.
        per_chunk: Whether the time of a sample is divided by the chunks of all calls instead of
            the number of calls.
        new_client: Whether each sample has a new client; otherwise connections are open already.
        wall: Whether wall time is measured instead of CPU time.
        api: API that the requests are sent to.
        quick_clients: Clients that quick runs measure; if empty, they leave the workload out.
    """

    title: str
    scenario: str
    method: str
    calls: int
    concurrent: bool = False
    chunks: int = 200
    per_chunk: bool = False
    new_client: bool = False
    wall: bool = False
    api: API = "responses"
    quick_clients: tuple[type[Client], ...] = ()

    @property
    def units(self) -> int:
        """Number of calls, or of chunks, by which the time of a sample is divided."""
        return self.calls * self.chunks if self.per_chunk else self.calls

    def is_supported_by(self, client: type[Client]) -> bool:
        """Return whether a client has the API and the method."""
        return self.api in client.apis and hasattr(client, self.method)

    def run(self, client: Client, runner: asyncio.Runner) -> Any:
        """Call the client for one sample.

        Args:
            client: The client.
            runner: Event loop of the concurrent calls.

        Returns:
            The result of the last sequential call. While it is referenced, a stream stays open.
        """
        method = getattr(client, self.method)
        if self.concurrent:
            return runner.run(_call_concurrently(method, self.calls))
        result = None
        for _ in range(self.calls):
            result = method()
        return result


async def _call_concurrently(method: Any, calls: int) -> None:
    await asyncio.gather(*(method() for _ in range(calls)))


def _for_apis(workloads: Iterable[Workload], *apis: API) -> tuple[Workload, ...]:
    return tuple(
        replace(workload, title=f"{workload.title} ({_API_TITLES[api]})", api=api)
        for workload in workloads
        for api in apis
    )


# LiteLLM and, with many chunks, all alternatives would take a large part of a quick run.
_QUICK = tuple(client for client in CLIENTS if client is not LangChainLiteLLM)
_SHORT = Workload("short response", "short", "generate", 40, quick_clients=_QUICK)
_STREAM = Workload(
    "stream of 200 chunks, per chunk",
    "stream_200",
    "read_stream",
    5,
    per_chunk=True,
    quick_clients=_QUICK,
)
_CONCURRENT = Workload("200 concurrent calls, per call", "slow", "agenerate", 200, concurrent=True)

WORKLOADS: tuple[Workload, ...] = (
    *_for_apis(
        (
            _SHORT,
            _STREAM,
            replace(
                _STREAM,
                title="stream of 5,000 chunks, per chunk",
                scenario="stream_5000",
                calls=1,
                chunks=5_000,
                quick_clients=PACKAGE_AND_BASELINES,
            ),
            replace(
                _STREAM,
                title="stream with a chunk each millisecond, per chunk",
                scenario="paced",
                calls=1,
                quick_clients=(),
            ),
            Workload(
                "first chunk of a stream, wall time", "paced", "read_first_chunk", 1, wall=True
            ),
            Workload(
                "100 concurrent streams, per chunk",
                "stream_200",
                "aread_stream",
                100,
                concurrent=True,
                per_chunk=True,
                quick_clients=PACKAGE_AND_BASELINES,
            ),
            Workload(
                "500 messages + 20 tools", "short", "generate_with_tools", 5, quick_clients=_QUICK
            ),
            Workload("response with two tool calls", "tool_calls", "generate", 20),
            Workload("response of 1 MB", "long", "generate", 5),
            _CONCURRENT,
            replace(
                _CONCURRENT,
                title="1,000 concurrent calls, per call",
                calls=1_000,
            ),
            replace(
                _CONCURRENT,
                title="1,000 concurrent calls, new client, per call",
                calls=1_000,
                new_client=True,
            ),
        ),
        "responses",
        "chat_completions",
    ),
    *_for_apis((replace(_SHORT, quick_clients=()), replace(_STREAM, quick_clients=())), "messages"),
    Workload("image of 1.5 MB", "image", "generate_image", 3, quick_clients=_QUICK),
)
