"""The room of chat completions."""

import uuid

from xai_lowcode.emulator.fake_model.decide import considered
from xai_lowcode.emulator.handler_types import Answer, Ask
from xai_lowcode.emulator.rules.chat import check_chat_model, check_request
from xai_lowcode.emulator.schemas.chat import CHAT_REQUEST
from xai_lowcode.emulator.serializers import chat_completions as writing
from xai_lowcode.emulator.state import SPACE, Ticket

SHAPE = CHAT_REQUEST


async def complete(ask: Ask) -> Answer:
    """Answers a conversation, at once or with a ticket for later."""
    check_chat_model(ask.body)
    check_request(ask.body)
    completion = considered(ask.body, ask.sequence)
    if ask.body.get("deferred"):
        name = str(uuid.uuid5(SPACE, f"deferred/{ask.sequence}"))
        ask.desk.store.tickets.put(name, Ticket(writing.whole(completion)))
        return Answer({"request_id": name})
    streamed = bool(ask.body.get("stream"))
    return Answer(
        writing.whole(completion),
        writing.frames(completion) if streamed else None,
        writing.heartbeat(completion) if streamed else None,
    )
