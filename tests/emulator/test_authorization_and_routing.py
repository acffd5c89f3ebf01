"""Authorization, routing, body parsing and recorded requests."""

import gzip
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.cases import for_each
from xai_lowcode.emulator import Emulator

NOT_FOUND = {"message": "Not Found"}


def send_without_token(
    gateway: Emulator, path: str = "/v1/models", method: str = "GET", **more: Any
) -> Any:
    """Send a request without adding a token."""
    return httpx.request(method, gateway.base_url + path, trust_env=False, **more)


@pytest.mark.parametrize("query", [{}, {"api_token": ""}, {"api_token": "xai-key"}])
def test_missing_or_malformed_token(gateway: Emulator, query: dict[str, str]) -> None:
    """Without a token of the right prefix the 401 repeats headers and query."""
    response = send_without_token(
        gateway, params=query, headers={"Authorization": "Bearer at_secret"}
    )
    assert response.status_code == 401
    logging = response.json()["error"]["logging"]
    assert logging["headers"]["authorization"] == "Bearer at_secret"
    assert logging["query"] == query
    assert logging["path"] == "/xai/v1/models"


def test_token_in_header_or_body_is_ignored(gateway: Emulator) -> None:
    """A token that is not in the query is ignored."""
    token = gateway.api_token
    header = {"Authorization": f"Bearer {token}"}
    assert send_without_token(gateway, headers=header).status_code == 401
    path = "/v1/chat/completions"
    assert send_without_token(gateway, path, "POST", json={"api_token": token}).status_code == 401


def test_unknown_token(gateway: Emulator) -> None:
    """An unknown token gets a 403."""
    response = send_without_token(gateway, params={"api_token": "at_r123"})
    assert (response.status_code, response.json()["message"]) == (403, "Invalid api_token")


def test_unconnected_account(gateway: Emulator) -> None:
    """A token of an account without an xAI key gets a 403 with another text."""
    response = send_without_token(gateway, params={"api_token": gateway.unconnected_token})
    assert response.status_code == 403
    assert response.json()["message"].startswith("No access token is associated")


def test_token_twice(gateway: Emulator) -> None:
    """Two tokens get a 500 that quotes them."""
    response = send_without_token(gateway, params=[("api_token", gateway.api_token)] * 2)
    assert response.status_code == 500
    assert gateway.api_token in response.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/nothing"),
        ("GET", "/v1/chat/completions"),
        ("DELETE", "/v1/models"),
        ("GET", "/v1/models/a/b"),
        ("POST", "/v1"),
    ],
)
def test_unknown_route(gateway: Emulator, method: str, path: str) -> None:
    """An unknown path or method gets a 404, with or without a token."""
    for query in ({}, {"api_token": gateway.api_token}):
        response = send_without_token(gateway, path, method, params=query)
        assert (response.status_code, response.json()) == (404, NOT_FOUND)


def test_other_provider(gateway: Emulator) -> None:
    """The definition of another provider gets a 422."""
    root = gateway.base_url.removesuffix("/xai")
    assert httpx.get(f"{root}/openai/v1/models", trust_env=False).json() == NOT_FOUND
    response = httpx.get(f"{root}/openai/definition", trust_env=False)
    assert (response.status_code, response.json()["message"]) == (
        422,
        "Invalid request for OpenAPI specs",
    )


def test_health_and_front_page(gateway: Emulator) -> None:
    """The health check needs no token, and the prefix redirects to the web page."""
    root = gateway.base_url.removesuffix("/xai")
    assert httpx.get(f"{root}/health-check", trust_env=False).json() == {"status": "ok"}
    assert httpx.get(gateway.base_url, trust_env=False).status_code == 302


@pytest.mark.parametrize("path", ["/V1/Models", "/v1/models/", "/v1/MODELS/grok-4"])
def test_paths_are_lenient(http: httpx.Client, path: str) -> None:
    """Paths ignore case and a trailing slash."""
    assert http.get(path).status_code == 200


def test_head(http: httpx.Client) -> None:
    """HEAD is a GET without the body."""
    response = http.head("/v1/models")
    assert (response.status_code, response.content) == (200, b"")


