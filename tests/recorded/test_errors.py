"""Each recorded error has one class, in every method and in the gateway's envelope."""

import asyncio
import json
from collections.abc import Callable, Iterator

import pytest

from tests.core.fake_server import Reply
from tests.core.test_error_mapping import RECORDED
from tests.core.wire import refused
from tests.recorded.bodies import Case, cases
from tests.recorded.laws import for_law
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
Method = Callable[[], object]


@pytest.fixture(scope="module")
def methods(replay: Replay) -> Iterator[dict[str, Method]]:
    """All methods of a model that does not retry."""
    connection = {"api_token": replay.api_token, "base_url": replay.base_url}
    model = ChatModel(Settings.create(**connection, max_retries=0))

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


@for_law("errors")
def test_an_error_is_equal_in_each_method_and_envelope(
    methods: dict[str, Method], replay: Replay, case: Case
) -> None:
    """Class, message, code and source depend on neither the method nor the envelope."""
    name, status = case.file.partition("/")[2].rpartition(".")[0], case.row["status"]
    stream_only = name == MIDSTREAM
    text = case.content.removeprefix(b"data: ")
    bodies = [case.content] if status < 400 else [text, dumps(refused(json.loads(text)))]
    expected = error_from_response(status, json.loads(text), {})
    assert expected is not None
    assert type(expected).__name__ == CLASSES[name]
    for body in bodies:
        kind = "text/event-stream" if stream_only else "application/json"
        replay.server.respond = lambda _request, body=body, kind=kind: Reply(  # type: ignore[misc]  # bound at once
            body, status, content_type=kind
        )
        for method, call in methods.items():
            if stream_only and not method.startswith("streamed"):
                continue
            with pytest.raises(XAILowCodeError) as raised:
                call()
            assert facts(raised.value) == facts(expected), method


def facts(error: XAILowCodeError) -> tuple[object, ...]:
    """Return what must be equal in each method."""
    details = (error.message, error.code, error.source, error.status_code, error.hint)
    return type(error), error.is_retryable, *details


def dumps(document: object) -> bytes:
    """Return JSON as bytes."""
    return json.dumps(document).encode()
