"""How a deferred answer is waited for: a user's wish, apart from the waiting (``deferred``)."""

from dataclasses import dataclass
from typing import Any

from xai_lowcode.errors import UsageError
from xai_lowcode.progress import Wish, check_wish


@dataclass(frozen=True, slots=True)
class Deferral:
    """How a deferred answer is waited for.

    Attributes:
        timeout: Seconds until the answer must be there; xAI keeps it for 24 hours.
        poll_timeout: Seconds for one look. Some gateways never answer while nothing is ready; a
            finished answer must have time to arrive, since it can be fetched once.
        first_pause: Seconds before the first look.
        longest_pause: Pauses grow by half up to this; a ``Retry-After`` counts for one pause.
        progress: True shows how long it takes in notebooks and terminals; a function is called
            before each look with the number of looks so far and the seconds passed.

    Raises:
        UsageError: A duration is not positive, or ``progress`` is no such wish.
    """

    timeout: float = 3600.0
    poll_timeout: float = 30.0
    first_pause: float = 1.0
    longest_pause: float = 15.0
    progress: Wish = None

    def __post_init__(self) -> None:
        check_wish(self.progress)
        for name in ("timeout", "poll_timeout", "first_pause", "longest_pause"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                raise UsageError(f"{name}: a number above 0 is needed, not {value!r}.", field=name)


def deferral_of(wish: Any) -> Deferral | None:
    """A user's word for it: True, False, None, or a ``Deferral``.

    Raises:
        UsageError: It is something else.
    """
    match wish:
        case None | False:
            return None
        case True:
            return Deferral()
        case Deferral():
            return wish
        case _:
            raise UsageError(
                f"deferred: True or a Deferral is needed, not {wish!r}.", field="deferred"
            )
