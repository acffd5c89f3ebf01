"""Sans-IO implementation of one API call: URL format selection, error detection and retries.

``call_flow`` is a generator that yields the steps of the call (``steps``) and is sent their
outcomes. The sync and the async client perform the same steps, so that they differ in ``await``
only. Calls that need several requests (``api.deferred``, ``api.files``) are longer flows made of
this one.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from xai_lowcode._internal import json
from xai_lowcode.errors import (
    APIConnectionError,
    APIStatusError,
    XAILowCodeError,
    unexpected_response_error,
)
from xai_lowcode.protocol.endpoint import Endpoint, UrlFormat
from xai_lowcode.protocol.envelope import SUCCESS_STATUSES, is_error, unwrap
from xai_lowcode.protocol.error_mapping import (
    build_error,
    error_from_response,
    parse_retry_after,
    unparsable_response_error,
)
from xai_lowcode.protocol.retry import RetryPolicy, RetryState
from xai_lowcode.protocol.steps import (
    Call,
    Flow,
    HTTPResponse,
    Outcome,
    RequestFailed,
    SendRequest,
    Sleep,
    Success,
)
from xai_lowcode.protocol.urls import (
    UrlFormatSelector,
    build_path,
    is_provider_error,
    is_routing_error,
    is_unreachable,
    may_have_crashed,
)
from xai_lowcode.redaction import excerpt

logger = logging.getLogger("xai_lowcode")

T = TypeVar("T")

_ACCEPTED = 202
_SSE_PREFIXES = (b"data:", b"event:", b"id:", b"retry:", b":")


class ChangingToken(Protocol):
    """A token that may be another one for each request; see ``Settings.api_token``."""

    @property
    def recent(self) -> str:
        """The tokens that were read last, separated by spaces."""

    def read(self) -> str:
        """Return the current token."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CallContext:
    """What the calls of one client share.

    Attributes:
        policy: Limits of the attempts.
        url_formats: Selects the URL format of an endpoint and records which one worked.
        known_token: The token, or what returns it for each request.
        clock: Returns monotonic seconds.
        jitter: Returns random numbers from 0 to 1.
        rate_limited_by_framework: Whether the framework asks the rate limiter before the first
            request of each call.
    """

    policy: RetryPolicy
    url_formats: UrlFormatSelector
    known_token: str | ChangingToken = field(repr=False)
    clock: Callable[[], float]
    jitter: Callable[[], float]
    rate_limited_by_framework: bool = False

    @property
    def token(self) -> str:
        """The token; it is redacted wherever a response quotes it. Several are space-separated."""
        known = self.known_token
        return known if isinstance(known, str) else known.recent

    def with_policy(self, policy: RetryPolicy) -> "CallContext":
        """Return a copy with another retry policy."""
        return replace(self, policy=policy)

    def new_retry_state(self) -> RetryState:
        """Return the retry state of a new call."""
        return RetryState(self.policy, self.clock, self.jitter)

    def parse(self, parse: Callable[[Any], T], success: Success) -> T:
        """Parse a response. An error has the token redacted, and no frames that hold the body.

        Raises:
            InvalidResponseError: The response does not have the expected shape.
        """
        try:
            return parse(success.body)
        except XAILowCodeError as error:
            failure = error.redact_token(self.token).with_traceback(None)
        except Exception as defect:  # noqa: BLE001 - a response of any shape may come
            failure = unexpected_response_error(defect, success.body).redact_token(self.token)
        raise failure


def call_and_parse(call: Call[T], context: CallContext) -> Flow[T]:
    """Make a call and parse its response."""
    success = yield from call_flow(call, context)
    return context.parse(call.endpoint.parse, success)


