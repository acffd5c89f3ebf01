"""Start, stop and concurrency of the emulator."""

import ast
import asyncio
import gc
import json
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.cases import for_each
from tests.emulator.conftest import CONTEXT
from xai_lowcode import emulator
from xai_lowcode.emulator import (
    CutStream,
    Drop,
    Emulator,
    Endless,
    Fault,
    Huge,
    Outage,
    RecordedRequest,
    Refuse,
    Reset,
    SlowDrip,
    Stall,
    running,
)

Send = Callable[..., httpx.Response]
CHAT = {"model": "grok-4", "messages": [{"role": "user", "content": "x"}]}


def test_threads_and_sockets_end() -> None:
    """After the block the thread has ended and the port is closed."""
    before = threading.active_count()
    with running() as gateway:
        assert threading.active_count() == before + 1
        port = int(gateway.base_url.split(":")[2].split("/")[0])
    assert threading.active_count() == before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_a_port_can_be_reused() -> None:
    """A port can be reused at once, although clients were connected."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for _ in range(3):
        with running(port=port) as gateway, httpx.Client(trust_env=False) as client:
            assert gateway.base_url == f"http://127.0.0.1:{port}/xai"
            assert client.get(f"http://127.0.0.1:{port}/health-check").status_code == 200


def test_idle_connections_are_closed() -> None:
    """Idle connections are closed when the emulator stops."""
    with running() as gateway:
        port = int(gateway.base_url.split(":")[2].split("/")[0])
        line = socket.create_connection(("127.0.0.1", port), timeout=30)
        line.sendall(b"GET /health-check HTTP/1.1\r\nhost: x\r\n\r\n")
        response = b""
        while not response.endswith(b'{"status":"ok"}'):
            response += line.recv(4096)
    with line, suppress(ConnectionResetError):
        assert line.recv(4096) == b""
    # A transport that is not closed warns when it is garbage collected.
    gc.collect()


def test_connections_without_a_request_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection is closed also if the emulator stops before its first byte."""
    monkeypatch.setattr("xai_lowcode.emulator.server.TICK_SECONDS", 0.0)
    for _ in range(20):
        with running() as gateway:
            port = int(gateway.base_url.split(":")[2].split("/")[0])
            lines = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(12)]
        for line in lines:
            with line, suppress(ConnectionResetError):
                assert line.recv(4096) == b""
    # A transport that is not closed warns when it is garbage collected.
    gc.collect()


def test_stop_does_not_wait_for_a_stalled_response() -> None:
    """Stopping closes connections that wait for a response."""
    with running() as gateway:
        gateway.inject(Stall(60))
        failures: list[BaseException] = []

        def wait() -> None:
            try:
                url = gateway.base_url + "/v1/models"
                httpx.get(url, params={"api_token": gateway.api_token}, trust_env=False)
            except httpx.RemoteProtocolError as error:
                failures.append(error)

        waiting = threading.Thread(target=wait)
        waiting.start()
        while not gateway.requests:
            time.sleep(0.01)
        before = time.monotonic()
    waiting.join(30)
    assert failures
    assert time.monotonic() - before < 30


def test_loopback_only(gateway: Emulator) -> None:
    """The emulator listens on 127.0.0.1 and nowhere else."""
    port = int(gateway.base_url.split(":")[2].split("/")[0])
    with pytest.raises(OSError, match=r"refused|unreachable|assign"):
        socket.create_connection(("127.0.0.2", port), timeout=1)


def test_two_emulators() -> None:
    """Two emulators are independent."""
    with running() as one, running() as other:
        assert one.base_url != other.base_url
        response = httpx.get(
            one.base_url + "/v1/models", params={"api_token": other.api_token}, trust_env=False
        )
        assert response.status_code == 403
        assert (len(one.requests), len(other.requests)) == (1, 0)


def test_connections_are_counted(gateway: Emulator, send_chat: Send) -> None:
    """Every connection is counted once."""
    for _ in range(3):
        send_chat()
    assert gateway.connections == 1
    for _ in range(2):
        httpx.get(gateway.base_url + "/v1/models", trust_env=False)
    assert gateway.connections == 3


