"""Arguments of gateways and chat models that are of another type raise before anything is sent."""

import asyncio
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from tests.cases import for_each
from tests.core.clients import GATEWAY_CLIENTS, emulator_settings, server_settings
from tests.core.fake_server import FakeServer
from tests.core.sync_async import open_client
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.emulator import Emulator, running
from xai_lowcode.errors import UsageError
from xai_lowcode.types.messages import Message
from xai_lowcode.types.requests import ChatRequest

both_clients = pytest.mark.parametrize("kind", GATEWAY_CLIENTS)

INVALID: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
    ("upload_file", (BytesIO(b"x"),), {"name": "n"}, "source"),
    ("upload_file", (bytearray(b"x"),), {"name": "n"}, "source"),
    ("upload_file", (None,), {"name": "n"}, "source"),
    ("upload_file", (b"x",), {"name": 3}, "name"),
    ("upload_file", (b"x",), {"name": Path("n")}, "name"),
    ("upload_file", (b"x",), {"name": "n", "content_type": b"text/plain"}, "content_type"),
    ("upload_file", (b"x",), {"name": "n", "chunk_size": 2.5}, "chunk_size"),
    ("upload_file", (b"x",), {"name": "n", "chunk_size": "5"}, "chunk_size"),
    ("upload_file", (b"x",), {"name": "n", "chunk_size": None}, "chunk_size"),
    ("upload_file", (b"x",), {"name": "n", "chunk_size": True}, "chunk_size"),
    ("create_images", ("A fox",), {}, "request"),
    ("create_images", ({"prompt": "A fox"},), {}, "request"),
    ("embed", (["A fox"],), {}, "request"),
    ("poll_deferred_completion", ("id", {"timeout": 1}), {}, "options"),
    ("list_files", (), {"limit": "5"}, "limit"),
    ("list_files", (), {"limit": None}, "limit"),
]


@both_clients
@for_each(("method", "args", "options", "field"), INVALID)
def test_invalid_types_are_not_sent(
    gateway: FakeServer,
    kind: type[Any],
    method: str,
    args: tuple[Any, ...],
    options: dict[str, Any],
    field: str,
) -> None:
    """The error names the argument; nothing is sent, not even the start of an upload."""
    with (
        open_client(kind, server_settings(gateway)) as client,
        pytest.raises(UsageError, match=f"^{field}: ") as raised,
    ):
        client.call_method(method, *args, **options)
    assert raised.value.field == field
    assert gateway.requests == []


@both_clients
def test_content_in_place_of_a_path(gateway: FakeServer, kind: type[Any]) -> None:
    """The error about a path that is the content of a file quotes its beginning only."""
    with (
        open_client(kind, server_settings(gateway)) as client,
        pytest.raises(UsageError, match="characters") as raised,
    ):
        client.call_method("upload_file", "remember the milk, " * 1000, name="n.txt")
    assert len(str(raised.value)) < 300


@pytest.fixture
def emulator() -> Any:
    """An emulator."""
    with running() as served:
        yield served


@both_clients
def test_a_chunk_larger_than_memory(emulator: Emulator, kind: type[Any], tmp_path: Path) -> None:
    """A file is sent in one chunk if the chunk size is larger than any memory."""
    path = tmp_path / "notes.txt"
    path.write_bytes(b"remember the milk")
    with open_client(kind, emulator_settings(emulator)) as client:
        record = client.call_method("upload_file", path, chunk_size=10**15)
    assert record.size == len(b"remember the milk")
    assert len(emulator.requests) == 2


REQUEST = ChatRequest(model="grok-4.7", messages=[Message.from_text("user", "Hello")])


@for_each(
    ("request_", "polling", "field"),
    [
        ("Hello", None, "request"),
        ({"model": "grok-4.7"}, None, "request"),
        (REQUEST, {"timeout": 1}, "polling"),
    ],
)
def test_invalid_chat_requests_are_not_sent(
    gateway: FakeServer, request_: Any, polling: Any, field: str
) -> None:
    """A chat request, plain or streamed, sync or async, and options of polling have a type."""
    model = ChatModel(server_settings(gateway))
    calls: list[Any] = [
        lambda: model.generate(request_, polling),
        lambda: asyncio.run(model.agenerate(request_, polling)),
    ]
    if polling is None:
        calls += [lambda: model.stream(request_), lambda: model.astream(request_)]
    for call in calls:
        with pytest.raises(UsageError, match=f"^{field}: must be of type") as raised:
            call()
        assert raised.value.field == field
    assert gateway.requests == []
