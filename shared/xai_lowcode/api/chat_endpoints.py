"""The endpoints of chat requests, apart from ``endpoints``: a chat needs no types of the others."""

from xai_lowcode.protocol.endpoint import Endpoint, parse_object

CREATE_CHAT_COMPLETION = Endpoint(
    "Create Chat Completion", "POST", "/v1/chat/completions", parse_object("choices")
)
CREATE_MESSAGE = Endpoint("Create a Message", "POST", "/v1/messages", parse_object("content"))
CREATE_RESPONSE = Endpoint("Create New Response", "POST", "/v1/responses", parse_object("output"))
