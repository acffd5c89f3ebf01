"""The one way from a request to an answer: every dialect comes here in the form of a chat."""

from dataclasses import replace

from xai_lowcode.emulator.answers import Json
from xai_lowcode.emulator.chat.completion import Completion
from xai_lowcode.emulator.chat.conversation import Conversation, read_conversation
from xai_lowcode.emulator.chat.decisions import Decision, decide, spoken
from xai_lowcode.emulator.chat.textual import as_chat, protocol_of
from xai_lowcode.emulator.chat.usage import usage


def considered(body: Json, sequence: int, findings: tuple[str, ...] = ()) -> Completion:
    """Decides on every choice of an answer, and counts what it took.

    The findings are sentences of tools that the provider has used itself.
    """
    conversation = replace(read_conversation(body["messages"]), findings=findings)
    choices = [
        _decided(body, conversation, sequence, variant) for variant in range(body.get("n") or 1)
    ]
    return Completion(body, sequence, choices, usage(body, conversation, choices))


def _decided(body: Json, conversation: Conversation, sequence: int, variant: int) -> Decision:
    protocol = protocol_of(body)
    if protocol is None:
        return decide(body, conversation, sequence, variant)
    chat = as_chat(body, protocol)
    heard = replace(read_conversation(chat["messages"]), findings=conversation.findings)
    decision = decide(chat, heard, sequence, variant)
    return spoken(protocol.write(decision), decision.reasoning, body)
