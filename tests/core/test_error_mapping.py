"""Error bodies of xAI, the gateway, proxies and other services, mapped to exceptions."""

import json
import math
import pickle
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import for_each
from tests.core.wire import gateway_fixtures, recorded_errors, refused, wrapped
from xai_lowcode.errors import (
    APIStatusError,
    ContentPolicyError,
    CreditsExhaustedError,
    XAILowCodeError,
)
from xai_lowcode.protocol.envelope import is_error_body
from xai_lowcode.protocol.error_mapping import (
    MAX_TEXT,
    error_from_event,
    error_from_response,
    parse_retry_after,
    to_plain_text,
    unparsable_response_error,
)

# Name in the fixture file: class, text, source, seconds to wait.
GATEWAY: dict[str, tuple[str, str, str, float | None]] = {
    "err_provider_xai_400": ("BadRequestError", "Argument not supported", "provider", None),
    "err_provider_xai_429": ("RateLimitError", "Model grok-x: rate limited", "provider", 7.0),
    "err_provider_openai_shape": ("BadRequestError", "Invalid thing", "provider", None),
    "err_provider_top_message": ("BadRequestError", "has message", "provider", None),
    "err_provider_text": ("InternalServerError", "upstream exploded", "provider", None),
    "err_provider_html": ("InternalServerError", "502 Bad Gateway", "provider", None),
    "err_provider_empty": ("InternalServerError", "Error received from", "provider", None),
    "err_network": ("InternalServerError", "socket hang up", "gateway", None),
    "err_stream_aborted": ("InternalServerError", "stream has been aborted", "gateway", None),
    "err_token_missing_or_malformed": ("AuthenticationError", "A valid API", "gateway", None),
    "err_token_unknown": ("AuthenticationError", "Invalid api_token", "gateway", None),
    "err_xai_not_connected": ("AccountNotConnectedError", "No access token", "gateway", None),
    "err_route_unknown": ("RouteNotFoundError", "Not Found", "gateway", None),
    "err_bad_json": ("BadRequestError", "Expected property name", "gateway", None),
    "err_too_large": ("BadRequestError", "request entity too large", "gateway", None),
    "err_definition_unknown_provider": ("BadRequestError", "Invalid request", "gateway", None),
    "documented_error": ("BadRequestError", "Error description", "unknown", None),
}
# Name of the recorded body: class.
RECORDED = {
    "200-error-body": "InternalServerError",
    "400-argument-not-supported-presence-penalty": "BadRequestError",
    "400-argument-not-supported-reasoning-effort": "BadRequestError",
    "400-argument-not-supported-stop": "BadRequestError",
    "400-context-length": "ContextLengthError",
    "400-model-not-found": "ModelNotFoundError",
    "400-model-not-found-old-code": "ModelNotFoundError",
    "400-reasoning-effort-not-supported": "BadRequestError",
    "400-schema-root-not-object": "BadRequestError",
    "400-single-text-element": "BadRequestError",
    "400-wrong-key": "AuthenticationError",
    "400-wrong-key-old-code": "AuthenticationError",
    "403-content-policy-new-code": "ContentPolicyError",
    "403-content-policy-old-code": "ContentPolicyError",
    "403-credits-exhausted": "CreditsExhaustedError",
    "403-endpoint-denied": "PermissionDeniedError",
    "403-no-credits-new-team": "CreditsExhaustedError",
    "404-model-deprecated": "ModelNotFoundError",
    "404-model-no-access": "ModelNotFoundError",
    "404-no-route": "RouteNotFoundError",
    "410-live-search-deprecated": "BadRequestError",
    "422-deserialize": "BadRequestError",
    "429-credits-exhausted": "CreditsExhaustedError",
}


def create_error(status: int, document: Any, token: str = "") -> APIStatusError:
    error = error_from_response(status, document, {}, token)
    assert error is not None
    return error


@pytest.mark.skipif(not gateway_fixtures(), reason="not beside the repository")
def test_every_gateway_error_is_in_the_table() -> None:
    """The table above contains every error among the fixtures of the gateway."""
    names = {name for name in gateway_fixtures() if name.startswith(("err_", "documented_e"))}
    assert names == GATEWAY.keys()