def test_many_threads(gateway: Emulator) -> None:
    """Requests of many threads are served concurrently."""
    gateway.latency = 0.5

    def send(number: int) -> str:
        body = {**CHAT, "messages": [{"role": "user", "content": f"number {number}"}]}
        response = httpx.post(
            gateway.base_url + "/v1/chat/completions",
            params={"api_token": gateway.api_token},
            json=body,
            trust_env=False,
        )
        return str(response.json()["result"]["choices"][0]["message"]["content"])

    before = time.monotonic()
    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(send, range(10)))
    assert all(f"number {number}" in text for number, text in enumerate(found))
    assert time.monotonic() - before < 10 * gateway.latency
    assert len(gateway.requests) == 10


async def test_many_tasks(gateway: Emulator) -> None:
    """Concurrent requests get distinct ids."""
    limits = httpx.Limits(max_connections=20)
    token = {"api_token": gateway.api_token}
    async with httpx.AsyncClient(params=token, limits=limits, trust_env=False) as client:
        url = gateway.base_url + "/v1/chat/completions"
        responses = await asyncio.gather(*(client.post(url, json=CHAT) for _ in range(50)))
    assert len({response.json()["result"]["id"] for response in responses}) == 50


def test_generated_tokens(gateway: Emulator) -> None:
    """Tokens have the gateway's prefix and are random."""
    with running() as other:
        tokens = {gateway.api_token, gateway.unconnected_token, other.api_token}
    assert len(tokens) == 3
    assert all(token.startswith("at_r") and len(token) == 36 for token in tokens)


def test_requests_can_be_compared() -> None:
    """Recorded requests are comparable and immutable."""
    one = RecordedRequest("GET", "/p", {}, None, {})
    assert one == RecordedRequest("GET", "/p", {}, None, {})
    with pytest.raises(AttributeError):
        one.path = "/q"  # type: ignore[misc]  # assigning is what must fail


def test_logs_have_no_token(
    gateway: Emulator, send_chat: Send, caplog: pytest.LogCaptureFixture
) -> None:
    """The log of the server has no token."""
    with caplog.at_level(logging.DEBUG):
        send_chat()
    assert all(
        gateway.api_token not in record.getMessage()
        for record in caplog.records
        if record.name.startswith("uvicorn")
    )


FOLDER = Path(emulator.__file__).parent
MODULES = sorted(FOLDER.rglob("*.py"))


@for_each("path", MODULES)
def test_the_emulator_imports_no_module_of_the_client(path: Path) -> None:
    """No module imports a module of the client, and each has a docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [str(node.module)]
        for name in names:
            assert not name.startswith("xai_lowcode") or name.startswith("xai_lowcode.emulator")


def test_example_in_the_docstring() -> None:
    """The example of `running` runs."""
    text = running.__doc__ or ""
    lines = [
        line.strip()[4:] for line in text.splitlines() if line.strip().startswith((">>>", "..."))
    ]
    exec("\n".join(lines), {})  # noqa: S102 - the example is our own


LINE = re.compile(
    r"(?P<method>[A-Z]+) (?P<path>/\S*) model=(?P<model>\S+) streamed=(?P<streamed>yes|no)"
    r" status=(?P<status>\d{3}|-) client_left=(?P<client_left>yes|no)"
)


def parse_log(caplog: pytest.LogCaptureFixture) -> list[dict[str, str]]:
    """Return the fields of the emulator's log lines."""
    lines = [record for record in caplog.records if record.name == "xai_lowcode.emulator"]
    matches = [LINE.fullmatch(record.getMessage()) for record in lines]
    assert all(matches), lines
    return [match.groupdict() for match in matches if match]


def wait_for_line(caplog: pytest.LogCaptureFixture) -> None:
    """Wait for a line in the log; a response ends before its line."""
    end = time.monotonic() + 10
    while not parse_log(caplog):
        assert time.monotonic() < end
        time.sleep(0.01)


@for_each("path", ["/xai/v1/chat/completions", "/xai/v1/nothing", "/v1/at_r12345"])
@for_each("stream", [True, False, None])
@for_each("fault", [None, Refuse(503), Drop(), CutStream(1), Reset(), Outage(0.01)])
@for_each("model", ["grok-4", "grok-typo", "a b\nPOST /c", None])
def test_each_request_is_one_line_in_the_log(
    caplog: pytest.LogCaptureFixture,
    path: str,
    stream: bool | None,
    fault: Fault | None,
    model: str | None,
) -> None:
    """The line has path, model, streaming and status, but no token, no query and no line break."""
    caplog.clear()
    with running() as gateway:
        check_line(gateway, caplog, path, stream, fault, model)


