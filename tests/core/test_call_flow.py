"""Call flows: attempts, delays, URL formats and retries for every script of three outcomes.

Each script is run with every kind of endpoint, URL format, number of retries and deadline, and with
a clock that advances one second per request.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise, product
from typing import Any

import pytest

from tests.core.fake_server import TOKEN
from tests.core.wire import refused, wrapped
from xai_lowcode import errors
from xai_lowcode.api.endpoints import CREATE_CHAT_COMPLETION, LIST_MODELS, RETRIEVE_MODEL
from xai_lowcode.protocol.call_flow import CallContext, call_flow, wait_before_retry
from xai_lowcode.protocol.endpoint import Endpoint
from xai_lowcode.protocol.retry import RetryPolicy
from xai_lowcode.protocol.steps import (
    Call,
    HTTPResponse,
    Outcome,
    RequestFailed,
    SendRequest,
    Sleep,
    Step,
    Success,
)
from xai_lowcode.protocol.urls import URL_FORMAT_HINT, UrlFormatSelector, path_parameters


def create_response(
    status: int, document: Any, headers: dict[str, str] | None = None
) -> HTTPResponse:
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    return HTTPResponse(status, headers or {}, content)


def create_failure(
    error: type[errors.APIConnectionError], *, request_sent: bool, **facts: bool
) -> RequestFailed:
    return RequestFailed(error("lost", request_sent=request_sent), **facts)


OK = {"id": "m", "choices": [1], "data": [{"id": "m"}]}
OUTCOMES: dict[str, Outcome] = {
    "ok": create_response(200, OK),
    "route 404": create_response(404, {"message": "Not Found"}),
    "no such": create_response(404, refused({"error": "no such thing", "code": "not-found"})),
    "rate 7": create_response(429, refused({"error": "slow"}, {"retry-after": "7"})),
    "gateway 3": create_response(429, {"message": "slow"}, {"retry-after": "3"}),
    "token": create_response(
        401, {"message": "A valid API token is required", "error": {"code": 401}, "provider": "xai"}
    ),
    "5xx": create_response(503, refused("upstream exploded")),
    "network": create_response(
        500, {"message": "hang up", "provider": "xai", "error": {"message": "hang up"}}
    ),
    "drop": create_failure(errors.APIConnectionError, request_sent=True),
    "begun": create_failure(errors.APIConnectionError, request_sent=True, response_started=True),
    "stale": create_failure(
        errors.APIConnectionError, request_sent=True, connection_was_stale=True
    ),
    "refused": create_failure(errors.APIConnectionError, request_sent=False),
    "timeout": create_failure(errors.APITimeoutError, request_sent=True),
}
FORMAT_ERRORS = {"route 404", "network", "drop", "stale"}
FORMAT_ACCEPTED = {"ok", "no such", "rate 7", "5xx"}
FINAL = {"route 404", "no such", "token"}
DELETE_IT: Endpoint[Any] = Endpoint("Delete", "DELETE", "/v1/x/{x_id}", dict, idempotent=True)
ENDPOINTS: list[Endpoint[Any]] = [CREATE_CHAT_COMPLETION, RETRIEVE_MODEL, LIST_MODELS, DELETE_IT]
SCRIPTS = list(product(OUTCOMES, repeat=3))


@dataclass
class FlowRun:
    """The steps and the result of one call flow."""

    steps: list[Step] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    result: Success | errors.XAILowCodeError | None = None
    now: float = 0.0

    @property
    def sends(self) -> list[SendRequest]:
        """The requests."""
        return [step for step in self.steps if isinstance(step, SendRequest)]

    @property
    def url_formats(self) -> list[str]:
        """The URL formats of the requests."""
        return [send.url_format for send in self.sends]


def run_script(
    endpoint: Endpoint[Any],
    script: tuple[str, ...],
    selector: UrlFormatSelector,
    policy: RetryPolicy,
    *,
    stream: bool = False,
) -> FlowRun:
    """Run a call flow with the outcomes of a script; the last one is repeated."""
    run = FlowRun()
    call = Call(endpoint, ids=dict.fromkeys(path_parameters(endpoint), "x"), stream=stream)
    flow = call_flow(
        call,
        CallContext(policy, selector, TOKEN, lambda: run.now, lambda: 0.5),
    )
    try:
        step = next(flow)
        while len(run.steps) < 50:
            run.steps.append(step)
            outcome: Outcome | None = None
            if isinstance(step, SendRequest):
                name = script[min(len(run.names), len(script) - 1)]
                run.names.append(name)
                outcome = copy_outcome(OUTCOMES[name])
                run.now += 1
            elif isinstance(step, Sleep):
                run.now += step.seconds
            step = flow.send(outcome)
    except StopIteration as end:
        run.result = end.value
    except errors.XAILowCodeError as error:
        run.result = error
    return run


def copy_outcome(outcome: Outcome) -> Outcome:
    """Return a copy with a new error, since notes are added to errors."""
    if not isinstance(outcome, RequestFailed):
        return outcome
    error_class: Any = type(outcome.error)
    error = error_class("lost", request_sent=getattr(outcome.error, "request_sent", False))
    return RequestFailed(error, outcome.connection_was_stale, outcome.response_started)


CHOICES: list[tuple[Any, RetryPolicy]] = [
    ("auto", RetryPolicy(0)),
    ("auto", RetryPolicy(2)),
    ("auto", RetryPolicy(2, 9.0)),
    ("old", RetryPolicy(2, 9.0)),
]


def run_all_scripts(
    endpoint: Endpoint[Any],
) -> Iterator[tuple[Any, RetryPolicy, UrlFormatSelector, FlowRun]]:
    """Run all scripts, but only one of those that begin with the same whole run."""
    for choice, policy in CHOICES:
        ended: set[tuple[str, ...]] = set()
        for script in SCRIPTS:
            if script[:1] in ended or script[:2] in ended:
                continue
            selector = UrlFormatSelector(choice)
            run = run_script(endpoint, script, selector, policy)
            ended.add(tuple(run.names))
            yield choice, policy, selector, run


def check_attempts(policy: RetryPolicy, selector: UrlFormatSelector, run: FlowRun) -> None:
    """Check the number of requests: attempts, a stale connection, the other URL format.

    Requests to a gateway that may have crashed are repeated until it accepts connections.
    """
    maximum = policy.max_retries + 1 + ("stale" in run.names) + (len(set(run.url_formats)) > 1)
    if selector.facts.crashed_at is not None:
        maximum += run.names.count("refused") + 1
    assert 1 <= len(run.sends) <= maximum
    assert run.result is not None
    if "ok" in run.names:
        assert run.names.index("ok") == len(run.names) - 1
        assert isinstance(run.result, Success)


def check_delays(policy: RetryPolicy, run: FlowRun) -> None:
    """Check that delays are at least ``Retry-After`` and end before the deadline."""
    retry_after = {"rate 7": 7.0, "gateway 3": 3.0}
    number, now = 0, 0.0
    for step in run.steps:
        if isinstance(step, SendRequest):
            remaining = None if policy.deadline is None else policy.deadline - now
            assert step.timeout == remaining
            assert remaining is None or remaining > 0
            number, now = number + 1, now + 1
        elif isinstance(step, Sleep):
            assert step.seconds >= retry_after.get(run.names[number - 1], 0)
            now += step.seconds
            assert policy.deadline is None or now < policy.deadline


def check_url_formats(
    endpoint: Endpoint[Any], choice: str, selector: UrlFormatSelector, run: FlowRun
) -> None:
    """Check when the URL format changes, and which format is recorded."""
    may_change = choice == "auto" and "{" in endpoint.path and endpoint.method != "POST"
    changes = [index for index, (a, b) in enumerate(pairwise(run.url_formats)) if a != b]
    assert not changes or may_change
    for index in changes[:1]:
        if run.names[index] == "refused":
            # The request is not sent again at once: the next attempt is in the old format.
            continue
        assert run.names[index] in FORMAT_ERRORS
        send_indexes = [i for i, step in enumerate(run.steps) if isinstance(step, SendRequest)]
        assert send_indexes[index] + 1 == send_indexes[index + 1]
    format_errors = [index for index, name in enumerate(run.names) if name in FORMAT_ERRORS]
    accepted = [index for index, name in enumerate(run.names) if name in FORMAT_ACCEPTED]
    first = format_errors[0] if format_errors else 0
    is_known = any(index < first for index in [*accepted, *changes])
    if may_change and format_errors and not is_known and len(run.sends) > first + 1:
        assert run.url_formats[first + 1] == "old"
    if accepted and "{" in endpoint.path and choice == "auto":
        assert selector.initial(endpoint) == run.url_formats[accepted[-1]]


def check_retries(
    endpoint: Endpoint[Any], policy: RetryPolicy, selector: UrlFormatSelector, run: FlowRun
) -> None:
    """Check that calls that must not be retried are sent once."""
    earlier_outcomes = run.names[:-1]
    if not endpoint.idempotent:
        assert "timeout" not in earlier_outcomes
        assert "begun" not in earlier_outcomes
        assert len(set(run.url_formats)) == 1
    if len(set(run.url_formats)) == 1:
        assert not FINAL.intersection(earlier_outcomes)
    if policy.max_retries == 0 and selector.facts.crashed_at is None:
        assert not any(isinstance(step, Sleep) for step in run.steps)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_all_scripts(endpoint: Endpoint[Any]) -> None:
    """Attempts, delays, URL formats and retries are correct for every script of outcomes."""
    for choice, policy, selector, run in run_all_scripts(endpoint):
        try:
            check_attempts(policy, selector, run)
            check_delays(policy, run)
            check_url_formats(endpoint, choice, selector, run)
            check_retries(endpoint, policy, selector, run)
        except AssertionError as error:
            error.add_note(f"{choice}, {policy}: {run.names}")
            raise


@pytest.mark.parametrize(
    ("first", "second"), list(product(sorted(FORMAT_ERRORS - {"stale"}), repeat=2))
)
def test_when_both_url_formats_fail_the_error_names_both(first: str, second: str) -> None:
    """The error also names the setting; only a crash and the gateway's 404 change the format."""
    selector = UrlFormatSelector()
    run = run_script(RETRIEVE_MODEL, (first, second), selector, RetryPolicy(0))
    # After a drop, the old format is used once more: the gateway may have been restarting.
    assert run.url_formats == ["new", "old"] + ["old"] * (first == second == "drop")
    assert isinstance(run.result, errors.XAILowCodeError)
    is_recorded = first == "drop" or (first == "route 404" and second != "route 404")
    expected_error = run_script(
        LIST_MODELS, (second if is_recorded else first,), UrlFormatSelector(), RetryPolicy(0)
    ).result
    assert str(run.result).startswith(str(expected_error))
    assert URL_FORMAT_HINT in str(run.result)
    if is_recorded:
        assert "in the old format; before, in the new format: " in str(run.result)
    else:
        assert "Both URL formats failed" in str(run.result)
        assert "old URL format failed too" in run.result.__notes__[0]
    assert selector.initial(RETRIEVE_MODEL) == ("old" if is_recorded else "new")


