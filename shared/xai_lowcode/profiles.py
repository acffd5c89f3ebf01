"""What is known of Grok models, by patterns of their names. Unknown names always work.

Patterns deny; nothing is allowed by a list, since names and abilities change every month. The facts
are those of xAI's models page as read on 2026-10-03, and of its API specification of 2026-06-08.
"""

import re
from dataclasses import dataclass, replace
from functools import lru_cache

# Reasoning models answer 400 to these. Old names without reasoning are served by reasoning models
# by now, so one family alone is known to take them.
_REASONING_REFUSES = frozenset({"stop", "presence_penalty", "frequency_penalty"})


@dataclass(frozen=True, slots=True)
class Profile:
    """Facts about a family of models.

    Attributes:
        context_window: Tokens of prompt and answer together.
        reasons: Whether it thinks before it answers.
        refuses: Options of a request that it answers with an error.
        images: Whether it sees pictures.
    """

    context_window: int = 256_000
    reasons: bool = True
    refuses: frozenset[str] = _REASONING_REFUSES
    images: bool = True


_UNKNOWN = Profile()

_FAMILIES: tuple[tuple[str, Profile], ...] = (
    (
        r"grok-4\.20.*non-reasoning",
        Profile(1_000_000, reasons=False, refuses=frozenset({"reasoning_effort"})),
    ),
    (r"grok-4\.20", Profile(1_000_000, refuses=_REASONING_REFUSES | {"reasoning_effort"})),
    (r"grok-4\.3|grok-4(-1|\.1)?-fast|grok-latest|latest$", Profile(1_000_000)),
    (r"grok-4\.[5-9]", Profile(500_000)),
    (r"grok-(build|code)", replace(_UNKNOWN, refuses=_REASONING_REFUSES | {"reasoning_effort"})),
    (r"grok-[23](?!\d)", Profile(131_072)),
)


@lru_cache(maxsize=256)
def profile_of(model: str) -> Profile:
    """What is known of a model.

    Example:
        >>> profile_of("grok-4.7").context_window
        500000
        >>> "stop" in profile_of("some-new-model").refuses
        True
    """
    return next((profile for pattern, profile in _FAMILIES if re.match(pattern, model)), _UNKNOWN)
