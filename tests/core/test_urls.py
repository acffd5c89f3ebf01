"""Law: an id that could leave its place in the path is refused; all others stay what they were."""

import logging
from itertools import product
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xai_lowcode import Gateway, Settings, errors
from xai_lowcode.api import endpoints as operations
from xai_lowcode.api.endpoints import LIST_MODELS, RETRIEVE_MODEL
from xai_lowcode.emulator import running
from xai_lowcode.errors import NotFoundError, UsageError, XAILowCodeError
from xai_lowcode.protocol.endpoint import Endpoint
from xai_lowcode.protocol.urls import (
    MAX_ID_LENGTH,
    UrlFormatSelector,
    build_path,
    check_id,
    is_routing_error,
    path_parameters,
)

ALL = [value for value in vars(operations).values() if isinstance(value, Endpoint)]
DELETE_IT: Endpoint[Any] = Endpoint("Delete", "DELETE", "/v1/x/{x_id}", dict, idempotent=True)
PATCH_IT: Endpoint[Any] = Endpoint("Patch", "PATCH", "/v1/x/{x_id}", dict)
POST_IT: Endpoint[Any] = Endpoint(
    "Post", "POST", "/v1/x/{x_id}:complete", dict, preferred_url_format="old"
)
WITH_ID = [RETRIEVE_MODEL, DELETE_IT, PATCH_IT, POST_IT]

good_ids = st.text(st.sampled_from("abcXYZ019._-:"), min_size=1, max_size=MAX_ID_LENGTH).filter(
    lambda text: text.strip(".")
)
queries = st.dictionaries(st.text(max_size=5), st.text(max_size=8), max_size=3).filter(
    lambda query: "api_token" not in query
)
BAD_IDS: list[Any] = [
    "",
    ".",
    "..",
    "...",
    "/",
    "a/b",
    "../api-key",
    "..%2fapi-key",
    "%2e%2e",
    "a%20b",
    "a b",
    "a?b",
    "a#b",
    "$&",
    "a$&b",
    "a&b=c",
    "a=b",
    "{model_id}",
    "\n",
    "a\n",
    "a\r\nX: y",
    "a\x00",
    "é",
    "模型",
    "a\u2028",
    "a\\b",
    "a;b",
    "a,b",
    "a+b",
    "x" * (MAX_ID_LENGTH + 1),
    "\ud800",
    "٣",
    None,
    5,
    b"a",
    ["a"],
]


@pytest.mark.parametrize("value", BAD_IDS, ids=lambda value: repr(value)[:30])
@pytest.mark.parametrize("operation", WITH_ID, ids=lambda operation: operation.name)
def test_an_id_that_is_none_is_refused(operation: Endpoint[Any], value: Any) -> None:
    """Whatever could leave its place in the path is refused in both forms, naming its parameter."""
    (name,) = path_parameters(operation)
    for form in ("new", "old"):
        with pytest.raises(UsageError) as refusal:
            build_path(operation, form, {name: value}, {})
        assert refusal.value.field == name
    with pytest.raises(UsageError):
        build_path(operation, "new", {}, {})


@given(st.text(max_size=20))
def test_any_text_is_an_id_or_refused(text: str) -> None:
    """What is accepted as an id is one segment of a path, and means itself."""
    try:
        value = check_id("x_id", text)
    except UsageError:
        return
    path = build_path(DELETE_IT, "new", {"x_id": value}, {})
    assert path.isascii()
    assert path.count("/") == 3
    assert value not in {".", ".."}
    assert (urlsplit(path).path, urlsplit(path).query) == (path, "")
    assert unquote(path) == f"/v1/x/{text}"


@pytest.mark.parametrize("operation", WITH_ID, ids=lambda operation: operation.name)
@given(value=good_ids, query=queries)
def test_both_forms_say_the_same(
    operation: Endpoint[Any], value: str, query: dict[str, str]
) -> None:
    """The new form has the id in the path, the old one its name there and the id in the query."""
    (name,) = path_parameters(operation)
    new = urlsplit(build_path(operation, "new", {name: value}, query))
    old = urlsplit(build_path(operation, "old", {name: value}, query))
    assert unquote(new.path) == operation.path.replace(f"{{{name}}}", value)
    assert old.path == operation.path.replace(f"{{{name}}}", name)
    assert dict(parse_qsl(new.query, keep_blank_values=True)) == query
    assert dict(parse_qsl(old.query, keep_blank_values=True)) == {**query, name: value}


@given(queries)
def test_without_an_id_the_forms_are_one(query: dict[str, str]) -> None:
    """An endpoint without an id has one address, which carries any query unchanged."""
    new, old = (build_path(LIST_MODELS, form, {}, query) for form in ("new", "old"))
    assert new == old
    assert new.isascii()
    assert dict(parse_qsl(urlsplit(new).query, keep_blank_values=True)) == query


@pytest.mark.parametrize(
    "operation", [LIST_MODELS, RETRIEVE_MODEL], ids=lambda operation: operation.name
)
@pytest.mark.parametrize("form", ["new", "old"])
def test_a_second_token_is_refused(operation: Endpoint[Any], form: Any) -> None:
    """The token's own parameter cannot be given: twice, the gateway fails and quotes it."""
    with pytest.raises(UsageError) as refusal:
        build_path(operation, form, {"model_id": "m"}, {"api_token": "x"})
    assert refusal.value.field == "query"