@pytest.mark.parametrize("second", ["token", "gateway 3", "no such", "5xx", "rate 7", "timeout"])
def test_an_error_unrelated_to_the_url_format_is_raised(second: str) -> None:
    """An authentication or rate limit error in the other format is raised, not the first 404."""
    run = run_script(RETRIEVE_MODEL, ("route 404", second), UrlFormatSelector(), RetryPolicy(0))
    expected = run_script(LIST_MODELS, (second,), UrlFormatSelector(), RetryPolicy(0)).result
    assert str(run.result) == str(expected)
    assert type(run.result) is type(expected)


def test_the_format_that_worked_is_used_again() -> None:
    """After a success in the old format, the new one is not retried."""
    selector = UrlFormatSelector()
    assert run_script(
        RETRIEVE_MODEL, ("route 404", "ok"), selector, RetryPolicy(0)
    ).url_formats == [
        "new",
        "old",
    ]
    assert run_script(RETRIEVE_MODEL, ("ok",), selector, RetryPolicy(0)).url_formats == ["old"]
    assert run_script(
        RETRIEVE_MODEL, ("route 404", "ok"), selector, RetryPolicy(2)
    ).url_formats == ["old"]


def test_a_stale_connection_is_not_an_attempt() -> None:
    """Without retries a stale connection is replaced once, and only once."""
    policy = RetryPolicy(0)
    for endpoint in ENDPOINTS:
        assert run_script(endpoint, ("stale", "ok"), UrlFormatSelector(), policy).names == [
            "stale",
            "ok",
        ]
    assert run_script(LIST_MODELS, ("stale", "stale"), UrlFormatSelector(), policy).names == [
        "stale",
        "stale",
    ]