@pytest.mark.skipif(not gateway_fixtures(), reason="not beside the repository")
@for_each("name", [*GATEWAY])
def test_gateway_errors(name: str) -> None:
    """Each gateway error has its class, message, source and retry delay, and no token."""
    case = gateway_fixtures()[name]
    cls, text, source, retry_after = GATEWAY[name]
    error = create_error(case["status"], case["body"])
    assert type(error).__name__ == cls
    assert error.message.startswith(text)
    assert (error.source, error.retry_after, error.status_code) == (
        source,
        retry_after,
        case["status"],
    )
    assert "LEAKED" not in repr(vars(error))
    assert "<" not in error.message


@pytest.mark.skipif(not gateway_fixtures(), reason="not beside the repository")
def test_gateway_successes_are_not_errors() -> None:
    """No successful response of the gateway is mapped to an error."""
    for name, case in gateway_fixtures().items():
        if case["status"] == 200:
            body = case.get("body", case.get("body_text"))
            assert error_from_response(200, body, {}) is None, name


def test_every_recorded_error_is_in_the_table() -> None:
    """The table above contains every recorded error of xAI."""
    if not recorded_errors():
        pytest.skip("the recorded bodies are not beside the repository")
    assert recorded_errors().keys() == RECORDED.keys()


@for_each("name", sorted(recorded_errors()))
def test_xai_errors_with_and_without_the_gateway(name: str) -> None:
    """Each xAI error has its class, message and code, directly and in the gateway's format."""
    status, recorded_body = recorded_errors()[name]
    bodies = (
        [recorded_body, refused(recorded_body, {"x-request-id": "r1"})]
        if status >= 400
        else [recorded_body]
    )
    for body in bodies:
        error = create_error(status, body)
        assert type(error).__name__ == RECORDED[name]
        assert error.message == " ".join(recorded_body["error"].split())
        assert error.code == recorded_body.get("code")
        assert error.source == "provider"


@for_each("envelope", ["result", "data", "bare"])
@for_each("name", sorted(recorded_errors()))
def test_an_error_in_a_response_with_status_200(name: str, envelope: str) -> None:
    """An error in a 200, in any envelope, has the message, code and class of the original one."""
    _, body = recorded_errors()[name]
    error = create_error(200, wrapped(body, envelope))
    assert error.message == " ".join(body["error"].split())
    assert (error.code, error.source, error.status_code) == (body.get("code"), "provider", 200)
    if name not in {"422-deserialize", "410-live-search-deprecated"}:
        assert type(error).__name__ == RECORDED[name]


FINAL = (
    ("Your team has either used all available credits or reached its", CreditsExhaustedError),
    ("reached its monthly spending limit", CreditsExhaustedError),
    ("Your newly created team doesn't have any credits yet.", CreditsExhaustedError),
    ("Content violates usage guidelines. ", ContentPolicyError),
    ("Failed check: SAFETY_CHECK_TYPE_BIO", ContentPolicyError),
)


@for_each("status", [200, 400, 403, 429])
@for_each(("text", "cls"), FINAL)
@for_each("code", [None, "permission-denied", "Some resource has been exhausted"])
def test_credit_and_content_policy_errors_are_not_retryable(
    text: str, cls: type[APIStatusError], code: str | None, status: int
) -> None:
    """Errors of credits and content policy are recognized by their message, with any status."""
    body = {"error": text} if code is None else {"error": text, "code": code}
    for wrapped_body in (body, refused(body), wrapped(body, "result"), wrapped(body, "data")):
        error = create_error(status, wrapped_body)
        assert type(error) is cls
        assert not error.is_retryable


