"""A gateway that mixes up endpoints with a colon: the error names the one that responded."""

from typing import Any

import pytest

from tests.core.clients import GATEWAY_CLIENTS, emulator_settings, server_settings
from tests.core.fake_server import Drop, FakeServer, json_reply
from tests.core.sync_async import Delays, open_client
from tests.core.wire import refused
from xai_lowcode.api.endpoints import INITIALIZE_UPLOAD, UPLOAD_CHUNK
from xai_lowcode.emulator import Emulator
from xai_lowcode.errors import APIConnectionError, BadRequestError, InvalidResponseError

both_clients = pytest.mark.parametrize("kind", GATEWAY_CLIENTS)


@both_clients
def test_the_error_names_the_colon_route_that_responded(
    emulator: Emulator, kind: type[Any]
) -> None:
    """If the first colon route receives all requests, the error names this endpoint."""
    emulator.colon_routes = "first_wins"
    with open_client(kind, emulator_settings(emulator)) as gateway:
        with pytest.raises(BadRequestError) as raised:
            gateway.call_method("upload_file", b"abc", name="n")
        assert "one of Initialize File Upload" in raised.value.__notes__[0]
        assert [request.upstream_route for request in emulator.requests] == [
            "/v1/files:initialize"
        ] * 2
        # The old URL format of a batch upload reaches the right endpoint.
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


@both_clients
@pytest.mark.parametrize(("operation", "body", "message"), SHAPES)
def test_a_response_of_the_other_endpoint_is_invalid(
    gateway: FakeServer, kind: type[Any], operation: Any, body: dict[str, Any], message: str
) -> None:
    """A successful response with the fields of the other endpoint is an invalid response."""
    gateway.respond = lambda _request: json_reply(body)
    with open_client(kind, server_settings(gateway)) as client:
        with pytest.raises(InvalidResponseError, match=message):
            client.call(operation, body={})
        if operation is INITIALIZE_UPLOAD:
            with pytest.raises(InvalidResponseError, match=message):
                client.call_method("upload_file", b"abc", name="n")


@both_clients
def test_the_error_names_the_last_colon_route(gateway: FakeServer, kind: type[Any]) -> None:
    """If Upload File Chunk receives all requests, the first request of an upload names it."""
    text = "Failed to deserialize the JSON body into the target type: missing field `file_id`"
    gateway.respond = lambda _request: json_reply(refused({"error": text}), 422)
    with (
        open_client(kind, server_settings(gateway)) as client,
        pytest.raises(BadRequestError) as raised,
    ):
        client.call_method("upload_file", b"abc", name="n")
    assert "one of Upload File Chunk" in raised.value.__notes__[0]


@both_clients
@pytest.mark.parametrize("operation", [UPLOAD_CHUNK, INITIALIZE_UPLOAD], ids=lambda o: o.name)
def test_an_upload_chunk_is_not_retried_after_a_drop(
    gateway: FakeServer, delays: Delays, kind: type[Any], operation: Any
) -> None:
    """A chunk is sent once, on a new connection or a reused one, also if called by its row.

    Initializing an upload is retried, since a second upload has no effect.
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
