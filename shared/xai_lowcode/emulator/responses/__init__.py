"""The responses form: items in, a chat inside, items out, and tools that the provider runs."""
