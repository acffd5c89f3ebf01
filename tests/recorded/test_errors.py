"""Law: every recorded refusal has one class, in every way of asking and in the gateway's dress."""

import asyncio
import json
from collections.abc import Callable, Iterator

import pytest

from tests.core.fake_server import Reply
from tests.core.test_error_mapping import RECORDED
from tests.core.wire import refused
from tests.recorded.bodies import Case, cases
from tests.recorded.laws import under
from tests.recorded.parsing import QUESTION
from tests.recorded.replay import Replay
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.errors import XAILowCodeError
from xai_lowcode.protocol.error_mapping import error_from_response
from xai_lowcode.settings import Settings
from xai_lowcode.types.requests import ChatRequest

if not cases():
    pytest.skip("the recorded bodies are not beside the repository", allow_module_level=True)

MIDSTREAM = "200-midstream-error"
CLASSES = {**RECORDED, MIDSTREAM: "BadRequestError"}
REQUEST = ChatRequest(model="grok-4.7", messages=(QUESTION,))
Way = Callable[[], object]


@pytest.fixture(scope="module")
def ways(replay: Replay) -> Iterator[dict[str, Way]]:
    """All ways of asking a model that does not ask twice."""
    reach = {"api_token": replay.api_token, "base_url": replay.base_url}
    model = ChatModel(Settings.create(**reach, max_retries=0))

    async def streamed() -> object:
        return [event async for event in model.astream(REQUEST)]

    with asyncio.Runner() as runner:
        yield {
            "sync": lambda: model.generate(REQUEST),
            "async": lambda: runner.run(model.agenerate(REQUEST)),
            "streamed": lambda: list(model.stream(REQUEST)),
            "streamed async": lambda: runner.run(streamed()),
        }
        runner.run(model.async_client.aclose())
    model.client.close()


@under("errors")
def test_one_refusal_is_one_error(ways: dict[str, Way], replay: Replay, case: Case) -> None:
    """Naked and as the gateway passes it on, sync and async: one class, text, code and source."""
    name, status = case.file.partition("/")[2].rpartition(".")[0], case.row["status"]
    stream_only = name == MIDSTREAM
    text = case.content.removeprefix(b"data: ")
    bodies = [case.content] if status < 400 else [text, dumps(refused(json.loads(text)))]
    sought = error_from_response(status, json.loads(text), {})
    assert sought is not None
    assert type(sought).__name__ == CLASSES[name]
    for body in bodies:
        kind = "text/event-stream" if stream_only else "application/json"
        replay.server.respond = lambda _request, body=body, kind=kind: Reply(  # type: ignore[misc]  # bound at once
            body, status, content_type=kind
        )
        for way, ask in ways.items():
            if stream_only and not way.startswith("streamed"):
                continue
            with pytest.raises(XAILowCodeError) as raised:
                ask()
            assert facts(raised.value) == facts(sought), way


def facts(error: XAILowCodeError) -> tuple[object, ...]:
    """What must not depend on the way."""
    told = (error.message, error.code, error.source, error.status_code, error.hint)
    return type(error), error.is_retryable, *told


def dumps(document: object) -> bytes:
    """JSON as bytes."""
    return json.dumps(document).encode()
