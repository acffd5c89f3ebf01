"""The fake model: what the emulator answers."""
