"""The web server of the examples: a browser that disconnects ends its upstream stream.

uvicorn in a thread, raw sockets as browsers, and an emulator whose streams never end by themselves.
"""

import asyncio
import importlib
import json
import re
import socket
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from llama_index.core.agent.workflow import AgentStream, FunctionAgent
from llama_index.core.llms import ChatMessage

from langchain_xai_lowcode import ChatXAILowCode
from llama_index_xai_lowcode import XAILowCode
from xai_lowcode.emulator import Emulator, Endless, Refuse, response_writer, running
from xai_lowcode.emulator.response_channel import ResponseChannel

# A warning of LlamaIndex's workflows.
pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")
pytest.importorskip("fastapi")
uvicorn = pytest.importorskip("uvicorn")

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "web-servers.md"
BROWSERS = 10
TIMEOUT = 30.0
LINES = "one\n\ntwo\r\nthree\n"


class Upstreams:
    """The streams that the emulator is sending; `writes` has the number of writes of each."""

    def __init__(self) -> None:
        self.writes: dict[ResponseChannel, int] = {}
        self._changed = threading.Condition()

    def wait(self, condition: Callable[[], bool]) -> bool:
        """Wait until a condition holds; False if it does not within `TIMEOUT`."""
        with self._changed:
            return self._changed.wait_for(condition, TIMEOUT)

    def count(self, number: int) -> bool:
        """Wait until this number of streams is open."""
        return self.wait(lambda: len(self.writes) == number)

    def continues(self) -> bool:
        """Wait until each open stream has had some more writes; False if one of them ends."""
        with self._changed:
            later = {channel: writes + 3 for channel, writes in self.writes.items()}
        return self.wait(
            lambda: all(self.writes.get(key, 0) >= number for key, number in later.items())
        )

    def wrap(self, send_chunks: Callable[..., Any]) -> Callable[..., Any]:
        """Return `send_chunks` that reports to this object."""

        async def wrapped(channel: ResponseChannel, *arguments: Any) -> None:
            write = channel.write

            async def counted(body: bytes) -> None:
                with self._changed:
                    self.writes[channel] += 1
                    self._changed.notify_all()
                await write(body)

            channel.write = counted  # type: ignore[method-assign]
            self.writes[channel] = 0
            try:
                await send_chunks(channel, *arguments)
            finally:
                with self._changed:
                    del self.writes[channel]
                    self._changed.notify_all()

        return wrapped


@pytest.fixture
def upstreams(monkeypatch: pytest.MonkeyPatch) -> Upstreams:
    upstreams = Upstreams()
    send_chunks = upstreams.wrap(response_writer.send_chunks)
    monkeypatch.setattr(response_writer, "send_chunks", send_chunks)
    return upstreams


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    with running() as gateway:
        monkeypatch.setenv("LOWCODEAPI_API_TOKEN", gateway.api_token)
        monkeypatch.setenv("LOWCODEAPI_BASE_URL", gateway.base_url)
        yield gateway


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    return importlib.import_module("web_server")


@contextmanager
def run_server(app: Any) -> Iterator[tuple[str, int]]:
    """Run uvicorn in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, ws="none", log_config=None, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
        thread.start()
        try:
            yield listener.getsockname()
        finally:
            server.should_exit = True
            thread.join(TIMEOUT)


class Browser:
    """A raw socket that posts a prompt and reads the response."""

    def __init__(self, address: tuple[str, int], prompt: str = "Say 'a b c'") -> None:
        body = json.dumps({"prompt": prompt}).encode()
        head = "POST /chat HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        self._socket = socket.create_connection(address, TIMEOUT)
        self._socket.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        self._received = b""

    def read_until(self, text: str) -> str:
        """Read until a text is received; return everything received."""
        while text.encode() not in self._received:
            received = self._socket.recv(4096)
            assert received, self._received
            self._received += received
        return self._received.decode()

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


def get_json(address: tuple[str, int], path: str) -> tuple[int, Any]:
    """Send a GET request."""
    with socket.create_connection(address, TIMEOUT) as connection:
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())
        received = connection.makefile("rb").read().decode()
    head, _, body = received.partition("\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


@contextmanager
def connected_browsers(
    app: Any, gateway: Emulator, upstreams: Upstreams
) -> Iterator[list[Browser]]:
    """Yield browsers that have received the first text; the streams of the gateway do not end."""
    gateway.inject(*[Endless()] * BROWSERS)
    with ExitStack() as stack:
        address = stack.enter_context(run_server(app))
        browsers = [Browser(address) for _ in range(BROWSERS)]
        for browser in browsers:
            stack.callback(browser.close)
            browser.read_until("event: text")
        assert upstreams.count(BROWSERS)
        yield browsers


async def stream_chat_model(_: Any, prompt: str) -> AsyncGenerator[str, None]:
    async for chunk in ChatXAILowCode().astream(prompt):
        yield chunk.text


async def stream_llama_index(_: Any, prompt: str) -> AsyncGenerator[str, None]:
    async for response in await XAILowCode().astream_chat([ChatMessage(prompt)]):
        yield response.delta or ""


async def stream_llama_index_agent(_: Any, prompt: str) -> AsyncGenerator[str, None]:
    """Stream an agent of LlamaIndex, as on the page."""
    handler = FunctionAgent(tools=[], llm=XAILowCode()).run(prompt)
    try:
        async for event in handler.stream_events():
            if isinstance(event, AgentStream):
                yield event.delta
        await handler
    finally:
        await handler.cancel_run()


STREAMS: dict[str, Any] = {
    "LangGraph": None,  # the example's own
    "LlamaIndex agent": stream_llama_index_agent,
    "LangChain chat model": stream_chat_model,
    "LlamaIndex chat": stream_llama_index,
}


@pytest.fixture
def app(request: pytest.FixtureRequest, example: ModuleType, monkeypatch: Any) -> Any:
    """The example's app with another stream."""
    monkeypatch.setattr(example, "stream_text", STREAMS[request.param] or example.stream_text)
    return example.app


