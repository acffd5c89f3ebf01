"""The endpoints that answer a conversation with JSON, which a dialect reads.

Apart from the others, whose answers are records, since a chat needs none of these.
"""

from xai_lowcode.operation import Operation, object_with

CREATE_CHAT_COMPLETION = Operation(
    "Create Chat Completion", "POST", "/v1/chat/completions", object_with("choices")
)
CREATE_MESSAGE = Operation("Create a Message", "POST", "/v1/messages", object_with("content"))
CREATE_RESPONSE = Operation("Create New Response", "POST", "/v1/responses", object_with("output"))
