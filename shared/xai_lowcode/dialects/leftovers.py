"""What becomes of a part that a wire form has no place for: refused, or left out with a reason.

An answer goes back in the form it came in, verbatim. In another form, what the model did at xAI
beside its text and its calls has no place; what a caller says must never be lost.
"""

import warnings

from xai_lowcode.conversation import ImagePart, Part, ServerToolPart
from xai_lowcode.errors import UsageError


def refuse(part: Part, role: str, position: int) -> UsageError:
    """The error for a part that cannot be sent; the caller raises it."""
    return UsageError(
        f"messages[{position}]: a {type(part).__name__} cannot be part of a {role} message.",
        field="messages",
    )


def leave_out(part: Part, position: int) -> None:
    """Leaves out a part of an answer of the model's: silently what it searched, not a picture.

    Raises:
        UsageError: It is no part that may be left out.
    """
    if isinstance(part, ServerToolPart):
        return
    if not isinstance(part, ImagePart):
        raise refuse(part, "assistant", position)
    warnings.warn(
        f"messages[{position}]: a picture of the model's own cannot go back in this form and is"
        " left out; give it in a message of the user's to have it seen.",
        UserWarning,
        stacklevel=2,
    )