def test_the_order_of_message_keys() -> None:
    """The first message in the documented order is used."""
    documents: list[dict[str, Any]] = [
        {"error": {"error": {"message": "1"}}},
        {"error": {"error": "2"}},
        {"error": {"message": "3"}},
        {"error": "4"},
        {"data": {"error": {"message": "5"}}},
        {"data": {"error": "6"}},
        {"message": "7"},
    ]
    for first, document in enumerate(documents):
        for other in documents[first + 1 :]:
            merged = {**other, **document}
            if isinstance(document.get("error"), dict) and isinstance(other.get("error"), dict):
                merged["error"] = {**other["error"], **document["error"]}
            assert create_error(400, merged).message == str(first + 1)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 999) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["error", "message", "code", "data", "result", "headers", "provider", "choices"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(st.integers(300, 599), json_values)
def test_any_error_status_is_an_error_with_a_message(status: int, document: Any) -> None:
    """A response with an error status and any body is an error with a message."""
    error = create_error(status, document)
    assert error.message
    assert error.status_code == status
    assert isinstance(error.code, str | None)
    assert pickle.loads(pickle.dumps(error)).message == error.message  # noqa: S301 - just written


@given(json_values)
def test_any_body_of_a_success_is_accepted(document: Any) -> None:
    """``error_from_response`` and ``is_error_body`` agree and do not fail for any body."""
    assert (error_from_response(200, document, {}) is not None) == is_error_body(document)


@for_each("key", ["choices", "object", "output", "content"])
@for_each("envelope", ["result", "data", "bare"])
def test_a_success_with_an_error_key_is_a_success(key: str, envelope: str) -> None:
    """An object of xAI with an ``error`` key next to its own keys is not an error."""
    body = {key: "x", "error": {"message": "of the record"}}
    assert not is_error_body(wrapped(body, envelope))


OTHER_FORMATS: dict[str, tuple[Any, str, str | None]] = {
    "flag": ({"error": True, "message": "boom"}, "InternalServerError", None),
    "list below error": ({"error": [{"message": "boom"}]}, "InternalServerError", None),
    "errors": ({"errors": [{"message": "boom", "code": "c"}]}, "InternalServerError", "c"),
    "errors as texts": ({"errors": ["boom", "bang"]}, "InternalServerError", None),
    "statusCode": ({"statusCode": 500, "message": "boom"}, "InternalServerError", "500"),
    "several messages": (
        {"statusCode": 400, "message": ["boom", "bang"]},
        "BadRequestError",
        "400",
    ),
    "status_code": ({"status_code": 429, "message": "boom"}, "RateLimitError", "429"),
    "problem details": (
        {"type": "about:blank", "title": "Busy", "status": 503, "detail": "boom"},
        "InternalServerError",
        "503",
    ),
    "number as a code": ({"error": {"code": 401, "message": "boom"}}, "AuthenticationError", "401"),
    "number as text": ({"code": "400", "error": "boom"}, "BadRequestError", "400"),
    "no status": ({"code": "4000", "error": "boom"}, "InternalServerError", "4000"),
    "code and message": ({"code": "not-found", "message": "boom"}, "NotFoundError", "not-found"),
    "error object": (
        {"type": "rate_limit_error", "message": "boom", "code": None},
        "RateLimitError",
        "rate_limit_error",
    ),
    "object": ({"object": "error", "message": "boom", "code": 400}, "BadRequestError", "400"),
    "event": ({"type": "error", "message": "boom"}, "InternalServerError", None),
}


@for_each("envelope", ["result", "data", "bare"])
@for_each("name", [*OTHER_FORMATS])
def test_errors_of_other_services_with_status_200(name: str, envelope: str) -> None:
    """Error bodies of gateways and proxies have their class, message and code."""
    body, cls, code = OTHER_FORMATS[name]
    error = create_error(200, wrapped(body, envelope))
    assert (type(error).__name__, error.message, error.code) == (cls, "boom", code)
    assert error.source != "gateway"


@for_each(
    "body",
    [
        {"detail": "x"},
        {"message": "x"},
        {"errors": []},
        {"errors": None, "error": False},
        {"status": "failed"},
        {"status": 200, "message": "x"},
        {"code": "x"},
        {"code": 14},
        {"type": "response.tool_error", "message": "x"},
        {"type": "warning", "message": "x", "code": "w"},
        {"object": "response", "status": 500},
        {"data": [{"errors": ["x"]}], "errors": []},
    ],
)
def test_similar_bodies_are_not_errors(body: Any) -> None:
    """A message or an error-like key alone is not an error."""
    assert error_from_response(200, body, {}) is None


@for_each("document", [None, "", "boom", [], ["boom"], {}, {"message": "boom"}, 5])
def test_an_error_event_is_an_error(document: Any) -> None:
    """Any data of an ``error`` event is mapped to an error without the token."""
    error = error_from_event(document)
    assert isinstance(error, APIStatusError)
    assert (error.status_code, error.is_retryable) == (200, True)
    assert error.message in {"boom", "5", "HTTP status 200 without an error message."}
    assert "s3cret" not in str(vars(error_from_event({"detail": "boom s3cret"}, "s3cret")))


def documents_with(leaf: str) -> st.SearchStrategy[Any]:
    keys = st.sampled_from(
        ["error", "message", "code", "data", "result", "headers", "x-request-id"]
    )
    texts = st.sampled_from([leaf, f"a {leaf}", f"{leaf}&b", "x" * (MAX_TEXT - 4) + leaf])
    return st.recursive(
        texts,
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(keys | st.just(leaf), inner, min_size=1, max_size=4)
        ),
        max_leaves=8,
    )