def check_line(
    gateway: Emulator,
    caplog: pytest.LogCaptureFixture,
    path: str,
    stream: bool | None,
    fault: Fault | None,
    model: str | None,
) -> None:
    """Send a request, with a fault, and check its line."""
    if fault is not None:
        gateway.inject(fault)
    body = {**CHAT, "model": model, "stream": stream}
    status = "-"
    query = {"api_token": gateway.api_token, "other": "x"}
    with caplog.at_level(logging.INFO, "xai_lowcode.emulator"):
        url = gateway.origin + path
        with (
            suppress(httpx.TransportError),
            httpx.Client(trust_env=False, verify=CONTEXT) as client,
            client.stream("POST", url, params=query, json=body) as response,
        ):
            status = str(response.status_code)
            response.read()
        wait_for_line(caplog)
    [line] = parse_log(caplog)
    is_known = path.startswith("/xai")
    assert line == {
        "method": "POST",
        "path": path.replace("at_r12345", "at_…"),
        "model": re.sub(r"\s", "?", model or "-") if is_known else "-",
        "streamed": "yes" if stream and is_known else "no",
        "status": status,
        "client_left": "no",
    }
    assert gateway.api_token not in caplog.text
    if is_known:
        request = gateway.requests[-1]
        assert (str(request.status or "-"), request.client_left) == (status, False)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("fault", [Stall(30), SlowDrip(0.05), Endless()])
def test_a_disconnected_client_is_recorded_at_once(
    gateway: Emulator, caplog: pytest.LogCaptureFixture, fault: Fault, stream: bool
) -> None:
    """The client closed the connection before the end; the emulator did not."""
    gateway.inject(fault)
    timeout = 0.3 if isinstance(fault, Stall) else 30
    body = {**CHAT, "stream": stream}
    query = {"api_token": gateway.api_token}
    with caplog.at_level(logging.INFO, "xai_lowcode.emulator"):
        with (
            httpx.Client(trust_env=False, timeout=timeout, base_url=gateway.base_url) as client,
            suppress(httpx.ReadTimeout),
            client.stream("POST", "/v1/chat/completions", params=query, json=body) as response,
        ):
            next(response.iter_raw())
        wait_for_line(caplog)
    [line] = parse_log(caplog)
    assert line["client_left"] == "yes"
    request = gateway.requests[-1]
    assert request.client_left
    assert request.status == (None if isinstance(fault, Stall) else 200)
    gateway.reset()
    with httpx.Client(trust_env=False, base_url=gateway.base_url, params=query) as client:
        for _ in range(2):
            client.post("/v1/chat/completions", json=CHAT)
    assert [each.client_left for each in gateway.requests] == [False, False]


@contextmanager
def idle_client(gateway: Emulator) -> Iterator[RecordedRequest]:
    """A client that sends a request, and neither reads nor closes the connection."""
    body = json.dumps({**CHAT, "stream": True}).encode()
    host, port = gateway.origin.removeprefix("http://").split(":")
    target = f"/xai/v1/chat/completions?api_token={gateway.api_token}"
    head = f"POST {target} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        while not gateway.requests:
            time.sleep(0.01)
        time.sleep(0.3)  # until a response that has no end fills the buffers
        yield gateway.requests[-1]


@pytest.mark.parametrize("fault", [Stall(30), Endless(), Huge(50)])
def test_a_stopped_emulator_closes_connections_itself(fault: Fault) -> None:
    """The emulator closes the connections when it stops, not the client."""
    with ExitStack() as clients:
        with running() as gateway:
            gateway.inject(fault)
            request = clients.enter_context(idle_client(gateway))
        assert not request.client_left


@pytest.mark.parametrize("fault", [Stall(2), Endless()])
def test_a_crashed_gateway_closes_all_connections(fault: Fault) -> None:
    """A crash closes the other connections too."""
    with running(url_forms="old_new_drops", restart_seconds=0.1) as gateway:
        gateway.inject(fault)
        query = {"api_token": gateway.api_token}
        with idle_client(gateway) as request, suppress(httpx.TransportError):
            httpx.get(f"{gateway.base_url}/v1/models/grok-4.3", params=query, trust_env=False)
        assert gateway.crashes == 1
        time.sleep(0.1)
        assert not request.client_left
