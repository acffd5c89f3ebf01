"""Deferred answers: asked for now, fetched when they are ready.

A result can be fetched once. Nothing is therefore asked twice after an answer began to arrive; a
look that brought nothing, in any of the ways gateways have of saying so, is repeated later.
"""

from typing import Any

from xai_lowcode._internal.progress import ProgressCallback, open_progress
from xai_lowcode.api.endpoints import GET_DEFERRED_COMPLETION
from xai_lowcode.errors import (
    APIConnectionError,
    APITimeoutError,
    InternalServerError,
    InvalidResponseError,
    NotFoundError,
    UsageError,
    XAILowCodeError,
)
from xai_lowcode.protocol.call_flow import CallContext, call_flow
from xai_lowcode.protocol.retry import RetryPolicy
from xai_lowcode.protocol.steps import Call, Flow, Sleep, Success
from xai_lowcode.protocol.urls import check_id
from xai_lowcode.types.requests import PollingOptions
from xai_lowcode.types.resources import Ticket, parse_resource


def request_id_of(success: Success, context: CallContext) -> str:
    """The id under which an answer was promised.

    Raises:
        InvalidResponseError: There is none, or it cannot be an id.
    """
    return context.parse(_find_request_id, success)


def _find_request_id(body: Any) -> str:
    ticket = parse_resource(Ticket)(body).request_id
    try:
        return check_id("request_id", ticket)
    except UsageError as refusal:
        # The caller did not choose it.
        raise InvalidResponseError(
            f"The response holds no usable id ({refusal.message})", body=body
        ) from None


def poll(request_id: str, deferral: PollingOptions, context: CallContext) -> Flow[Success]:
    """Waits for a deferred answer and fetches it.

    Raises:
        APITimeoutError: It was not ready in time; the message holds the request id, under which it
            can still be collected.
        NotFoundError: There is no such answer, or it was fetched before.
        UsageError: The request id is none.
        XAILowCodeError: A look failed for good.
    """
    check_id("request_id", request_id)
    with open_progress(deferral.progress, "deferred completion", "polls") as report:
        return (yield from _wait_for_result(request_id, deferral, context, report))


def _wait_for_result(
    request_id: str, deferral: PollingOptions, context: CallContext, report: ProgressCallback
) -> Flow[Success]:
    call = Call(GET_DEFERRED_COMPLETION, ids={"request_id": request_id})
    # However short the time, there is one look.
    pause = min(deferral.initial_delay, deferral.timeout / 2)
    began, asked, looks, lost = context.clock(), 0.0, 0, False
    while (passed := context.clock() - began) + (wait := max(pause, asked)) < deferral.timeout:
        yield Sleep(wait)
        report(looks, passed + wait)
        looks += 1
        left = max(deferral.timeout - (context.clock() - began), 0.001)
        once = context.with_policy(RetryPolicy(0, min(deferral.poll_timeout, left)))
        try:
            found = yield from _poll_once(call, once)
        except NotFoundError as missing:
            if lost:
                missing.add_note(_PERHAPS_LOST)
            raise
        if isinstance(found, Success):
            return found
        lost = lost or _may_have_consumed(found)
        asked = 0.0 if found is None else found.retry_after or 0.0
        pause = min(pause * 1.5, max(deferral.max_delay, pause))
    raise _polling_timeout_error(request_id, deferral)


def _poll_once(call: Call[Any], context: CallContext) -> Flow[Success | XAILowCodeError | None]:
    """One look: the answer, None for not yet, or what failed but may pass."""
    try:
        success = yield from call_flow(call, context)
    except APIConnectionError as failed:
        if failed.response_started:
            failed.add_note(f"Part of the deferred answer {call.ids['request_id']} had come.")
            raise
        # Silence too: a gateway that has nothing to say may never say so.
        return failed
    except XAILowCodeError as failed:
        if not failed.is_retryable:
            raise
        return failed
    return None if success.body is None else success


def _may_have_consumed(found: XAILowCodeError | None) -> bool:
    """Whether a look that brought nothing may have fetched the answer all the same."""
    if isinstance(found, APIConnectionError):
        return found.request_sent
    return isinstance(found, InternalServerError)


_PERHAPS_LOST = (
    "An earlier look ended without an answer. If the gateway had fetched it from xAI by then, it is"
    " gone: an answer can be fetched once."
)


def _polling_timeout_error(request_id: str, deferral: PollingOptions) -> APITimeoutError:
    return APITimeoutError(
        f"The deferred answer {request_id} was not ready within {deferral.timeout:g} s.",
        hint="It is kept for 24 hours and can still be collected by its id.",
        request_sent=True,
    )
