"""Deferred completions: poll until the result is ready, and retrieve it.

A result can be retrieved only once. Therefore no request is repeated after a response has started.
A poll without a result is repeated later, however the gateway reports that it is pending.
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
from xai_lowcode.protocol.urls import check_id, may_have_crashed
from xai_lowcode.types.requests import PollingOptions
from xai_lowcode.types.resources import DeferredCompletion, parse_resource

_MAYBE_CONSUMED = (
    "An earlier poll ended without a response. If the gateway had retrieved the result from xAI by"
    " then, it is lost: a result can be retrieved only once."
)


def parse_request_id(success: Success, context: CallContext) -> str:
    """Return the request id of a deferred completion.

    Raises:
        InvalidResponseError: The response has no valid id.
    """
    return context.parse(_parse_request_id, success)


def _parse_request_id(body: Any) -> str:
    request_id = parse_resource(DeferredCompletion)(body).request_id
    try:
        return check_id("request_id", request_id)
    except UsageError as error:
        # Not a usage error of the caller: the id comes from the service.
        raise InvalidResponseError(
            f"The response has no valid request id ({error.message})", body=body
        ) from None


def poll(request_id: str, options: PollingOptions, context: CallContext) -> Flow[Success]:
    """Poll until a deferred completion is ready, and retrieve it.

    Raises:
        APITimeoutError: It was not ready in time; the message contains the request id, with which
            it can still be retrieved.
        NotFoundError: There is no such completion, or it has been retrieved before.
        UsageError: The request id is invalid.
        XAILowCodeError: A poll failed with an error that is not transient, or polls crash the
            gateway in both URL formats.
    """
    check_id("request_id", request_id)
    with open_progress(options.progress, "deferred completion", "polls") as report:
        return (yield from _poll_until_ready(request_id, options, context, report))


def _poll_until_ready(
    request_id: str, options: PollingOptions, context: CallContext, report: ProgressCallback
) -> Flow[Success]:
    call = Call(GET_DEFERRED_COMPLETION, ids={"request_id": request_id})
    # At least one poll, however short the timeout.
    delay = min(options.initial_delay, options.timeout / 2)
    start, retry_after, polls, maybe_consumed = context.clock(), 0.0, 0, False
    while (elapsed := context.clock() - start) + (
        wait := max(delay, retry_after)
    ) < options.timeout:
        yield Sleep(wait)
        report(polls, elapsed + wait)
        polls += 1
        remaining = max(options.timeout - (context.clock() - start), 0.001)
        policy = RetryPolicy(0, min(options.poll_timeout, remaining))
        try:
            result = yield from _poll_once(call, context.with_policy(policy))
        except NotFoundError as error:
            if maybe_consumed:
                error.add_note(_MAYBE_CONSUMED)
            raise
        if isinstance(result, Success):
            return result
        maybe_consumed = maybe_consumed or _may_have_consumed(result)
        retry_after = 0.0 if result is None else result.retry_after or 0.0
        delay = min(delay * 1.5, max(options.max_delay, delay))
    raise APITimeoutError(
        f"The deferred completion {request_id} was not ready within {options.timeout:g} s.",
        hint="It is stored for 24 hours and can still be retrieved by its id.",
        request_sent=True,
    )


def _poll_once(call: Call[Any], context: CallContext) -> Flow[Success | XAILowCodeError | None]:
    """Return the result, None if it is pending, or a transient error."""
    try:
        success = yield from call_flow(call, context)
    except APIConnectionError as error:
        if error.response_started:
            error.add_note(
                f"Part of the deferred completion {call.ids['request_id']} had been received."
            )
            raise
        _check_crash(error, call, context)
        # Timeouts included: some gateways do not respond until the result is ready.
        return error
    except XAILowCodeError as error:
        if not error.is_retryable:
            raise
        _check_crash(error, call, context)
        return error
    return None if success.body is None else success


def _check_crash(error: XAILowCodeError, call: Call[Any], context: CallContext) -> None:
    """Raise the error of a poll if every further poll would crash the gateway."""
    if may_have_crashed(error) and context.url_formats.facts.both_crash:
        error.add_note(
            f"Each poll of the deferred completion {call.ids['request_id']} crashes this gateway."
            " xAI stores a completion for 24 hours, until it is retrieved."
        )
        raise error


def _may_have_consumed(error: XAILowCodeError | None) -> bool:
    """Return whether a poll without a result may have retrieved it all the same."""
    if isinstance(error, APIConnectionError):
        return error.request_sent
    return isinstance(error, InternalServerError)