BODIES = [
    ({"id": "c", "choices": []}, CREATE_CHAT_COMPLETION),
    ({"object": "list", "data": [{"id": "m"}]}, LIST_MODELS),
    ({"data": [{"id": "m"}]}, LIST_MODELS),
]


@pytest.mark.parametrize(("body", "endpoint"), BODIES)
@pytest.mark.parametrize("how", ["result", "data", "bare"])
def test_a_success_is_unwrapped(body: Any, endpoint: Endpoint[Any], how: str) -> None:
    """The result has xAI's body and the headers of xAI and the gateway."""
    steps = call_flow(
        Call(endpoint),
        CallContext(RetryPolicy(), UrlFormatSelector(), "", float, float),
    )
    next(steps)
    with pytest.raises(StopIteration) as end:
        steps.send(create_response(200, wrapped(body, how), {"x-a": "1"}))
    assert end.value.value.body == body
    assert end.value.value.headers["x-a"] == "1"


@pytest.mark.parametrize("content", [b"", b" ", b"<html>x</html>", b"{", b"\xff\xfe", b"nonsense"])
@pytest.mark.parametrize("status", [200, 302, 404, 429, 500])
@pytest.mark.parametrize("stream", [False, True])
def test_a_body_that_is_not_json_is_an_error(content: bytes, status: int, stream: bool) -> None:
    """An empty, HTML or invalid body is an error: by status, or InvalidResponseError."""
    steps = call_flow(
        Call(CREATE_CHAT_COMPLETION, stream=stream),
        CallContext(RetryPolicy(0), UrlFormatSelector(), "", float, float),
    )
    next(steps)
    with pytest.raises(errors.XAILowCodeError) as raised:
        steps.send(HTTPResponse(status, {}, content))
    kind = errors.InvalidResponseError if status == 200 else errors.APIStatusError
    assert isinstance(raised.value, kind)