def call_flow(
    call: Call[Any], context: CallContext, retry_state: RetryState | None = None
) -> Flow[Success]:
    """Yield the steps of one call and return its successful response.

    Args:
        call: The call.
        context: What the calls of the client share.
        retry_state: The attempts so far, if this continues a call; None for a new call.

    Raises:
        XAILowCodeError: The error of the last attempt.
    """
    endpoint, url_formats = call.endpoint, context.url_formats
    retry_state = retry_state or context.new_retry_state()
    url_format = url_formats.initial(endpoint)
    use_rate_limiter = not context.rate_limited_by_framework
    seen = _Seen(crash=bool(call.ids) and url_formats.facts.old_crashed)
    while True:
        names = url_formats.parameter_names
        path = build_path(endpoint, url_format, call.ids, call.query, names=names)
        outcome = yield SendRequest(
            call, url_format, path, retry_state.remaining(), use_rate_limiter
        )
        use_rate_limiter = True
        result = _interpret(call, outcome, context.token)
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("%s %s: %s", endpoint.method, path, _describe_outcome(outcome))
        if isinstance(result, Success):
            url_formats.record_success(endpoint, url_format)
            retry_state.headers = result.headers
            return result
        failed = isinstance(outcome, RequestFailed)
        response_started = failed and outcome.response_started
        if not response_started:
            url_formats.record_failure(endpoint, url_format, result, context.clock())
            if seen.first_error is None and url_formats.should_try_other(
                endpoint, url_format, result
            ):
                seen.first_error, url_format = result, _other_format(url_format)
                continue
        if failed and outcome.connection_was_stale and not (endpoint.at_most_once or seen.stale):
            seen.stale = True
            continue
        result, url_format = _choose_error(call, context, url_format, result, seen.first_error)
        request_sent = isinstance(result, APIConnectionError) and result.request_sent
        if (response_started and not endpoint.idempotent) or (
            request_sent and endpoint.at_most_once
        ):
            # After a crash in the new URL format, the gateway was down and had restarted.
            restarted = url_formats.facts.new_is_excluded and seen.unreachable
            if restarted and may_have_crashed(result):
                url_formats.record_old_crash()
            raise result
        yield from _wait(call, context, retry_state, result, seen)
        if seen.first_error is None:
            url_format = url_formats.initial(endpoint)


@dataclass(slots=True, eq=False, repr=False)
class _Seen:
    """What the attempts of one call have met.

    Attributes:
        crash: Whether the gateway may have crashed, so that a further crash ends the call.
        unreachable: Whether the gateway refused a connection.
        stale: Whether a kept-alive connection was found closed.
        first_error: The failure of the first URL format, if the other one is tried.
    """

    crash: bool
    unreachable: bool = False
    stale: bool = False
    first_error: XAILowCodeError | None = None


def _wait(
    call: Call[Any],
    context: CallContext,
    retry_state: RetryState,
    error: XAILowCodeError,
    seen: _Seen,
) -> Flow[None]:
    """Sleep until the next attempt.

    A gateway that is restarting is waited for; this is not counted. A request that may have crashed
    the gateway is repeated once; it was repeated already if the other URL format came first and the
    gateway was up again.

    Raises:
        XAILowCodeError: ``error`` itself, if there is none.
    """
    endpoint, url_formats = call.endpoint, context.url_formats
    request_sent = isinstance(error, APIConnectionError) and error.request_sent
    delay = url_formats.restart_delay(endpoint, error, context.clock())
    if may_have_crashed(error):
        again = seen.first_error not in {None, error} and seen.unreachable
        # A proxy in front of the gateway reports a restart like a crash.
        if (request_sent or (delay is None and call.ids)) and (seen.crash or again):
            if seen.first_error is not None:
                url_formats.record_old_crash()
            raise error
        seen.crash = seen.crash or request_sent or bool(call.ids)
    if is_unreachable(error):
        seen.unreachable = True
        # The connection that seemed stale was closed by the crash.
        seen.crash = seen.crash or seen.stale
    if delay is None:
        yield from _sleep_before_retry(error, endpoint, retry_state, request_sent=request_sent)
        return
    retry_state.check_delay(delay, error)
    logger.info("%s: %s; asking again in %.1f s", endpoint.name, error, delay)
    yield Sleep(delay)


def wait_before_retry(
    call: Call[Any], context: CallContext, retry_state: RetryState, error: APIStatusError
) -> Flow[None]:
    """Sleep before a call is retried whose successful response reports an error.

    Such an error counts as a failed attempt, like a 5xx: a stream reported it before any content,
    or it is the end of a response that failed. Where it has no ``Retry-After`` and no request id,
    those of the HTTP response are used.

    Args:
        call: The call.
        context: What the calls of the client share.
        retry_state: The attempts so far.
        error: The reported error.

    Raises:
        XAILowCodeError: ``error`` itself, if the call is not retried.
    """
    if error.retry_after is None:
        error.retry_after = parse_retry_after(retry_state.headers)
    error.request_id = error.request_id or retry_state.headers.get("x-request-id")
    # The error is logged.
    error.redact_token(context.token)
    yield from _sleep_before_retry(error, call.endpoint, retry_state, request_sent=False)


