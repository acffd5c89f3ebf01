"""Law: where a gateway mixes up endpoints with a colon, the error says which one answered."""

from typing import Any

import pytest

from tests.core.clients import GATEWAY_CLIENTS, emulator_settings, server_settings
from tests.core.fake_server import Drop, FakeServer, json_reply
from tests.core.sync_async import Delays, open_client
from tests.core.wire import refused
from xai_lowcode.api.endpoints import INITIALIZE_UPLOAD, UPLOAD_CHUNK
from xai_lowcode.emulator import Emulator
from xai_lowcode.errors import APIConnectionError, BadRequestError, InvalidResponseError

both = pytest.mark.parametrize("kind", GATEWAY_CLIENTS)


@both
def test_the_first_colon_route_is_told(emulator: Emulator, kind: type[Any]) -> None:
    """Where one colon endpoint takes all, the error says which one seems to have answered."""
    emulator.colon_routes = "first_wins"
    with open_client(kind, emulator_settings(emulator)) as gateway:
        with pytest.raises(BadRequestError) as raised:
            gateway.call_method("upload_file", b"abc", name="n")
        assert "one of Initialize File Upload" in raised.value.__notes__[0]
        assert [request.upstream_route for request in emulator.requests] == [
            "/v1/files:initialize"
        ] * 2
        # Of a batch the old form reaches the right place.
        emulator.url_forms = "both"
        batch = gateway.call_method("batch_upload", {"files": []}).batch_job_id
        assert gateway.call_method("complete_batch_upload", batch).batch_job_id == batch


SHAPES = [
    (UPLOAD_CHUNK, {"file_id": "f", "metadata": {}}, "looks like one of Initialize File Upload"),
    (UPLOAD_CHUNK, {"file_id": "f"}, "looks like one of Initialize File Upload"),
    (
        INITIALIZE_UPLOAD,
        {"file_id": "f", "size_bytes": "3", "upload_status": "Complete"},
        "looks like one of Upload File Chunk",
    ),
]


@both
@pytest.mark.parametrize(("operation", "body", "words"), SHAPES)
def test_the_shape_of_a_colon_answer_is_checked(
    gateway: FakeServer, kind: type[Any], operation: Any, body: dict[str, Any], words: str
) -> None:
    """A success with the shape of the other endpoint is no success."""
    gateway.respond = lambda _request: json_reply(body)
    with open_client(kind, server_settings(gateway)) as client:
        with pytest.raises(InvalidResponseError, match=words):
            client.call(operation, body={})
        if operation is INITIALIZE_UPLOAD:
            with pytest.raises(InvalidResponseError, match=words):
                client.call_method("upload_file", b"abc", name="n")


@both
def test_the_other_order_is_told(gateway: FakeServer, kind: type[Any]) -> None:
    """Where Upload File Chunk takes all, the first step of an upload says so."""
    text = "Failed to deserialize the JSON body into the target type: missing field `file_id`"
    gateway.respond = lambda _request: json_reply(refused({"error": text}), 422)
    with (
        open_client(kind, server_settings(gateway)) as client,
        pytest.raises(BadRequestError) as raised,
    ):
        client.call_method("upload_file", b"abc", name="n")
    assert "one of Upload File Chunk" in raised.value.__notes__[0]


@both
@pytest.mark.parametrize("operation", [UPLOAD_CHUNK, INITIALIZE_UPLOAD], ids=lambda o: o.name)
def test_a_piece_adds_up_however_it_is_sent(
    gateway: FakeServer, delays: Delays, kind: type[Any], operation: Any
) -> None:
    """Called by its row too, a piece is not sent again after a drop, on a kept connection or not.

    To begin an upload twice does no harm.
    """
    ready = json_reply({"file_id": "f", **({"bytes": 1} if operation is UPLOAD_CHUNK else {})})
    for warm in (False, True):
        gateway.script([*[ready] * warm, Drop(), ready, ready])
        with open_client(kind, server_settings(gateway, max_retries=3)) as client:
            if warm:
                client.call(operation, body={})
            if operation is UPLOAD_CHUNK:
                with pytest.raises(APIConnectionError):
                    client.call(operation, body={})
            else:
                assert client.call(operation, body={}).file_id == "f"
        assert len(gateway.requests) == warm + (1 if operation is UPLOAD_CHUNK else 2)
    assert len(delays) == (0 if operation is UPLOAD_CHUNK else 1)