@for_each(
    ("body", "message"),
    [
        (b"{bad", "Expected property name or '}' in JSON at position 1"),
        (b"null", "Unexpected token 'n', \"null\" is not valid JSON"),
        (b'{"a":', "Unexpected end of JSON input"),
        (b'{"a" 1}', "Expected ':' after property name in JSON at position 5"),
        (b'{"a": NaN}', "Unexpected token 'N', \"NaN\" is not valid JSON"),
        (b"[1] 2", "Unexpected non-whitespace character after JSON at position 4"),
        (b"7", "Unexpected token '7', \"7\" is not valid JSON"),
    ],
)
def test_bad_json(http: httpx.Client, body: bytes, message: str) -> None:
    """A body that is not a JSON object or array gets V8's error text."""
    kind = {"Content-Type": "application/json"}
    response = http.post("/v1/chat/completions", content=body, headers=kind)
    assert (response.status_code, response.json()) == (400, {"message": message})


def test_no_content_type(http: httpx.Client) -> None:
    """Without a content type the provider receives an empty object."""
    response = http.post("/v1/chat/completions", content=b'{"model": "grok-4"}')
    assert response.status_code == 422
    assert "missing field `messages`" in response.json()["error"]["error"]


def test_form_and_gzip(http: httpx.Client) -> None:
    """Forms become JSON of strings, and gzipped bodies are unpacked."""
    response = http.post("/v1/images/generations", data={"prompt": "a", "n": "1"})
    assert response.status_code == 422
    assert 'n: invalid type: string "1", expected i32' in response.text.replace("\\", "")
    packed = gzip.compress(b'{"model": "grok-4", "messages": [{"role": "user", "content": "x"}]}')
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert http.post("/v1/chat/completions", content=packed, headers=headers).status_code == 200


def test_numbers_become_javascript(send_chat: Callable[..., httpx.Response]) -> None:
    """The gateway rewrites a float without a fraction as an integer, and no other float."""
    assert send_chat(max_tokens=5.0).status_code == 200
    assert send_chat(max_tokens=5.5).status_code == 422


def test_lone_surrogate(http: httpx.Client) -> None:
    """A lone surrogate gets a 400 of the provider."""
    body = rb'{"model": "grok-4", "messages": [{"role": "user", "content": "\ud83d"}]}'
    kind = {"Content-Type": "application/json"}
    response = http.post("/v1/chat/completions", content=body, headers=kind)
    assert response.status_code == 400
    assert "surrogate" in response.json()["error"]["error"]


def test_ids_are_not_encoded_in_the_path(http: httpx.Client) -> None:
    """An id with encoded slashes reaches another endpoint, as with the real gateway."""
    response = http.get("/v1/models/..%2Fapi-key")
    assert "redacted_api_key" in response.json()["result"]
    assert http.get("/v1/models/a%2Fb").json()["error"]["error"].startswith("No handler found")
    broken = http.get("/v1/models/%E0")
    assert (broken.status_code, broken.json()["message"]) == (400, "Failed to decode param '%E0'")


def test_requests_are_recorded(gateway: Emulator, http: httpx.Client) -> None:
    """A request is recorded as it was sent, without the token, and with the ignored fields."""
    body = {
        "model": "grok-4",
        "messages": [{"role": "user", "content": "x", "status": "ok"}],
        "colour": 1,
        "temperature": 1.0,
    }
    http.post("/v1/chat/completions", params={"page": "2"}, json=body, headers={"X-One": "1"})
    request = gateway.requests[-1]
    assert (request.method, request.path, request.query) == (
        "POST",
        "/xai/v1/chat/completions",
        {"page": "2"},
    )
    assert request.body == body
    assert request.headers["x-one"] == "1"
    assert set(request.ignored) == {"messages[0].status", "colour"}


def test_rejected_requests_are_recorded(gateway: Emulator) -> None:
    """Every request below the prefix is recorded."""
    send_without_token(gateway)
    send_without_token(gateway, "/v1/nothing")
    send_without_token(
        gateway,
        "/v1/chat/completions",
        "POST",
        content=b"{",
        headers={"content-type": "application/json"},
    )
    assert [(request.path, request.body) for request in gateway.requests] == [
        ("/xai/v1/models", None),
        ("/xai/v1/nothing", None),
        ("/xai/v1/chat/completions", None),
    ]