def test_a_stream_succeeds_with_its_head() -> None:
    """The call ends with the head of a stream; the body is unread."""
    steps = call_flow(
        Call(CREATE_CHAT_COMPLETION, stream=True),
        CallContext(RetryPolicy(), UrlFormatSelector(), "", float, float),
    )
    next(steps)
    with pytest.raises(StopIteration) as end:
        steps.send(HTTPResponse(200, {"a": "b"}, None))
    assert end.value.value == Success(None, {"a": "b"})


def test_a_continued_call_has_the_remaining_attempts() -> None:
    """Earlier retries count, and the headers of the response are recorded."""
    session = CallContext(RetryPolicy(2), UrlFormatSelector(), "", float, lambda: 0.5)
    call = Call(CREATE_CHAT_COMPLETION, stream=True)
    attempts = session.new_retry_state()
    for number, outcomes in enumerate((["503", "stream"], ["503", "503"])):
        steps = call_flow(call, session, attempts)
        step = next(steps)
        try:
            for name in outcomes:
                assert isinstance(step, SendRequest)
                outcome = (
                    HTTPResponse(200, {"retry-after": "3"}, None)
                    if name == "stream"
                    else OUTCOMES["5xx"]
                )
                step = steps.send(outcome)
                if isinstance(step, Sleep):
                    step = next(steps)
        except StopIteration:
            assert number == 0
        except errors.InternalServerError:
            assert number == 1
    assert attempts.attempts == 3
    assert attempts.headers == {"retry-after": "3"}


@pytest.mark.parametrize("retries", [0, 1])
def test_an_error_in_a_success_is_a_failed_attempt(
    retries: int, caplog: pytest.LogCaptureFixture
) -> None:
    """It is retried after its ``Retry-After``, and logged without the token."""
    session = CallContext(RetryPolicy(retries), UrlFormatSelector(), "secret", float, lambda: 0.5)
    call: Call[Any] = Call(CREATE_CHAT_COMPLETION, stream=True)
    attempts = session.new_retry_state()
    attempts.headers = {"retry-after": "3", "x-request-id": "r1"}
    error = errors.InternalServerError("Busy secret", status_code=200)
    steps = wait_before_retry(call, session, attempts, error)
    with caplog.at_level("INFO", "xai_lowcode"):
        if retries:
            assert list(steps) == [Sleep(3.5)]
        else:
            with pytest.raises(errors.InternalServerError) as raised:
                next(steps)
            assert raised.value is error
    assert (error.retry_after, error.request_id, attempts.attempts) == (3.0, "r1", 1 + retries)
    assert bool(caplog.messages) == bool(retries)
    assert "secret" not in f"{error}{caplog.text}"
    told = errors.RateLimitError("Slow down", retry_after=1.0, request_id="own")
    with pytest.raises(errors.RateLimitError):
        list(wait_before_retry(call, session, attempts, told))
    assert (told.retry_after, told.request_id) == (1.0, "own")


def test_reprs_show_no_response() -> None:
    """Reprs of steps and outcomes show no body and no header."""
    for value in (
        create_response(401, {"a": TOKEN}, {"b": TOKEN}),
        HTTPResponse(200, {"b": TOKEN}, None),
        Success(TOKEN, {"b": TOKEN}),
    ):
        assert TOKEN not in repr(value)
