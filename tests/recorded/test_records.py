"""The endpoint's row parses each recorded response in each envelope, and loses nothing.

There is no network: the bytes are sent to the generator of the call.
"""

import json
from typing import Any

import pytest

from tests.core.fake_server import TOKEN
from tests.core.test_records import assert_has_all_fields
from tests.core.wire import ENVELOPES, wrapped
from tests.recorded.bodies import Case, cases
from tests.recorded.laws import for_law
from xai_lowcode.api import endpoints as operations
from xai_lowcode.protocol.call_flow import call_and_parse
from xai_lowcode.protocol.endpoint import Endpoint, parse_object
from xai_lowcode.protocol.steps import Call, HTTPResponse, SendRequest
from xai_lowcode.settings import Settings
from xai_lowcode.transport.config import create_context
from xai_lowcode.types.images import ImageBatch
from xai_lowcode.types.resources import Resource

if not cases():
    pytest.skip("the recorded bodies are not beside the repository", allow_module_level=True)

o = operations
ROWS = {
    (row.method, row.path): row for row in vars(operations).values() if isinstance(row, Endpoint)
}
# Endpoints that the gateway does not have, with rows whose responses have the same schema.
SIMILAR_ROWS: dict[tuple[str, str], Endpoint[Any]] = {
    ("GET", "/v1/embedding-models"): o.LIST_LANGUAGE_MODELS,
    ("GET", "/v1/embedding-models/{model_id}"): o.RETRIEVE_MODEL,
    ("GET", "/v1/video-generation-models"): o.LIST_LANGUAGE_MODELS,
    ("GET", "/v1/video-generation-models/{model_id}"): o.RETRIEVE_MODEL,
    ("POST", "/v1/files"): o.GET_FILE,
    ("POST", "/v1/images/edits"): o.CREATE_IMAGE_GENERATION,
}
CONTEXT = create_context(Settings.create(api_token=TOKEN, base_url="http://127.0.0.1:1/xai"))


def row_of(case: Case) -> Endpoint[Any]:
    """Return the row of the endpoint; without one, the row that a user would write."""
    place = (case.row["method"], case.row["endpoint"])
    row = ROWS.get(place) or SIMILAR_ROWS.get(place)
    if row is None or "request_id" in case.json:
        return Endpoint("Custom", *place, parse_object(*case.json))
    return row


@for_law("records")
def test_every_response_is_parsed_in_every_envelope(case: Case) -> None:
    """Each field of the body is in the parsed result, whatever its envelope."""
    row = row_of(case)
    ids = {part[1:-1]: "x" for part in row.path.split("/") if part.startswith("{")}
    for envelope in ENVELOPES:
        flow = call_and_parse(Call(row, ids=ids), CONTEXT)
        assert isinstance(next(flow), SendRequest)
        content = json.dumps(wrapped(case.json, envelope)).encode()
        with pytest.raises(StopIteration) as settled:
            flow.send(HTTPResponse(200, {}, content))
        check_lossless(settled.value.value, case.json)


def check_lossless(parsed: Any, body: Any) -> None:
    """Compare the parsed result with the body, field by field."""
    if isinstance(parsed, ImageBatch):
        for image, expected in zip(parsed.images, body["data"], strict=True):
            assert (image.url, image.base64) == (expected.get("url"), expected.get("b64_json"))
        assert parsed.cost_ticks == body.get("usage", {}).get("cost_in_usd_ticks")
    elif isinstance(parsed, list):
        (expected,) = (list_ for list_ in body.values() if isinstance(list_, list))
        assert_has_all_fields(parsed, expected)
        assert all(isinstance(item, Resource) for item in parsed)
    else:
        assert_has_all_fields(parsed, body)
