"""Connections are closed without a message, in whatever way a program runs its event loops."""

import pytest

from tests.core.fake_server import TOKEN, FakeServer, json_reply
from tests.programs import run_program

pytestmark = pytest.mark.slow

# Functions that run a coroutine: ``run(call())``.
LOOPS = {
    "asyncio.run": "run = asyncio.run",
    "nest_asyncio": "nest_asyncio.apply(); run = asyncio.run",
    "nest_asyncio in a coroutine": """
def run(coroutine):
    async def nested():
        nest_asyncio.apply()
        return asyncio.get_running_loop().run_until_complete(coroutine)
    return asyncio.run(nested())
""",
    "a loop that is closed": """
def run(coroutine):
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.close()
""",
    "a loop whose generators are closed": """
def run(coroutine):
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
""",
    "a loop that is kept": "run = asyncio.new_event_loop().run_until_complete",
    "a loop of a thread": """
def run(coroutine):
    with ThreadPoolExecutor() as threads:
        return threads.submit(asyncio.run, coroutine).result()
""",
}
IMPORTS = ("httpx", "nest_asyncio", "xai_lowcode.chat.model", "xai_lowcode.transport.async_client")
PROGRAM = """
import asyncio, gc, sys
from concurrent.futures import ThreadPoolExecutor
import nest_asyncio
from xai_lowcode.api.endpoints import LIST_MODELS
from xai_lowcode.chat.model import ChatModel
{loop}
for _ in range(2):
    model = ChatModel(api_token={token!r}, base_url={base_url!r}, proxy="")
    for _ in range(2):
        print(run(model.async_client.call(LIST_MODELS))[0].id)
    if {dropped}:
        del model
        gc.collect()
"""


@pytest.mark.parametrize("dropped", [False, True])
@pytest.mark.parametrize("name", LOOPS)
def test_no_event_loop_ends_with_a_message(gateway: FakeServer, name: str, dropped: bool) -> None:
    """Standard error is empty, whether the model is deleted before the end or not."""
    gateway.respond = lambda _request: json_reply({"data": [{"id": "m"}]})
    program = PROGRAM.format(
        loop=LOOPS[name], token=TOKEN, base_url=gateway.base_url, dropped=dropped
    )
    assert run_program(program, preload=IMPORTS) == (0, "m\n" * 4, "")