def _sleep_before_retry(
    error: XAILowCodeError, endpoint: Endpoint[Any], retry_state: RetryState, *, request_sent: bool
) -> Flow[None]:
    delay = retry_state.next_delay(error, idempotent=endpoint.idempotent, request_sent=request_sent)
    logger.info("%s: %s; retrying in %.1f s", endpoint.name, error, delay)
    yield Sleep(delay)


def _choose_error(
    call: Call[Any],
    context: CallContext,
    url_format: UrlFormat,
    error: XAILowCodeError,
    error_in_first_format: XAILowCodeError | None,
) -> tuple[XAILowCodeError, UrlFormat]:
    """Return the error to raise where two URL formats were tried, and the format to retry in.

    The other error becomes a note. An error of xAI itself proves its URL format right.
    """
    endpoint, url_formats = call.endpoint, context.url_formats
    is_routing = is_routing_error(endpoint, error, url_formats)
    if is_provider_error(error) and not is_routing:
        url_formats.record_success(endpoint, url_format)
        if error_in_first_format is not None:
            other = _other_format(url_format)
            error.add_note(f"The {other} URL format was tried first: {error_in_first_format}")
    elif (
        is_routing
        and error_in_first_format is not None
        and url_format != url_formats.initial(endpoint)
    ):
        error_in_first_format.add_note(f"The {url_format} URL format failed too: {error}")
        error, url_format = error_in_first_format, url_formats.initial(endpoint)
    url_formats.explain(endpoint, url_format, error, error_in_first_format)
    return error, url_format


def _describe_outcome(outcome: Outcome) -> str:
    if isinstance(outcome, RequestFailed):
        return str(outcome.error)
    return str(outcome.status)


def _other_format(url_format: UrlFormat) -> UrlFormat:
    return "old" if url_format == "new" else "new"


def _interpret(call: Call[Any], outcome: Outcome | None, token: str) -> Success | XAILowCodeError:
    match outcome:
        case HTTPResponse(content=None, headers=headers):
            return Success(None, headers)
        case HTTPResponse():
            interpret = _interpret_buffered_stream if call.stream else _interpret_response
            return interpret(call, outcome, token)
        case RequestFailed(error=error):
            return error
        case None:
            raise TypeError("the outcome of a SendRequest step must not be None")


def _interpret_response(
    call: Call[Any], response: HTTPResponse, token: str
) -> Success | XAILowCodeError:
    kind, content = call.endpoint.response_kind, response.content or b""
    if kind == "bytes" and response.status in SUCCESS_STATUSES:
        return Success(content, response.headers)
    accepted = kind == "pending" and response.status == _ACCEPTED
    try:
        document = json.loads(content)
    except json.JSONDecodeError:
        is_empty = kind == "pending" and response.status in SUCCESS_STATUSES and not content.strip()
        if is_empty or accepted:
            return Success(None, response.headers)
        return _unparsable(response, token)
    if is_error(response.status, document):
        return build_error(response.status, document, response.headers, token)
    unwrapped = unwrap(document, body_has_data_key=call.endpoint.body_has_data_key)
    headers = {**response.headers, **unwrapped.headers}
    if accepted or (kind == "pending" and _is_pending(unwrapped.body)):
        return Success(None, headers)
    return Success(unwrapped.body, headers)


def _is_pending(body: Any) -> bool:
    return not body or (isinstance(body, dict) and body.get("status") == "pending")


def _interpret_buffered_stream(
    call: Call[Any], response: HTTPResponse, token: str
) -> Success | XAILowCodeError:
    """Interpret a stream that the gateway buffered. ``chat.stream_reader`` decodes the body."""
    content = response.content or b""
    if response.status in SUCCESS_STATUSES and content.lstrip().startswith(_SSE_PREFIXES):
        return Success(content, response.headers)
    result = _interpret_response(call, response, token)
    return Success(content, result.headers) if isinstance(result, Success) else result


def _unparsable(response: HTTPResponse, token: str) -> XAILowCodeError:
    text = excerpt(response.content or b"", token)
    return error_from_response(
        response.status, text, response.headers, token
    ) or unparsable_response_error(text, response.headers, token)
