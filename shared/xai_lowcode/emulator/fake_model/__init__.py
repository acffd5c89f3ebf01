"""A deterministic stand-in for a language model."""
