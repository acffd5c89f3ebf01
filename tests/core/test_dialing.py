"""Laws of dialing: some address answers or all have failed, and no socket is left but the one."""

import asyncio
import gc
import socket
import warnings
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from xai_lowcode.dialing import dial


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Somebody who listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture
def port(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> int:
    """The listener's port; the host ``many`` has three addresses there, of which one answers."""
    number: int = listener.getsockname()[1]
    really = socket.getaddrinfo

    def resolve(host: Any, where: Any, *args: Any, **more: Any) -> Any:
        if host not in {"many", "none"}:
            return really(host, where, *args, **more)
        if more.get("flags"):
            raise socket.gaierror(socket.EAI_NONAME, "a name, no number")
        numbers = ["127.0.0.2", "127.0.0.3", *(["127.0.0.1"] if host == "many" else [])]
        return [found for each in numbers for found in really(each, where, *args, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return number


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "many"])
def test_the_address_that_answers_is_taken(port: int, host: str) -> None:
    """Whichever of a host's addresses it is."""
    with asyncio.run(dial(host, port)) as dialed:
        assert dialed.getpeername() == ("127.0.0.1", port)


def test_no_answer_is_the_error_of_an_address(port: int) -> None:
    """Nobody listens at any address."""
    with pytest.raises(ConnectionRefusedError):
        asyncio.run(dial("none", port))


@pytest.mark.parametrize("host", ["127.0.0.1", "many"])
def test_whoever_is_cancelled_leaves_no_socket(port: int, host: str) -> None:
    """After every number of the loop's steps; one that was handed over is the caller's."""

    async def cancelled(steps: int) -> None:
        task = asyncio.create_task(dial(host, port))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            (await task).close()

    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        for steps in range(40):
            asyncio.run(cancelled(steps))
        gc.collect()
    assert not [str(each.message) for each in heard]
