"""Plain values: messages, requests, responses, events. No HTTP and no wire format."""
