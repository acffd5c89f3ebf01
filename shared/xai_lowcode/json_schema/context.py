"""Whose schema it is, for what is said about it: errors, and the warning of what is left out."""

import dataclasses
import warnings

from xai_lowcode.errors import UsageError


@dataclasses.dataclass(slots=True)
class SchemaContext:
    """Names the schema in errors, and collects the places of what is left out.

    Attributes:
        field: The option of a request that holds the schema.
        name: Name of the tool or format.
        left_out: Places of keywords that are told in words instead.
    """

    field: str
    name: str
    left_out: list[str] = dataclasses.field(default_factory=list)

    def refusal(self, problem: str, hint: str) -> UsageError:
        """The error for a schema that cannot be sent."""
        return UsageError(
            f"{self.field}: the schema of {self.name!r} {problem}.", field=self.field, hint=hint
        )

    def warn(self) -> None:
        """Tells once, for the whole schema, what is left out."""
        if self.left_out:
            warnings.warn(
                f"{self.field}: xAI takes no {', '.join(self.left_out)} in the schema of"
                f" {self.name!r}: left out, and told in the description instead.",
                UserWarning,
                stacklevel=4,
            )
