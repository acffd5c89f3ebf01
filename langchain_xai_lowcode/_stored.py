"""Going on from an answer that xAI has stored, instead of sending the conversation again."""

from collections.abc import Sequence

from langchain_core.messages import AIMessage, BaseMessage

from langchain_xai_lowcode._input import to_messages
from xai_lowcode.chat.dialect_selection import stored_response_is_current


def split_at_stored_response(
    messages: Sequence[BaseMessage],
) -> tuple[str | None, Sequence[BaseMessage]]:
    """The id of the last stored answer, and the messages after it; all messages without one.

    Something must come after it. An answer that was changed since is none: xAI's copy would bring
    back what was corrected.
    """
    for position in range(len(messages) - 2, -1, -1):
        message = messages[position]
        if isinstance(message, AIMessage) and (identifier := _stored_id(message)) is not None:
            return identifier, messages[position + 1 :]
    return None, messages


def _stored_id(message: AIMessage) -> str | None:
    identifier = message.response_metadata.get("response_id")
    if not isinstance(identifier, str):
        return None
    (ours,) = to_messages([message])
    return identifier if stored_response_is_current(ours) else None
