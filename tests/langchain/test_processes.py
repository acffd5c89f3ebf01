"""Models in other processes, threads, event loops and dumps."""

import asyncio
import copy
import os
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import httpx
import pytest
from langchain_core.load import dumps, loads

from langchain_xai_lowcode import (
    ChatXAILowCode,
    XAIImageGenerator,
    XAILowCodeEmbeddings,
)

pytestmark = pytest.mark.slow

MODELS: list[Callable[..., Any]] = [ChatXAILowCode, XAIImageGenerator]
THREADS = 16


def told(answer: Any) -> str:
    """Return the text of a message, or the type of an image block."""
    if isinstance(answer, list):
        return str(answer[0]["type"])
    return str(getattr(answer, "text", answer))


@pytest.mark.filterwarnings("ignore:The function `loads` is in beta")
@pytest.mark.parametrize("kind", [*MODELS, XAILowCodeEmbeddings])
def test_a_dump_holds_no_token_and_loads(gateway: Any, kind: Any) -> None:
    """A dump names the variable of the token; loaded with it, the component is the same."""
    component = kind(model="grok-imagine-image" if kind is XAIImageGenerator else "grok-4.6")
    dump = dumps(component)
    assert gateway.api_token not in dump
    assert "LOWCODEAPI_API_TOKEN" in dump
    loaded = loads(
        dump,
        allowed_objects=[kind],
        valid_namespaces=["langchain_xai_lowcode"],
        secrets_map={"LOWCODEAPI_API_TOKEN": gateway.api_token},
    )
    assert dumps(loaded) == dump
    assert loaded.api_token.get_secret_value() == gateway.api_token
    if kind is not XAILowCodeEmbeddings:  # the gateway has no such endpoint by default
        assert told(loaded.invoke("Hello")) == told(component.invoke("Hello"))


@pytest.mark.parametrize("kind", MODELS)
def test_copies_and_pickles_of_a_used_model_work(gateway: Any, kind: Any) -> None:
    """A model that holds open connections travels, with its options."""
    assert gateway.base_url
    model = kind(deadline=30.0)
    expected = told(model.invoke("Hello"))
    for twin in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), copy.copy(model)):  # noqa: S301 - our own bytes
        assert twin.deadline == 30.0
        assert told(twin.invoke("Hello")) == expected
        assert told(asyncio.run(twin.ainvoke("Hello"))) == expected


@pytest.mark.parametrize("kind", MODELS)
async def test_a_users_clients_stay_at_home(gateway: Any, kind: Any) -> None:
    """Injected clients are used, and left out of pickles; the twin makes its own."""
    assert gateway.base_url
    seen: list[str] = []

    async def aheard(request: httpx.Request) -> None:
        seen.append(f"async {request.method}")

    hooks = {"request": [lambda request: seen.append(request.method)]}
    with httpx.Client(event_hooks=hooks) as client:
        async with httpx.AsyncClient(event_hooks={"request": [aheard]}) as async_client:
            model = kind(http_client=client, http_async_client=async_client)
            expected = told(model.invoke("Hello"))
            assert told(await model.ainvoke("Hello")) == expected
            assert seen == ["POST", "async POST"]
            twin = pickle.loads(pickle.dumps(model))  # noqa: S301 - our own bytes
    assert told(twin.invoke("Hello")) == expected
    assert (twin.http_client, twin.http_async_client, len(seen)) == (None, None, 2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
@pytest.mark.parametrize("kind", MODELS)
def test_a_forked_child_answers(gateway: Any, kind: Any) -> None:
    """Parent and child share no connection: both get their own answers, over and over."""
    assert gateway.base_url
    model = kind()
    expected = told(model.invoke("Hello"))
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        said = "nothing"
        try:
            answers = {told(model.invoke("Hello")) for _ in range(3)}
            answers.add(told(asyncio.run(model.ainvoke("Hello"))))
            said = "|".join(answers)
        finally:
            os.write(writer, said.encode())
            os._exit(0)
    os.close(writer)
    assert {told(model.invoke("Hello")) for _ in range(3)} == {expected}
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.read().decode() == expected
    os.waitpid(child, 0)


@pytest.mark.parametrize("kind", MODELS)
def test_event_loops_in_a_row_and_side_by_side(gateway: Any, kind: Any) -> None:
    """A model serves loops one after the other, and loops of several threads at once."""
    assert gateway.base_url
    model = kind()

    async def ask() -> set[str]:
        answers = await asyncio.gather(*(model.ainvoke("Hello") for _ in range(2)))
        return {told(answer) for answer in answers}

    expected = asyncio.run(ask())
    assert len(expected) == 1
    assert asyncio.run(ask()) == expected
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: asyncio.run(ask()), range(3)))
    assert found == [expected] * 3


@pytest.mark.parametrize("kind", MODELS)
def test_threads_share_a_model(gateway: Any, kind: Any) -> None:
    """Sixteen threads that ask at the same time each get their own answer."""
    assert gateway.base_url
    model, start = kind(), Barrier(THREADS)

    def ask(number: int) -> str:
        start.wait(10)
        return told(model.invoke(f"Repeat 'number {number}.'"))

    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(ask, range(THREADS)))
    if kind is not XAIImageGenerator:
        assert [f"number {number}." in answer for number, answer in enumerate(answers)] == [
            True
        ] * THREADS
