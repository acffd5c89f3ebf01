"""Which requests the emulated service refuses, and how."""
