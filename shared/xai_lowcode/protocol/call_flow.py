"""One call from first attempt to settled result, without doing any of it.

``call_flow`` is a generator: it yields what is to be done (send, wait) and is sent what came of it.
Which URL form, whether an answer is an error, whether to try again and when: all of it is decided
here, on values, so that the two clients differ in nothing but ``await``. What takes several calls
(``deferred``, ``files``) is a longer flow of the same steps, made of this one.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from xai_lowcode._internal import json
from xai_lowcode.errors import (
    APIConnectionError,
    APIStatusError,
    XAILowCodeError,
    unexpected_response_error,
)
from xai_lowcode.protocol.endpoint import Endpoint, UrlFormat
from xai_lowcode.protocol.envelope import unwrap
from xai_lowcode.protocol.error_mapping import (
    SUCCESSES,
    error_from_response,
    parse_retry_after,
    unparsable_response_error,
)
from xai_lowcode.protocol.retry import RetryPolicy, RetryState
from xai_lowcode.protocol.steps import (
    AcquireSlot,
    Call,
    Flow,
    HTTPResponse,
    Limits,
    Outcome,
    RequestFailed,
    SendRequest,
    Sleep,
    StreamStarted,
    Success,
)
from xai_lowcode.protocol.urls import (
    UrlFormatSelector,
    build_path,
    is_provider_error,
    is_routing_error,
)
from xai_lowcode.redaction import excerpt

logger = logging.getLogger("xai_lowcode")

T = TypeVar("T")

_ACCEPTED = 202
_SSE_BEGINS = (b"data:", b"event:", b"id:", b"retry:", b":")


@dataclass(frozen=True, slots=True)
class CallContext:
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
    forms: UrlFormatSelector
    token: str = field(repr=False)
    clock: Callable[[], float]
    jitter: Callable[[], float]
    limits: Limits | None = None
    paid: bool = False

    def under(self, policy: RetryPolicy) -> "CallContext":
        """The same with another policy."""
        return replace(self, policy=policy)

    def attempts(self) -> RetryState:
        """The attempts of a new call."""
        return RetryState(self.policy, self.clock, self.jitter)

    def read(self, parse: Callable[[Any], T], settled: Success) -> T:
        """Reads an answer; one that cannot be read may quote the token.

        The error says so without it, and without the frames that hold the answer.
        """
        try:
            return parse(settled.body)
        except XAILowCodeError as error:
            unreadable = error.redact_token(self.token).with_traceback(None)
        except Exception as defect:  # noqa: BLE001 - a response of any shape may come
            unreadable = unexpected_response_error(defect, settled.body).redact_token(self.token)
        raise unreadable


def call_and_parse(call: Call[T], session: CallContext) -> Flow[T]:
    """Makes a call and reads its answer."""
    settled = yield from call_flow(call, session)
    return session.read(call.operation.parse, settled)


def call_flow(
    call: Call[Any], session: CallContext, attempts: RetryState | None = None
) -> Flow[Success]:
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
        path = build_path(operation, form, call.ids, call.query, names=forms.names(operation))
        yield from _acquire_slot(session, attempts, again=sent)
        sent = True
        outcome = yield SendRequest(call, form, path, attempts.remaining())
        result = _interpret(call, outcome, session.token)
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("%s %s: %s", operation.method, path, _describe_outcome(outcome))
        if isinstance(result, Success):
            forms.remember(operation, form)
            attempts.headers = result.headers
            return result
        stale = isinstance(outcome, RequestFailed) and outcome.stale and not operation.once
        if stale and not stale_seen:
            stale_seen = True
            continue
        begun = isinstance(outcome, RequestFailed) and outcome.begun
        if in_first_form is None and not begun and forms.should_try_other(operation, result):
            in_first_form, form = result, _other_format(form)
            continue
        result, form = _choose_error(call, session, form, result, in_first_form)
        reached = isinstance(result, APIConnectionError) and result.reached
        if (begun and not operation.idempotent) or (reached and operation.once):
            raise result
        yield from _sleep_before_retry(result, operation, attempts, reached=reached)


def wait_before_retry(
    call: Call[Any], session: CallContext, attempts: RetryState, error: APIStatusError
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
        error.retry_after = parse_retry_after(attempts.headers)
    error.request_id = error.request_id or attempts.headers.get("x-request-id")
    # The log line too must be free of it.
    error.redact_token(session.token)
    yield from _sleep_before_retry(error, call.operation, attempts, reached=False)


def _sleep_before_retry(
    error: XAILowCodeError, operation: Endpoint[Any], attempts: RetryState, *, reached: bool
) -> Flow[None]:
    seconds = attempts.next_delay(error, idempotent=operation.idempotent, reached=reached)
    logger.info("%s: %s; trying again in %.1f s", operation.name, error, seconds)
    yield Sleep(seconds)


def _choose_error(
    call: Call[Any],
    session: CallContext,
    form: UrlFormat,
    result: XAILowCodeError,
    in_first_form: XAILowCodeError | None,
) -> tuple[XAILowCodeError, UrlFormat]:
    """The error that counts where two URL forms were tried, and the form to go on in.

    The other form's error is a note of it. What xAI itself answered proves its form right.
    """
    operation, forms = call.operation, session.forms
    blamed = is_routing_error(operation, result, forms)
    if is_provider_error(result) and not blamed:
        forms.remember(operation, form)
        if in_first_form is not None:
            result.add_note(f"The {_other_format(form)} URL form was tried first: {in_first_form}")
    elif blamed and in_first_form is not None and form != forms.first(operation):
        in_first_form.add_note(f"The {form} URL form failed too: {result}")
        return in_first_form, forms.first(operation)
    return result, form


def _acquire_slot(session: CallContext, attempts: RetryState, *, again: bool) -> Flow[None]:
    if session.limits is not None:
        rated = again or not session.paid
        late: XAILowCodeError | None = yield AcquireSlot(
            session.limits, attempts.remaining(), rated
        )
        if late is not None:
            raise late


def _describe_outcome(outcome: Outcome) -> str:
    if isinstance(outcome, HTTPResponse):
        return str(outcome.status)
    return "a stream" if isinstance(outcome, StreamStarted) else str(outcome.error)


def _other_format(form: UrlFormat) -> UrlFormat:
    return "old" if form == "new" else "new"


def _interpret(call: Call[Any], outcome: Outcome | None, token: str) -> Success | XAILowCodeError:
    match outcome:
        case HTTPResponse():
            read = _interpret_buffered_stream if call.stream else _interpret_response
            return read(call, outcome, token)
        case StreamStarted(headers=headers):
            return Success(None, headers)
        case RequestFailed(error=error):
            return error
        case None:
            raise TypeError("a Send step must be answered with an outcome")


def _interpret_response(
    call: Call[Any], answer: HTTPResponse, token: str
) -> Success | XAILowCodeError:
    reads = call.operation.reads
    if reads == "bytes" and answer.status in SUCCESSES:
        return Success(answer.content, answer.headers)
    accepted = reads == "pending" and answer.status == _ACCEPTED
    try:
        document = json.loads(answer.content)
    except json.JSONDecodeError:
        nothing = reads == "pending" and answer.status in SUCCESSES and not answer.content.strip()
        if nothing or accepted:
            return Success(None, answer.headers)
        return _unparsable(answer, token)
    if error := error_from_response(answer.status, document, answer.headers, token):
        return error
    unwrapped = unwrap(document, body_has_data_key=call.operation.body_has_data_key)
    headers = {**answer.headers, **unwrapped.headers}
    if accepted or (reads == "pending" and _is_nothing_yet(unwrapped.body)):
        return Success(None, headers)
    return Success(unwrapped.body, headers)


def _is_nothing_yet(body: Any) -> bool:
    return not body or (isinstance(body, dict) and body.get("status") == "pending")


def _interpret_buffered_stream(
    call: Call[Any], answer: HTTPResponse, token: str
) -> Success | XAILowCodeError:
    """A stream answered whole: only errors are told apart here, ``streams`` reads the rest."""
    if answer.status in SUCCESSES and answer.content.lstrip().startswith(_SSE_BEGINS):
        return Success(answer.content, answer.headers)
    read = _interpret_response(call, answer, token)
    return Success(answer.content, read.headers) if isinstance(read, Success) else read


def _unparsable(answer: HTTPResponse, token: str) -> XAILowCodeError:
    text = excerpt(answer.content, token)
    return error_from_response(
        answer.status, text, answer.headers, token
    ) or unparsable_response_error(text, answer.headers, token)
