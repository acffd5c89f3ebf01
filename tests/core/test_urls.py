"""Paths in both URL formats, validation of ids, and selection of the URL format."""

import logging
from itertools import product
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import for_each
from tests.core.clients import server_settings
from tests.core.fake_server import Drop, FakeServer, json_reply
from tests.core.sync_async import CLIENTS, open_client
from xai_lowcode import Gateway, Settings, errors
from xai_lowcode.api import endpoints as operations
from xai_lowcode.api.endpoints import GET_FILE, LIST_MODELS, RETRIEVE_MODEL
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
INVALID_IDS: list[Any] = [
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


@for_each("value", INVALID_IDS)
@for_each("endpoint", WITH_ID)
def test_invalid_ids_are_rejected(endpoint: Endpoint[Any], value: Any) -> None:
    """An id that would change the path is rejected in both formats; the error names it."""
    (name,) = path_parameters(endpoint)
    for url_format in ("new", "old"):
        with pytest.raises(UsageError) as raised:
            build_path(endpoint, url_format, {name: value}, {})
        assert raised.value.field == name
    with pytest.raises(UsageError):
        build_path(endpoint, "new", {}, {})


@given(st.text(max_size=20))
def test_any_string_is_a_valid_id_or_rejected(text: str) -> None:
    """A valid id is one path segment that decodes to itself."""
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


@pytest.mark.parametrize("endpoint", WITH_ID, ids=lambda endpoint: endpoint.name)
@given(value=good_ids, query=queries)
def test_both_url_formats(endpoint: Endpoint[Any], value: str, query: dict[str, str]) -> None:
    """The new format has the id in the path, the old one in the query."""
    (name,) = path_parameters(endpoint)
    new = urlsplit(build_path(endpoint, "new", {name: value}, query))
    old = urlsplit(build_path(endpoint, "old", {name: value}, query))
    assert unquote(new.path) == endpoint.path.replace(f"{{{name}}}", value)
    assert old.path == endpoint.path.replace(f"{{{name}}}", name)
    assert dict(parse_qsl(new.query, keep_blank_values=True)) == query
    assert dict(parse_qsl(old.query, keep_blank_values=True)) == {**query, name: value}


@given(queries)
def test_both_formats_are_the_same_without_an_id(query: dict[str, str]) -> None:
    """An endpoint without an id has one path, and any query parameters."""
    new, old = (build_path(LIST_MODELS, url_format, {}, query) for url_format in ("new", "old"))
    assert new == old
    assert new.isascii()
    assert dict(parse_qsl(urlsplit(new).query, keep_blank_values=True)) == query


@for_each("endpoint", [LIST_MODELS, RETRIEVE_MODEL])
@for_each("url_format", ["new", "old"])
def test_an_api_token_parameter_is_rejected(endpoint: Endpoint[Any], url_format: Any) -> None:
    """A second ``api_token`` is rejected: the gateway fails and quotes it."""
    with pytest.raises(UsageError) as raised:
        build_path(endpoint, url_format, {"model_id": "m"}, {"api_token": "x"})
    assert raised.value.field == "query"


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


@for_each(("error", "is_routing"), FAILURES)
def test_when_the_other_format_is_tried(error: XAILowCodeError, is_routing: bool) -> None:
    """The other format is tried only with an id, an unknown format, and a routing error.

    The gateway's own 404 counts for every method, other errors for GET and DELETE only.
    """
    choices: list[Any] = ["auto", "new", "old"]
    endpoints: list[Endpoint[Any]] = [RETRIEVE_MODEL, PATCH_IT, POST_IT, LIST_MODELS]
    for endpoint, choice, known in product(endpoints, choices, [False, True]):
        selector = UrlFormatSelector(choice)
        if known:
            selector.record_success(endpoint, "new")
        is_idempotent = error is ROUTE_UNKNOWN or endpoint is RETRIEVE_MODEL
        expected = is_routing and is_idempotent and endpoint is not LIST_MODELS
        expected = expected and choice == "auto" and not known
        assert selector.should_try_other(endpoint, "new", error) == expected, (
            endpoint.name,
            choice,
            known,
        )


@for_each("endpoint", ALL + WITH_ID)
def test_the_initial_format(endpoint: Endpoint[Any]) -> None:
    """The setting has precedence, then the format that worked, then the default of the endpoint."""
    assert UrlFormatSelector("old").initial(endpoint) == "old"
    assert UrlFormatSelector("new").initial(endpoint) == "new"
    selector = UrlFormatSelector()
    assert selector.initial(endpoint) == endpoint.preferred_url_format
    selector.record_success(endpoint, "old")
    assert selector.initial(endpoint) == (
        "old" if path_parameters(endpoint) else endpoint.preferred_url_format
    )


def test_the_format_is_logged_once_for_a_base_url(caplog: pytest.LogCaptureFixture) -> None:
    """One log record has the selected format and the reason; other clients do not repeat it."""
    selector = UrlFormatSelector(base_url="https://logged/xai")
    with caplog.at_level(logging.INFO, logger="xai_lowcode"):
        selector.record_failure(RETRIEVE_MODEL, "new", ROUTE_UNKNOWN, 0.0)
        for url_format in ("old", "old", "new"):
            selector.record_success(RETRIEVE_MODEL, url_format)
        UrlFormatSelector("old", base_url="https://logged/xai").record_success(DELETE_IT, "old")
        selector.record_success(LIST_MODELS, "new")
    (record,) = caplog.records
    assert record.getMessage() == (
        "https://logged/xai: using the old URL format, because the new one failed: Not Found"
    )


@for_each(
    ("message", "is_routing"),
    [
        ("Model not found: model_id", True),
        ("Response with id=model_id not found.", True),
        ("Model not found: model_ids", False),
        ("The field model_id is unknown", False),
        ("Model not found: grok-4", False),
    ],
)
def test_an_error_about_a_parameter_name_is_a_routing_error(message: str, is_routing: bool) -> None:
    """A gateway with the new format passes the parameter name to xAI as an id."""
    error = errors.NotFoundError(message, status_code=404, source="provider")
    assert is_routing_error(RETRIEVE_MODEL, error, UrlFormatSelector()) == is_routing
    other_message = error.message.replace("model_id", "modelId")
    error = errors.NotFoundError(other_message, status_code=404, source="provider")
    selector = UrlFormatSelector(parameter_names={"model_id": "modelId"})
    assert is_routing_error(RETRIEVE_MODEL, error, selector) == is_routing


def test_a_query_that_cannot_be_encoded_is_rejected() -> None:
    """Lone surrogates in the query raise a UsageError before anything is sent."""
    with pytest.raises(UsageError) as raised:
        build_path(LIST_MODELS, "new", {}, {"filter": "\ud800"})
    assert raised.value.field == "query"


def test_selectors_of_a_base_url_share_the_format() -> None:
    """A recorded format applies to all selectors of a base URL, and to no others."""
    first_selector, second_selector, other_selector = (
        UrlFormatSelector(base_url=url) for url in ("a", "a", "b")
    )
    first_selector.record_success(RETRIEVE_MODEL, "old")
    assert (second_selector.initial(DELETE_IT), other_selector.initial(DELETE_IT)) == ("old", "new")
    assert UrlFormatSelector().initial(DELETE_IT) == "new"


@pytest.mark.parametrize("name", ["model_id", "Model_ID", "modelId"])
def test_the_name_of_a_parameter_is_not_an_id(name: str) -> None:
    """An id that is a parameter name raises: in the old format the gateway would send "null"."""
    names = {"model_id": "modelId"}
    for url_format in ("new", "old"):
        with pytest.raises(UsageError, match="is the name of the parameter") as raised:
            build_path(RETRIEVE_MODEL, url_format, {"model_id": name}, {}, names=names)
        assert raised.value.field == "model_id"


@for_each(
    ("value", "text"), [(True, "true"), (False, "false"), (5, "5"), (0.5, "0.5"), ("True", "True")]
)
def test_query_values(value: Any, text: str) -> None:
    """Query values are strings, numbers and booleans; a boolean is written as in JSON."""
    assert build_path(LIST_MODELS, "new", {}, {"flag": value}) == f"/v1/models?flag={text}"


@for_each("value", [None, [], ["a", "b"], ("a",), {"a": 1}, {1}, b"x", object()])
def test_other_query_values_raise(value: Any) -> None:
    """A value of another type raises an error that names the parameter."""
    with pytest.raises(UsageError, match="the value of order must be a string") as raised:
        build_path(LIST_MODELS, "new", {}, {"order": value})
    assert raised.value.field == "query"


def test_parameter_names_of_the_old_format() -> None:
    """The ``parameter_names`` of the settings are used in the old format."""
    with running(url_forms="old", parameter_names={"model_id": "id"}) as gateway:
        options: dict[str, Any] = {"api_token": gateway.api_token, "base_url": gateway.base_url}
        options["max_retries"] = 0
        with Gateway(Settings.create(**options)) as client, pytest.raises(NotFoundError):
            client.retrieve_model("grok-4.3")
        settings = Settings.create(**options, parameter_names={"model_id": "id"})
        with Gateway(settings) as client:
            assert client.retrieve_model("grok-4.3").id == "grok-4.3"


@pytest.mark.parametrize("kinds", [CLIENTS, CLIENTS[::-1]])
@pytest.mark.usefixtures("delays")
def test_a_lost_connection_is_recorded_for_the_process(gateway: FakeServer, kinds: Any) -> None:
    """A server that drops new URLs with an id receives one, from all clients and endpoints."""
    gateway.respond = lambda request: (
        json_reply({"id": "m"}) if "_id=" in request.target else Drop()
    )
    for kind in kinds:
        with open_client(kind, server_settings(gateway)) as client:
            for endpoint, name in ((RETRIEVE_MODEL, "model_id"), (GET_FILE, "file_id")):
                client.call(endpoint, ids={name: "grok-4.7"})
    dropped = [request for request in gateway.requests if "_id=" not in request.target]
    assert len(dropped) == 1
