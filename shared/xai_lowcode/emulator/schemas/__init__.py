"""Types of the request bodies."""
