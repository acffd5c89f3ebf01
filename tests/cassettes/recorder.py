"""How conversations are recorded and matched; recording and replaying share it."""

from pathlib import Path
from typing import Any

import vcr

FOLDER = Path(__file__).parent
EMULATOR_PORT = 18787
BASE_URLS = {
    "emulator": f"http://127.0.0.1:{EMULATOR_PORT}/xai",
    "hosted": "https://api.lowcodeapi.com/xai",
}
_KEPT = {"content-type"}


def recorder(mode: str) -> Any:
    """A vcr whose cassettes hold of the headers only the content type.

    No filter for the token is needed: it is not in the URL that a cassette stores.
    """
    return vcr.VCR(
        record_mode=mode,
        match_on=("method", "uri", "body"),
        before_record_request=_without_headers,
        before_record_response=_without_response_headers,
        decode_compressed_response=True,
    )


def _without_headers(request: Any) -> Any:
    request.headers = {
        name: value for name, value in request.headers.items() if name.lower() in _KEPT
    }
    return request


def _without_response_headers(response: dict[str, Any]) -> dict[str, Any]:
    headers = response["headers"]
    kept = {name: value for name, value in headers.items() if name.lower() in _KEPT}
    return {**response, "headers": kept}
