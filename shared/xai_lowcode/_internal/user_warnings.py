"""Emit warnings that point at the line of the caller's program, not into a library."""

import sys
import warnings

# Top-level packages whose frames are not where the cause of a warning was written.
_LIBRARIES = frozenset(
    {
        *("xai_lowcode", "langchain_xai_lowcode", "llama_index_xai_lowcode"),
        *("langchain", "langchain_classic", "langchain_core", "langgraph"),
        *("llama_index", "llama_index_instrumentation", "workflows"),
        *("pydantic", "asyncio", "concurrent", "contextlib", "functools", "threading", "wrapt"),
    }
)


def warn_user(text: str) -> None:
    """Emit a ``UserWarning`` at the first frame outside this package and the frameworks.

    In a task that a framework created, that is the line which runs the event loop; in a thread of a
    framework there is none, and the warning points at the call of this function.
    ``skip_file_prefixes`` of ``warnings.warn`` needs Python 3.12.
    """
    frame, level = sys._getframe(1), 2  # noqa: SLF001 - as warnings does
    while frame.f_globals.get("__name__", "").partition(".")[0] in _LIBRARIES:
        if frame.f_back is None:
            level = 2
            break
        frame, level = frame.f_back, level + 1
    warnings.warn(text, UserWarning, stacklevel=level)