@pytest.mark.parametrize(
    "token", ["at_canary7f3a9d1be5c24860", "canary-without-the-usual-form", "c/a+n=a%r&y"]
)
@given(data=st.data())
def test_the_token_is_redacted_everywhere(token: str, data: st.DataObject) -> None:
    """No attribute, argument or pickle of an error contains the token or its beginning."""
    document = data.draw(documents_with(token))
    status = data.draw(st.sampled_from([200, 302, 400, 401, 403, 404, 429, 500]))
    as_text = data.draw(st.booleans())
    body = json.dumps(document) if as_text else document
    error_in_response: XAILowCodeError | None = error_from_response(
        status, body, {"x-request-id": token}, token
    )
    error = error_in_response or unparsable_response_error(
        str(body), {"x-request-id": token}, token
    )
    for text in (str(error), repr(error), str(error.body), str(error.args), str(vars(error))):
        assert token not in text
        assert token[:9] not in text
    assert token.encode() not in pickle.dumps(error)


@for_each(
    ("page", "text"),
    [
        ("<html><h1>502 Bad Gateway</h1></html>", "502 Bad Gateway"),
        (
            (
                "<!DOCTYPE html><html><head><title>x</title><style>a{}</style></head>"
                "<body>Error&nbsp;&amp; <b>more</b><script>x</script></body>"
            ),
            "Error & more",
        ),
        ("  <HTML><BODY>Up\n\n  soon</BODY></HTML>", "Up soon"),
        ("<html><head><title>no end<body>said", "said"),
        ("upstream < 5 > 3", "upstream < 5 > 3"),
        ("", ""),
        (" \n", ""),
        ("x" * 600, "x" * MAX_TEXT + "…"),
    ],
)
@for_each("status", [200, 403, 502, 521])
def test_pages_and_strings_become_one_line(page: str, text: str, status: int) -> None:
    """A body that is not JSON becomes one line without HTML tags; its source is unknown."""
    assert to_plain_text(page) == text
    error = error_from_response(status, page, {}) or unparsable_response_error(page, {})
    assert (text or "without an error message" if status >= 400 else text) in error.message
    assert error.source == "unknown"


@for_each("repeated", ["<script ", "<", "<head><style>", "<a b", "&#", "<!--"])
def test_pages_are_parsed_in_linear_time(repeated: str) -> None:
    """Parsing 100 kB of invalid HTML takes linear time."""
    page = "<html>" + repeated * (100_000 // len(repeated))
    start = time.process_time()
    assert len(to_plain_text(page)) <= MAX_TEXT + 1
    assert time.process_time() - start < 2


@given(st.text(max_size=8) | st.sampled_from(["7", "0", "1.5", "-1", "nan", "inf", "1e400", " 3 "]))
def test_retry_after_is_finite_and_not_negative(value: str) -> None:
    """Any header value results in a usable number of seconds or None."""
    for name in ("retry-after", "retry-after-ms"):
        seconds = parse_retry_after({name: value})
        assert seconds is None or (math.isfinite(seconds) and seconds >= 0)


def test_headers_in_the_body_take_precedence() -> None:
    """``Retry-After`` of the headers in the body is used before that of the response."""
    for headers, seconds in (({"Retry-After": "7"}, 7.0), ({"retry-after-ms": "1500"}, 1.5)):
        error = error_from_response(429, refused({"error": "x"}, headers), {"retry-after": "3"})
        assert error is not None
        assert error.retry_after == (seconds if "Retry-After" in headers else 1.5)
    plain_error = error_from_response(
        429, {"message": "x"}, {"retry-after": "3", "x-request-id": "r9"}
    )
    assert plain_error is not None
    assert (plain_error.retry_after, plain_error.request_id) == (3.0, "r9")


@for_each(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        (
            {
                "retry-after": "Mon, 23 Nov 2026 09:00:10 GMT",
                "date": "Mon, 23 Nov 2026 09:00:00 GMT",
            },
            10.0,
        ),
        ({"retry-after": "Mon, 23 Nov 2026 09:00:10 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({}, None),
    ],
)
def test_formats_of_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, milliseconds and HTTP dates are parsed; other values are ignored."""
    assert parse_retry_after(headers) == seconds
