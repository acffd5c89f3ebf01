"""Messages (``/v1/messages``), xAI's version of Anthropic's API, which xAI has deprecated.

No response of it is recorded. Sources: xAI's OpenAPI document and Anthropic's documentation. It has
no response formats and no reasoning effort.
"""

from xai_lowcode.api.chat_endpoints import CREATE_MESSAGE
from xai_lowcode.chat.dialects.base import Decoder, Dialect
from xai_lowcode.chat.dialects.messages.request import render_request
from xai_lowcode.chat.dialects.messages.response import is_complete, parse_response


def _create_decoder() -> Decoder:
    from xai_lowcode.chat.dialects.messages.stream import MessagesDecoder  # noqa: PLC0415 - on first use

    return MessagesDecoder()


DIALECT = Dialect(
    name="messages",
    endpoint=CREATE_MESSAGE,
    render=render_request,
    parse=parse_response,
    is_complete=is_complete,
    decoder=_create_decoder,
    unsupported=frozenset(
        {
            "seed",
            "presence_penalty",
            "frequency_penalty",
            "logprobs",
            "top_logprobs",
            "prompt_cache_key",
            "reasoning_effort",
            "reasoning_summary",
            "service_tier",
            "min_p",
            "safety_identifier",
            "guidelines",
            "no_inline_citations",
        }
    ),
)
