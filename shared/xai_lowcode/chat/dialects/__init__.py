"""The APIs of xAI: Chat Completions, Responses, Messages."""
