"""One rate for many processes: a limiter that counts in Redis.

    pip install 'xai-lowcode[langchain,emulator]' limits redis
    python examples/shared_rate_limit.py redis://127.0.0.1:6379

Three processes ask at once, and together keep to five requests a second. Without
LOWCODEAPI_API_TOKEN the answers come from the emulator of the gateway, not from Grok.
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

SHORTEST_NAP = 0.01


class SharedRateLimiter:
    """So many requests in a time, over all processes and machines that count under one name.

    Goes into pickles; each process connects by itself. The window moves: in no stretch of that
    length are there more requests.

    Args:
        redis: The address of a Redis server, such as ``redis://127.0.0.1:6379``.
        rate: How many in what time: ``"5/second"``, ``"300/minute"``.
        name: What is counted together.
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
        """Waits until a request may be sent; with ``blocking=False`` only asks."""
        while not self._window.hit(self._rate, self.name):
            if not blocking:
                return False
            time.sleep(self._nap())
        return True

    async def aacquire(self, *, blocking: bool = True) -> bool:
        """The same for coroutines; Redis is asked in a thread, so that no loop stands still."""
        while not await asyncio.to_thread(self.acquire, blocking=False):
            if not blocking:
                return False
            await asyncio.sleep(await asyncio.to_thread(self._nap))
        return True

    def _nap(self) -> float:
        """Seconds until the oldest request leaves the window, not the same for everybody."""
        free_at = self._window.get_window_stats(self._rate, self.name).reset_time
        return max(SHORTEST_NAP, free_at - time.time()) * (1 + random.random() / 10)  # noqa: S311 - no secret


def ask(model: ChatXAILowCode, number: int) -> tuple[float, str]:
    """Asks, in whichever process; tells when the answer came."""
    text = model.invoke(f"Say 'answer {number}'").text
    return time.time(), text


def main(redis: str) -> None:
    """Asks from three processes."""
    with ExitStack() as stack:
        where: dict[str, Any] = {}
        if not os.environ.get("LOWCODEAPI_API_TOKEN"):
            from xai_lowcode.emulator import running  # noqa: PLC0415 - only where it is needed

            gateway = stack.enter_context(running())
            where = {"api_token": gateway.api_token, "base_url": gateway.base_url}
            print("No LOWCODEAPI_API_TOKEN: the answers come from the emulator, not from Grok.")
        model = ChatXAILowCode(rate_limiter=SharedRateLimiter(redis, "5/second"), **where)
        began = time.time()
        with ProcessPoolExecutor(3) as pool:
            for came, text in pool.map(ask, [model] * 15, range(15)):
                print(f"{came - began:5.2f} s  {text}")
        print(f"15 requests in {time.time() - began:.1f} s.")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "redis://127.0.0.1:6379")
