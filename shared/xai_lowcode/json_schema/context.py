"""Names the schema in errors, and collects the limits that are left out for one warning."""

import dataclasses

from xai_lowcode._internal.user_warnings import warn_user
from xai_lowcode.errors import UsageError


@dataclasses.dataclass(slots=True)
class SchemaContext:
    """The schema that is being sanitized.

    Attributes:
        field: The option of a request that holds the schema.
        name: Name of the tool or response format.
        relaxed: Whether constraints that xAI rejects at times are left out, too.
        left_out: Keywords that were moved to a description, with their locations.
    """

    field: str
    name: str
    relaxed: bool = False
    left_out: list[str] = dataclasses.field(default_factory=list)

    def error(self, problem: str, hint: str) -> UsageError:
        """Return the error for a schema that cannot be sent."""
        return UsageError(
            f"{self.field}: the schema of {self.name!r} {problem}.", field=self.field, hint=hint
        )

    def warn(self) -> None:
        """Emit one warning for all limits that were left out."""
        if self.left_out:
            warn_user(
                f"{self.field}: xAI does not accept {', '.join(self.left_out)} in the schema of"
                f" {self.name!r}: left out, and added to the description instead."
            )
