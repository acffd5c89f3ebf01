"""How the emulated model reads a conversation, decides, and speaks chat completions."""
