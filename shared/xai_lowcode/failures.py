"""What httpx's failures mean: each is one of our errors, or the outcome of an attempt.

The results are not linked to httpx's exceptions: those hold the request, and their traceback frames
its target.
"""

from typing import Any

from xai_lowcode.errors import (
    APIConnectionError,
    APITimeoutError,
    StreamInterruptedError,
    UnreadableAnswerError,
    XAILowCodeError,
)
from xai_lowcode.steps import Dropped

# What httpx's failures mean, by class name: httpx and its successor httpx2 share the names. The
# second member says whether the request may have arrived.
_MEANINGS: dict[str, tuple[type[APIConnectionError], bool]] = {
    "ConnectTimeout": (APITimeoutError, False),
    "PoolTimeout": (APITimeoutError, False),
    "TimeoutException": (APITimeoutError, True),
    "ConnectError": (APIConnectionError, False),
    "ProxyError": (APIConnectionError, False),
    "UnsupportedProtocol": (APIConnectionError, False),
    "TransportError": (APIConnectionError, True),
    "OSError": (APIConnectionError, True),
}


def failure(exception: BaseException) -> XAILowCodeError | None:
    """What a failure of httpx means; None if it is no failure of the network.

    The result is not linked to the exception: its request holds the token, and its traceback frames
    that do.
    """
    if isinstance(exception, XAILowCodeError):
        return exception
    names = [base.__name__ for base in type(exception).__mro__]
    said = f"{type(exception).__name__}: {exception}" if str(exception) else names[0]
    if "DecodingError" in names:
        return UnreadableAnswerError(f"The answer could not be decompressed ({said}).")
    for name in names:
        if name in _MEANINGS:
            error, reached = _MEANINGS[name]
            return error(f"{_SENTENCES[error]} ({said}).", reached=reached)
    return None


_SENTENCES: dict[type[APIConnectionError], str] = {
    APITimeoutError: "The gateway did not answer in time",
    APIConnectionError: "No answer came from the gateway",
}


def dropped(exception: BaseException, probe: Any, response: Any) -> Dropped | None:
    """The outcome of an attempt that httpx could not finish; None if it is not httpx's failure.

    Args:
        exception: What httpx raised.
        probe: What was seen of the connection.
        response: The head of the answer, if it had come.
    """
    error = failure(exception)
    if error is None:
        return None
    timed_out = isinstance(error, APITimeoutError)
    reached = isinstance(error, APIConnectionError) and error.reached
    begun = response is not None
    if isinstance(error, APIConnectionError):
        error.begun = begun
    return Dropped(
        error, stale=probe.reused and reached and not timed_out and not begun, begun=begun
    )


def bare(exception: BaseException) -> None:
    """Takes the frames off an exception and those before it: what sends holds the target there.

    For what is no failure of the network: an interruption, or a defect.
    """
    waiting: list[BaseException | None] = [exception]
    known: set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in known:
            known.add(id(one))
            one.__traceback__ = None
            waiting += [one.__cause__, one.__context__]


def broken_off(exception: Exception) -> XAILowCodeError | None:
    """What it means when reading a stream fails after it began."""
    error = failure(exception)
    if error is None or isinstance(error, APITimeoutError | UnreadableAnswerError):
        return error
    return StreamInterruptedError(
        f"The stream broke off ({error.message})",
        hint="What was received is not the whole answer.",
    )
