"""Responses (``/v1/responses``), xAI's version of OpenAI's API.

Differences seen in recorded responses: ids of items repeat, so only their order counts; a response
with pending tool calls is "completed"; output tokens include reasoning; a stream has no ``[DONE]``.
"""

from xai_lowcode.api.chat_endpoints import CREATE_RESPONSE
from xai_lowcode.chat.dialects.base import Decoder, Dialect
from xai_lowcode.chat.dialects.responses.request import render_request
from xai_lowcode.chat.dialects.responses.response import is_complete, parse_response


def _create_decoder() -> Decoder:
    from xai_lowcode.chat.dialects.responses.stream import ResponsesDecoder  # noqa: PLC0415 - on first use

    return ResponsesDecoder()


DIALECT = Dialect(
    name="responses",
    endpoint=CREATE_RESPONSE,
    render=render_request,
    parse=parse_response,
    is_complete=is_complete,
    decoder=_create_decoder,
    unsupported=frozenset({"stop", "presence_penalty", "frequency_penalty"}),
)
