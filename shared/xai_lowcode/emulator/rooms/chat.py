"""The room of chat completions."""

import uuid

from xai_lowcode.emulator.answers import Answer, Ask
from xai_lowcode.emulator.chat import completion as writing
from xai_lowcode.emulator.chat.conversation import read_conversation
from xai_lowcode.emulator.chat.decisions import decide
from xai_lowcode.emulator.chat.rules import check_request
from xai_lowcode.emulator.chat.shapes import CHAT_REQUEST
from xai_lowcode.emulator.chat.usage import usage

SHAPE = CHAT_REQUEST


async def complete(ask: Ask) -> Answer:
    """Answers a conversation, at once or with a ticket for later."""
    body = ask.body
    check_request(body)
    if body.get("deferred"):
        return Answer({"request_id": str(uuid.uuid5(writing.SPACE, f"deferred/{ask.sequence}"))})
    conversation = read_conversation(body["messages"])
    choices = [
        decide(body, conversation, ask.sequence, variant) for variant in range(body.get("n") or 1)
    ]
    spent = usage(body, conversation, choices)
    completion = writing.Completion(body, ask.sequence, choices, spent)
    streamed = bool(body.get("stream"))
    return Answer(
        writing.whole(completion),
        writing.frames(completion) if streamed else None,
        writing.heartbeat(completion) if streamed else None,
    )