@pytest.mark.parametrize("app", STREAMS, indirect=True)
def test_browsers_that_disconnect_end_their_upstream_streams(
    app: Any, gateway: Emulator, upstreams: Upstreams
) -> None:
    """Half of the browsers disconnect: their streams end, and those of the others continue."""
    with connected_browsers(app, gateway, upstreams) as browsers:
        for browser in browsers[::2]:
            browser.close()
        assert upstreams.count(BROWSERS // 2)
        assert upstreams.continues()
        for browser in browsers:
            browser.close()
        assert upstreams.count(0)


@pytest.mark.parametrize(
    ("app", "ends"),
    [(name, name not in {"LangGraph", "LlamaIndex agent"}) for name in STREAMS],
    indirect=["app"],
    ids=STREAMS,
)
def test_without_its_own_task_the_upstream_stream_of_an_agent_continues(
    app: Any,
    ends: bool,
    example: ModuleType,
    gateway: Emulator,
    upstreams: Upstreams,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The reason for `in_own_task`. If this fails, agents end without it: simplify the example."""
    disconnected = threading.Semaphore(0)

    async def directly(items: Any) -> Any:
        try:
            async for item in items:
                yield item
        finally:
            disconnected.release()

    monkeypatch.setattr(example, "in_own_task", directly)
    with connected_browsers(app, gateway, upstreams) as browsers:
        for browser in browsers:
            browser.close()
        assert all(disconnected.acquire(timeout=TIMEOUT) for _ in browsers)
        if ends:
            assert upstreams.count(0)
        else:
            assert len(upstreams.writes) == BROWSERS
            assert upstreams.continues()
            assert len(upstreams.writes) == BROWSERS


def test_events(example: ModuleType, gateway: Emulator) -> None:
    """The events are the text and the end; an error is an event, without the token."""
    with run_server(example.app) as address:
        with closing(Browser(address, "Use get_weather for 'Vienna'.")) as browser:
            events = browser.read_until("event: end")
        texts = re.findall(r"event: text\r?\ndata: (.*)", events)
        assert "Sunny in Vienna." in "".join(map(json.loads, texts))
        assert len(gateway.requests) == 2
        gateway.reply(LINES)
        with closing(Browser(address)) as browser:
            events = browser.read_until("event: end")
        texts = re.findall(r"event: text\r?\ndata: (.*)", events)
        assert "".join(map(json.loads, texts)) == LINES
        gateway.inject(Refuse(400, "Wrong"))
        with closing(Browser(address)) as browser:
            events = browser.read_until('"retryable": false}')
        assert 'event: error\ndata: {"type": "BadRequestError"' in events
        assert gateway.api_token not in events


def test_health_checks(example: ModuleType, gateway: Emulator) -> None:
    """Readiness follows the gateway, liveness does not."""
    with run_server(example.app) as address:
        assert get_json(address, "/health/ready") == (200, {"status": "ok"})
        gateway.inject(*[Refuse(503, "Unavailable")] * 2)
        assert get_json(address, "/health/ready") == (503, {"status": "InternalServerError"})
        assert get_json(address, "/health/live") == (200, {"status": "ok"})


@pytest.mark.parametrize("name", ["in_own_task", "stream_text", "to_event", "stream_events"])
def test_the_page_has_the_function_of_the_example(name: str) -> None:
    """The page quotes the functions as they are in the example."""
    function = re.compile(rf"^(?:async )?def {name}\(.*\n(?:\n*    .*\n)+", re.MULTILINE)
    quoted, original = map(
        function.search, (PAGE.read_text(), (ROOT / "examples" / "web_server.py").read_text())
    )
    assert quoted
    assert original
    assert quoted[0] == original[0]
