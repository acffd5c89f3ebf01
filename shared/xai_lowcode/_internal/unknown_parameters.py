"""Warn about parameters that no class of this package knows.

Every component and every call does the same: the value goes on to xAI, and a warning names it, the
nearest known parameter, and where it went. Credentials are refused before; see ``credentials``.
"""

from collections.abc import Collection, Iterable

from xai_lowcode._internal.fork_safety import import_before_fork
from xai_lowcode._internal.short_repr import truncate
from xai_lowcode._internal.user_warnings import warn_user

import_before_fork("difflib")

# difflib's ratio: "modle" is near "model" (0.80), "verbosity" is not near "verbose" (0.75).
_CUTOFF = 0.8


def nearest_name(name: str, known: Collection[str]) -> str | None:
    """Return the known name that is meant, if one is similar or has the name as a word.

    Example:
        >>> known = ["aspect_ratio", "resolution", "n"]
        >>> nearest_name("aspectRation", known), nearest_name("ratio", known)
        ('aspect_ratio', 'aspect_ratio')
        >>> nearest_name("style", known)
    """
    from difflib import get_close_matches  # noqa: PLC0415 - most programs have no unknown parameter

    others = sorted(set(known) - {name})
    if close := get_close_matches(name.lower(), others, n=1, cutoff=_CUTOFF):
        return close[0]
    return next((other for other in others if name.lower() in other.split("_")), None)


def unknown_parameter_warning(
    name: str, known: Collection[str], *, destination: str, fields: Collection[str] = ()
) -> str:
    """Return the text of the warning about a parameter.

    Args:
        name: The parameter.
        known: The parameters that are known where it was passed.
        destination: What became of it.
        fields: Parameters that are set when the component is created, and not in a call.

    Example:
        >>> unknown_parameter_warning("sed", ["seed"], destination="moved to model_kwargs")
        "unknown parameter 'sed' moved to model_kwargs; did you mean 'seed'?"
    """
    text = f"unknown parameter {truncate(str(name))!r} {destination}"
    if name in fields:
        return f"{text}; it is not an option of a call. Set it when you create the object."
    nearest = nearest_name(str(name), {*known, *fields})
    return f"{text}." if nearest is None else f"{text}; did you mean {nearest!r}?"


def warn_unknown_parameters(
    names: Iterable[str],
    known: Collection[str],
    *,
    destination: str,
    fields: Collection[str] = (),
) -> None:
    """Warn about each of the names that is not known; see ``unknown_parameter_warning``."""
    for name in sorted({str(name) for name in names} - set(known)):
        text = unknown_parameter_warning(name, known, destination=destination, fields=fields)
        warn_user(text)
