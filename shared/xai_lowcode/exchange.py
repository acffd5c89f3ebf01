"""One call from first attempt to settled result, without doing any of it.

``exchange`` is a generator: it yields what is to be done (send, wait) and is sent what came of it.
Which URL form, whether an answer is an error, whether to try again and when: all of it is decided
here, on values, so that the two clients differ in nothing but ``await``. What takes several calls
(``deferred``, ``files``) is a longer flow of the same steps, made of this one.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from xai_lowcode import codec
from xai_lowcode.addresses import UrlForms, address, blames_route, reached_provider
from xai_lowcode.classification import SUCCESSES, classify, not_readable, retry_after
from xai_lowcode.envelope import unwrap
from xai_lowcode.errors import (
    APIConnectionError,
    APIStatusError,
    XAILowCodeError,
    not_understood,
)
from xai_lowcode.operation import Form, Operation
from xai_lowcode.redaction import excerpt
from xai_lowcode.retry import Attempts, RetryPolicy
from xai_lowcode.steps import (
    Answer,
    Call,
    Dropped,
    Enter,
    Flow,
    Limits,
    Opened,
    Outcome,
    Send,
    Settled,
    Wait,
)

logger = logging.getLogger("xai_lowcode")

T = TypeVar("T")

_ACCEPTED = 202
_SSE_BEGINS = (b"data:", b"event:", b"id:", b"retry:", b":")


@dataclass(frozen=True, slots=True)
class Session:
    """What the calls of one client have in common.

    Attributes:
        policy: How often and how long to try.
        forms: Which URL form worked before; told when another one does.
        token: The token in use, blanked wherever an answer quotes it.
        clock: Monotonic seconds.
        jitter: Random numbers from 0 to 1.
        limits: Who may send when; None for everybody at once.
        paid: Whether somebody else asked the rate limiter for the first request of each call.
    """

    policy: RetryPolicy
    forms: UrlForms
    token: str = field(repr=False)
    clock: Callable[[], float]
    jitter: Callable[[], float]
    limits: Limits | None = None
    paid: bool = False

    def under(self, policy: RetryPolicy) -> "Session":
        """The same with another policy."""
        return replace(self, policy=policy)

    def attempts(self) -> Attempts:
        """The attempts of a new call."""
        return Attempts(self.policy, self.clock, self.jitter)

    def read(self, parse: Callable[[Any], T], settled: Settled) -> T:
        """Reads an answer; one that cannot be read may quote the token.

        The error says so without it, and without the frames that hold the answer.
        """
        try:
            return parse(settled.body)
        except XAILowCodeError as error:
            unreadable = error.without(self.token).with_traceback(None)
        except Exception as defect:  # noqa: BLE001 - a response of any shape may come
            unreadable = not_understood(defect, settled.body).without(self.token)
        raise unreadable


def ask(call: Call[T], session: Session) -> Flow[T]:
    """Makes a call and reads its answer."""
    settled = yield from exchange(call, session)
    return session.read(call.operation.parse, settled)


def exchange(call: Call[Any], session: Session, attempts: Attempts | None = None) -> Flow[Settled]:
    """Decides one call, step by step.

    Args:
        call: What is asked.
        session: What the client's calls have in common.
        attempts: Those of a call that was made before and failed; None for a new call.

    Returns:
        The success.

    Raises:
        XAILowCodeError: What the last attempt came to.
    """
    operation, forms = call.operation, session.forms
    attempts = attempts or session.attempts()
    form = forms.first(operation)
    in_first_form: XAILowCodeError | None = None
    sent = stale_seen = False
    while True:
        path = address(operation, form, call.ids, call.query, names=forms.names(operation))
        yield from _enter(session, attempts, again=sent)
        sent = True
        outcome = yield Send(call, form, path, attempts.remaining())
        result = _settle(call, outcome, session.token)
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("%s %s: %s", operation.method, path, _told(outcome))
        if isinstance(result, Settled):
            forms.remember(operation, form)
            attempts.headers = result.headers
            return result
        stale = isinstance(outcome, Dropped) and outcome.stale and not operation.once
        if stale and not stale_seen:
            stale_seen = True
            continue
        begun = isinstance(outcome, Dropped) and outcome.begun
        if in_first_form is None and not begun and forms.may_fall_back(operation, result):
            in_first_form, form = result, _other(form)
            continue
        result, form = _weighed(call, session, form, result, in_first_form)
        reached = isinstance(result, APIConnectionError) and result.reached
        if (begun and not operation.idempotent) or (reached and operation.once):
            raise result
        yield from _wait_after(result, operation, attempts, reached=reached)


def wait_to_repeat(
    call: Call[Any], session: Session, attempts: Attempts, error: APIStatusError
) -> Flow[None]:
    """Wait before a call is made again whose successful response reports an error.

    Such an error is that of a failed attempt, like a 5xx: a stream reported it before any content,
    or it is the end of a response that failed. Where it has no Retry-After and no request id of its
    own, those of the HTTP response count.

    Args:
        call: The call.
        session: What the client's calls have in common.
        attempts: Those of the call.
        error: What the response reports.

    Raises:
        XAILowCodeError: The error itself, if there is to be no next attempt.
    """
    if error.retry_after is None:
        error.retry_after = retry_after(attempts.headers)
    error.request_id = error.request_id or attempts.headers.get("x-request-id")
    # The log line too must be free of it.
    error.without(session.token)
    yield from _wait_after(error, call.operation, attempts, reached=False)


def _wait_after(
    error: XAILowCodeError, operation: Operation[Any], attempts: Attempts, *, reached: bool
) -> Flow[None]:
    seconds = attempts.pause_after(error, idempotent=operation.idempotent, reached=reached)
    logger.info("%s: %s; trying again in %.1f s", operation.name, error, seconds)
    yield Wait(seconds)


def _weighed(
    call: Call[Any],
    session: Session,
    form: Form,
    result: XAILowCodeError,
    in_first_form: XAILowCodeError | None,
) -> tuple[XAILowCodeError, Form]:
    """The error that counts where two URL forms were tried, and the form to go on in.

    The other form's error is a note of it. What xAI itself answered proves its form right.
    """
    operation, forms = call.operation, session.forms
    blamed = blames_route(operation, result, forms)
    if reached_provider(result) and not blamed:
        forms.remember(operation, form)
        if in_first_form is not None:
            result.add_note(f"The {_other(form)} URL form was tried first: {in_first_form}")
    elif blamed and in_first_form is not None and form != forms.first(operation):
        in_first_form.add_note(f"The {form} URL form failed too: {result}")
        return in_first_form, forms.first(operation)
    return result, form


def _enter(session: Session, attempts: Attempts, *, again: bool) -> Flow[None]:
    if session.limits is not None:
        rated = again or not session.paid
        late: XAILowCodeError | None = yield Enter(session.limits, attempts.remaining(), rated)
        if late is not None:
            raise late


def _told(outcome: Outcome) -> str:
    if isinstance(outcome, Answer):
        return str(outcome.status)
    return "a stream" if isinstance(outcome, Opened) else str(outcome.error)


def _other(form: Form) -> Form:
    return "old" if form == "new" else "new"


def _settle(call: Call[Any], outcome: Outcome | None, token: str) -> Settled | XAILowCodeError:
    match outcome:
        case Answer():
            read = _read_in_one_piece if call.stream else _read
            return read(call, outcome, token)
        case Opened(headers=headers):
            return Settled(None, headers)
        case Dropped(error=error):
            return error
        case None:
            raise TypeError("a Send step must be answered with an outcome")


def _read(call: Call[Any], answer: Answer, token: str) -> Settled | XAILowCodeError:
    reads = call.operation.reads
    if reads == "bytes" and answer.status in SUCCESSES:
        return Settled(answer.content, answer.headers)
    accepted = reads == "pending" and answer.status == _ACCEPTED
    try:
        document = codec.load(answer.content)
    except codec.JSONDecodeError:
        nothing = reads == "pending" and answer.status in SUCCESSES and not answer.content.strip()
        if nothing or accepted:
            return Settled(None, answer.headers)
        return _unreadable(answer, token)
    if error := classify(answer.status, document, answer.headers, token):
        return error
    unwrapped = unwrap(document, own_data=call.operation.own_data)
    headers = {**answer.headers, **unwrapped.headers}
    if accepted or (reads == "pending" and _is_nothing_yet(unwrapped.body)):
        return Settled(None, headers)
    return Settled(unwrapped.body, headers)


def _is_nothing_yet(body: Any) -> bool:
    return not body or (isinstance(body, dict) and body.get("status") == "pending")


def _read_in_one_piece(call: Call[Any], answer: Answer, token: str) -> Settled | XAILowCodeError:
    """A stream answered whole: only errors are told apart here, ``streams`` reads the rest."""
    if answer.status in SUCCESSES and answer.content.lstrip().startswith(_SSE_BEGINS):
        return Settled(answer.content, answer.headers)
    read = _read(call, answer, token)
    return Settled(answer.content, read.headers) if isinstance(read, Settled) else read


def _unreadable(answer: Answer, token: str) -> XAILowCodeError:
    text = excerpt(answer.content, token)
    return classify(answer.status, text, answer.headers, token) or not_readable(
        text, answer.headers, token
    )