ROUTE_UNKNOWN = errors.RouteNotFoundError("Not Found", status_code=404, source="gateway")
FAILURES: list[tuple[XAILowCodeError, bool]] = [
    (ROUTE_UNKNOWN, True),
    (errors.BadRequestError("bad", status_code=400, source="gateway"), True),
    (errors.InternalServerError("x", status_code=500, source="gateway"), True),
    (errors.NotFoundError("Not Found", status_code=404, source="unknown"), True),
    (errors.APIConnectionError("dropped", request_sent=True), True),
    (errors.APIConnectionError("refused", request_sent=False), False),
    (errors.APITimeoutError("slow", request_sent=True), False),
    (errors.AuthenticationError("x", status_code=401, source="gateway"), False),
    (errors.PermissionDeniedError("x", status_code=403, source="gateway"), False),
    (errors.BadRequestError("large", status_code=413, source="gateway"), False),
    (errors.RateLimitError("x", status_code=429, source="gateway"), False),
    (errors.NotFoundError("no such model", status_code=404, source="provider"), False),
    (errors.InternalServerError("x", status_code=500, source="provider"), False),
    (errors.NotFoundError("Model {model_id}", status_code=404, source="provider"), True),
    (errors.NotFoundError("Model :model_id", status_code=404, source="provider"), True),
    (errors.InvalidResponseError("html"), False),
    (UsageError("x"), False),
]


@pytest.mark.parametrize(("error", "blames"), FAILURES, ids=lambda value: repr(value)[:50])
@pytest.mark.parametrize(
    ("operation", "choice", "known"),
    list(
        product(
            [RETRIEVE_MODEL, PATCH_IT, POST_IT, LIST_MODELS], ["auto", "new", "old"], [False, True]
        )
    ),
)
def test_the_other_form_is_tried_on_the_signs_only(
    operation: Endpoint[Any], choice: Any, known: bool, error: XAILowCodeError, blames: bool
) -> None:
    """It needs an id, a method that may be repeated, a free choice, no form known, and a sign."""
    forms = UrlFormatSelector(choice)
    if known:
        forms.record_success(operation, "new")
    expected = blames and operation is RETRIEVE_MODEL and choice == "auto" and not known
    assert forms.should_try_other(operation, error) == expected


@pytest.mark.parametrize("operation", ALL + WITH_ID, ids=lambda operation: operation.name)
def test_the_first_form(operation: Endpoint[Any]) -> None:
    """The user's choice comes first, then what worked, then what the endpoint prefers."""
    assert UrlFormatSelector("old").initial(operation) == "old"
    assert UrlFormatSelector("new").initial(operation) == "new"
    forms = UrlFormatSelector()
    assert forms.initial(operation) == operation.preferred_url_format
    forms.record_success(operation, "old")
    assert forms.initial(operation) == (
        "old" if path_parameters(operation) else operation.preferred_url_format
    )


def test_what_worked_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Remembering logs the form when it is new, and never again."""
    forms = UrlFormatSelector()
    with caplog.at_level(logging.INFO, logger="xai_lowcode"):
        for form in ("old", "old", "new", "new"):
            forms.record_success(RETRIEVE_MODEL, form)
        forms.record_success(LIST_MODELS, "new")
    assert [record.getMessage().split()[-3] for record in caplog.records] == ["old", "new"]


@pytest.mark.parametrize(
    ("message", "blames"),
    [
        ("Model not found: model_id", True),
        ("Response with id=model_id not found.", True),
        ("Model not found: model_ids", False),
        ("The field model_id is unknown", False),
        ("Model not found: grok-4", False),
    ],
)
def test_a_placeholder_taken_for_an_id_blames_the_route(message: str, blames: bool) -> None:
    """A gateway of the new form only takes the old form's name for an id, and xAI says so."""
    error = errors.NotFoundError(message, status_code=404, source="provider")
    assert is_routing_error(RETRIEVE_MODEL, error, UrlFormatSelector()) == blames
    foreign = error.message.replace("model_id", "modelId")
    error = errors.NotFoundError(foreign, status_code=404, source="provider")
    forms = UrlFormatSelector(parameter_names={"model_id": "modelId"})
    assert is_routing_error(RETRIEVE_MODEL, error, forms) == blames


def test_a_query_that_has_no_form_is_refused() -> None:
    """A text with lone surrogates in the query is an error of ours, before anything is sent."""
    with pytest.raises(UsageError) as refusal:
        build_path(LIST_MODELS, "new", {}, {"filter": "\ud800"})
    assert refusal.value.field == "query"


def test_what_worked_is_known_to_one_object_only() -> None:
    """Another gateway's forms are not touched."""
    one, other = UrlFormatSelector(), UrlFormatSelector()
    one.record_success(RETRIEVE_MODEL, "old")
    assert other.initial(RETRIEVE_MODEL) == "new"


def test_names_of_the_old_form_can_be_given() -> None:
    """A gateway's own parameter names are used in the old format."""
    with running(url_forms="old", parameter_names={"model_id": "id"}) as gateway:
        reach: dict[str, Any] = {"api_token": gateway.api_token, "base_url": gateway.base_url}
        reach["max_retries"] = 0
        with Gateway(Settings.create(**reach)) as client, pytest.raises(NotFoundError):
            client.retrieve_model("grok-4.3")
        given = Settings.create(**reach, parameter_names={"model_id": "id"})
        with Gateway(given) as client:
            assert client.retrieve_model("grok-4.3").id == "grok-4.3"
