"""Chat Completions (``/v1/chat/completions``), xAI's version of OpenAI's API.

Differences seen in recorded responses: reasoning tokens are counted beside completion tokens; a
tool call arrives whole in one chunk; empty deltas are heartbeats; the usage chunk has no choices.
"""

from xai_lowcode.api.chat_endpoints import CREATE_CHAT_COMPLETION
from xai_lowcode.chat.dialects.base import Decoder, Dialect
from xai_lowcode.chat.dialects.chat_completions.request import render_request
from xai_lowcode.chat.dialects.chat_completions.response import is_complete, parse_response


def _create_decoder() -> Decoder:
    from xai_lowcode.chat.dialects.chat_completions.stream import ChatCompletionsDecoder  # noqa: PLC0415 - on first use

    return ChatCompletionsDecoder()


DIALECT = Dialect(
    name="chat_completions",
    endpoint=CREATE_CHAT_COMPLETION,
    render=render_request,
    parse=parse_response,
    is_complete=is_complete,
    decoder=_create_decoder,
    unsupported=frozenset(
        {
            "prompt_cache_key",
            "reasoning_summary",
            "top_k",
            "min_p",
            "guidelines",
            "no_inline_citations",
        }
    ),
)
