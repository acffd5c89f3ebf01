"""Response bodies and stream events of each API."""
