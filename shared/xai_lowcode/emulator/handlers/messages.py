"""The room of messages in Anthropic's form."""

from xai_lowcode.emulator.fake_model.decide import considered
from xai_lowcode.emulator.handler_types import Answer, Ask, invalid
from xai_lowcode.emulator.rules.chat import check_chat_model, check_request
from xai_lowcode.emulator.schemas.messages import MESSAGE_REQUEST
from xai_lowcode.emulator.serializers import messages as writing
from xai_lowcode.emulator.serializers.messages import as_chat

SHAPE = MESSAGE_REQUEST


async def create(ask: Ask) -> Answer:
    """Answers a conversation."""
    body = ask.body
    check_chat_model(body)
    if body["max_tokens"] < 1:
        raise invalid(f"Invalid argument: max_tokens must be positive, got {body['max_tokens']}")
    chat = as_chat(body)
    check_request(chat)
    completion = considered(chat, ask.sequence)
    streamed = bool(body.get("stream"))
    return Answer(
        writing.whole(completion),
        writing.frames(completion) if streamed else None,
        writing.PING if streamed else None,
    )
