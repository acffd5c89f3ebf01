"""The error for a response that ended before it was complete."""

from xai_lowcode.errors import StreamInterruptedError


def interrupted(
    message: str = "The stream ended before its terminal event.",
) -> StreamInterruptedError:
    """Make the error for a stream that ended early; the caller raises it."""
    return StreamInterruptedError(message, hint="What was received is not the whole response.")
