"""The messages form: the request as a chat, and the answer in Anthropic's words."""
