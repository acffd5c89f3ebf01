"""The chat model: dialects, streaming, options."""
