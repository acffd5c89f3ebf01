"""A rate limiter for several processes that counts in Redis.

    pip install "xai-lowcode[langchain,emulator] @ git+https://github.com/xai-lowcode/xai-lowcode" \
        limits redis
    python examples/shared_rate_limit.py redis://127.0.0.1:6379

Three processes send requests concurrently, at most five per second together. Without
LOWCODEAPI_API_TOKEN the responses come from the emulator of the gateway, not from Grok.
"""

import asyncio
import os
import random
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from typing import Any

from limits import parse
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

from langchain_xai_lowcode import ChatXAILowCode

MIN_DELAY = 0.01


class SharedRateLimiter:
    """A moving-window rate limit shared by all processes and machines that use the same name.

    Picklable; each process opens its own connection.

    Args:
        redis: URL of a Redis server, such as ``redis://127.0.0.1:6379``.
        rate: Number of requests per time: ``"5/second"``, ``"300/minute"``.
        name: Key of the shared counter.
    """

    def __init__(self, redis: str, rate: str, name: str = "xai") -> None:
        self.redis, self.rate, self.name = redis, rate, name
        self._connect()

    def _connect(self) -> None:
        self._rate = parse(self.rate)
        self._window = MovingWindowRateLimiter(storage_from_string(self.redis))

    def __getstate__(self) -> tuple[str, str, str]:
        return self.redis, self.rate, self.name

    def __setstate__(self, state: tuple[str, str, str]) -> None:
        self.redis, self.rate, self.name = state
        self._connect()

    def acquire(self, *, blocking: bool = True) -> bool:
        """Wait until a request may be sent; with ``blocking=False`` return False instead."""
        while not self._window.hit(self._rate, self.name):
            if not blocking:
                return False
            time.sleep(self._delay())
        return True

    async def aacquire(self, *, blocking: bool = True) -> bool:
        """Like ``acquire``, without blocking the event loop: Redis is called in a thread."""
        while not await asyncio.to_thread(self.acquire, blocking=False):
            if not blocking:
                return False
            await asyncio.sleep(await asyncio.to_thread(self._delay))
        return True

    def _delay(self) -> float:
        """Return the seconds until the oldest request leaves the window, with random jitter."""
        free_at: float = self._window.get_window_stats(self._rate, self.name).reset_time
        return max(MIN_DELAY, free_at - time.time()) * (1 + random.random() / 10)  # noqa: S311 - no secret


def send(model: ChatXAILowCode, number: int) -> tuple[float, str]:
    """Send a request in a worker process; return the time of the response and its text."""
    text = model.invoke(f"Say 'answer {number}'").text
    return time.time(), text


def main(redis: str) -> None:
    """Send requests from three processes."""
    with ExitStack() as stack:
        connection: dict[str, Any] = {}
        if not os.environ.get("LOWCODEAPI_API_TOKEN"):
            from xai_lowcode.emulator import running  # noqa: PLC0415 - optional

            gateway = stack.enter_context(running())
            connection = {"api_token": gateway.api_token, "base_url": gateway.base_url}
            print("No LOWCODEAPI_API_TOKEN: the responses come from the emulator, not from Grok.")
        model = ChatXAILowCode(rate_limiter=SharedRateLimiter(redis, "5/second"), **connection)
        began = time.time()
        with ProcessPoolExecutor(3) as pool:
            for finished, text in pool.map(send, [model] * 15, range(15)):
                print(f"{finished - began:5.2f} s  {text}")
        print(f"15 requests in {time.time() - began:.1f} s.")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "redis://127.0.0.1:6379")
