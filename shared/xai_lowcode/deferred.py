"""Deferred answers: asked for now, fetched when they are ready.

A result can be fetched once. Nothing is therefore asked twice after an answer began to arrive; a
look that brought nothing, in any of the ways gateways have of saying so, is repeated later.
"""

from typing import Any

from xai_lowcode.addresses import check_id
from xai_lowcode.deferral import Deferral
from xai_lowcode.errors import (
    APIConnectionError,
    APITimeoutError,
    InternalServerError,
    NotFoundError,
    UnreadableAnswerError,
    UsageError,
    XAILowCodeError,
)
from xai_lowcode.exchange import Session, exchange
from xai_lowcode.operations import GET_DEFERRED_COMPLETION
from xai_lowcode.progress import Report, shown
from xai_lowcode.records import Ticket, one
from xai_lowcode.retry import RetryPolicy
from xai_lowcode.steps import Call, Flow, Settled, Wait


def ticket_of(settled: Settled, session: Session) -> str:
    """The id under which an answer was promised.

    Raises:
        UnreadableAnswerError: There is none, or it cannot be an id.
    """
    return session.read(_request_id, settled)


def _request_id(body: Any) -> str:
    ticket = one(Ticket)(body).request_id
    try:
        return check_id("request_id", ticket)
    except UsageError as refusal:
        # The caller did not choose it.
        raise UnreadableAnswerError(
            f"The response holds no usable id ({refusal.message})", body=body
        ) from None


def collect(request_id: str, deferral: Deferral, session: Session) -> Flow[Settled]:
    """Waits for a deferred answer and fetches it.

    Raises:
        APITimeoutError: It was not ready in time; the message holds the request id, under which it
            can still be collected.
        NotFoundError: There is no such answer, or it was fetched before.
        UsageError: The request id is none.
        XAILowCodeError: A look failed for good.
    """
    check_id("request_id", request_id)
    with shown(deferral.progress, "deferred answer", "looks") as report:
        return (yield from _waited_for(request_id, deferral, session, report))


def _waited_for(
    request_id: str, deferral: Deferral, session: Session, report: Report
) -> Flow[Settled]:
    call = Call(GET_DEFERRED_COMPLETION, ids={"request_id": request_id})
    # However short the time, there is one look.
    pause = min(deferral.first_pause, deferral.timeout / 2)
    began, asked, looks, lost = session.clock(), 0.0, 0, False
    while (passed := session.clock() - began) + (wait := max(pause, asked)) < deferral.timeout:
        yield Wait(wait)
        report(looks, passed + wait)
        looks += 1
        left = max(deferral.timeout - (session.clock() - began), 0.001)
        once = session.under(RetryPolicy(0, min(deferral.poll_timeout, left)))
        try:
            found = yield from _look(call, once)
        except NotFoundError as missing:
            if lost:
                missing.add_note(_PERHAPS_LOST)
            raise
        if isinstance(found, Settled):
            return found
        lost = lost or _may_have_taken(found)
        asked = 0.0 if found is None else found.retry_after or 0.0
        pause = min(pause * 1.5, max(deferral.longest_pause, pause))
    raise _too_late(request_id, deferral)


def _look(call: Call[Any], session: Session) -> Flow[Settled | XAILowCodeError | None]:
    """One look: the answer, None for not yet, or what failed but may pass."""
    try:
        settled = yield from exchange(call, session)
    except APIConnectionError as failed:
        if failed.begun:
            failed.add_note(f"Part of the deferred answer {call.ids['request_id']} had come.")
            raise
        # Silence too: a gateway that has nothing to say may never say so.
        return failed
    except XAILowCodeError as failed:
        if not failed.is_retryable:
            raise
        return failed
    return None if settled.body is None else settled


def _may_have_taken(found: XAILowCodeError | None) -> bool:
    """Whether a look that brought nothing may have fetched the answer all the same."""
    if isinstance(found, APIConnectionError):
        return found.reached
    return isinstance(found, InternalServerError)


_PERHAPS_LOST = (
    "An earlier look ended without an answer. If the gateway had fetched it from xAI by then, it is"
    " gone: an answer can be fetched once."
)


def _too_late(request_id: str, deferral: Deferral) -> APITimeoutError:
    return APITimeoutError(
        f"The deferred answer {request_id} was not ready within {deferral.timeout:g} s.",
        hint="It is kept for 24 hours and can still be collected by its id.",
        reached=True,
    )
