"""Compare the emulator with recordings of the real services."""

import copy
import json
from collections.abc import Callable
from typing import Any

import httpx
import jsonschema
import pytest

from tests.emulator.bodies import field_paths
from xai_lowcode.emulator import Emulator, Refuse
from xai_lowcode.emulator.schemas.chat import CHAT_REQUEST, PARTS_BY_ROLE

Send = Callable[..., httpx.Response]
Chunks = Callable[[str], list[Any]]
Recorded = Callable[[str], Any]
Json = dict[str, Any]
CHAT = "wire/recorded/chat_completions"
# Fields that only some recordings have, because of their date.
NEWER = {"usage.cost_in_usd_ticks"}
REPLAYED = [
    "answer-after-tool-result",
    "answer-after-two-tool-results",
    "hidden-reasoning-grok-4",
    "json-schema-grok-4",
    "length-grok-2-vision",
    "plain-grok-3",
    "plain-grok-4-fast",
    "reasoning-then-tool-call",
    "tool-call",
    "tool-call-forced-non-reasoning",
    "two-tool-calls",
]
REPLAYED_STREAMS = [
    "stream-empty-deltas",
    "stream-empty-deltas-no-usage",
    "stream-json-schema-grok-4",
    "stream-json-schema-non-reasoning",
    "stream-plain-grok-3",
    "stream-plain-usage-chunk",
    "stream-reasoning-grok-code-fast",
    "stream-reasoning-no-usage",
    "stream-two-tool-calls",
]


def common_fields(body: Any) -> set[str]:
    """Return the fields that every recording has."""
    return set(field_paths(body)) - NEWER


def send_recorded(http: httpx.Client, request: Json) -> httpx.Response:
    """Send a recorded request."""
    return http.post("/v1/chat/completions", json=request)


@pytest.mark.parametrize("name", REPLAYED)
def test_plain_responses(http: httpx.Client, recorded: Recorded, name: str) -> None:
    """The response to a recorded request has the recorded fields and finish reason."""
    request = recorded(f"{CHAT}/{name}.request.json")
    body = recorded(f"{CHAT}/{name}.json")
    response = send_recorded(http, request)
    assert response.status_code == 200, response.text
    own_fields = response.json()["result"]
    assert common_fields(own_fields) == common_fields(body)
    assert own_fields["choices"][0]["finish_reason"] == body["choices"][0]["finish_reason"]
    calls = [
        [call["function"]["name"] for call in one["choices"][0]["message"].get("tool_calls", [])]
        for one in (own_fields, body)
    ]
    assert calls[0] == calls[1]


@pytest.mark.parametrize("name", REPLAYED_STREAMS)
def test_streams(
    http: httpx.Client,
    recorded: Recorded,
    chunks: Chunks,
    request: pytest.FixtureRequest,
    name: str,
) -> None:
    """The stream of a recorded request has the recorded kinds of chunks."""
    question = recorded(f"{CHAT}/{name}.request.json")
    folder = request.config.rootpath.parent / "shared" / CHAT
    recorded_fields = chunks((folder / f"{name}.sse").read_text(encoding="utf-8"))
    response = send_recorded(http, question)
    assert response.status_code == 200, response.text
    own_fields = chunks(response.text)
    shapes = [
        {frozenset(common_fields(chunk)) for chunk in found[:-1]}
        for found in (own_fields, recorded_fields)
    ]
    # The first chunk may have text with the role, and long reasoning has more empty deltas.
    loose = {shape for shape in shapes[0] ^ shapes[1] if not _is_first_chunk(shape)}
    assert not loose
    assert own_fields[-1] == recorded_fields[-1] == "[DONE]"


def _is_first_chunk(shape: frozenset[str]) -> bool:
    names = {name.rpartition(".")[2] for name in shape if ".delta" in name}
    return "role" in names or names == {"delta"}


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("400-model-not-found", None),
        ("400-reasoning-effort-not-supported", None),
        ("404-model-deprecated", None),
        ("400-argument-not-supported-stop", {"stop": ["x"]}),
        ("400-argument-not-supported-presence-penalty", {"presence_penalty": 1}),
        (
            "400-argument-not-supported-reasoning-effort",
            {"model": "grok-2-1212", "reasoning_effort": "low"},
        ),
        ("410-live-search-deprecated", {"search_parameters": {}}),
    ],
)
def test_provider_errors(
    http: httpx.Client, send_chat: Send, recorded: Recorded, name: str, model: Json | None
) -> None:
    """An error of xAI has the recorded status and text."""
    body = recorded(f"wire/recorded/errors/{name}.json")
    if model is None:
        request = recorded(f"wire/recorded/errors/{name}.request.json")
        messages = [{"role": "user", "content": "x"}]
        response = send_recorded(http, {**request, "messages": messages})
    else:
        response = send_chat(**model)
    assert response.status_code == int(name[:3])
    own_fields = response.json()["error"]
    assert own_fields["error"] == body["error"]
    assert set(own_fields) == set(body)


def test_no_handler(http: httpx.Client, recorded: Recorded) -> None:
    """An unknown path of the provider gets the provider's error."""
    body = recorded("wire/recorded/errors/404-no-route.json")
    assert http.get("/v1/models/a%2Fb").json()["error"]["error"] == body["error"]


# Documented in September 2026, after the recording.
NEWER_MODEL_FIELDS = ("data[].aliases", "data[].context_length", "data[].pricing")


@pytest.mark.parametrize(
    ("name", "path", "body"),
    [
        ("api_key/live-2026-06.json", "/v1/api-key", None),
        ("models/list-2026-06.json", "/v1/models", None),
        (
            "images/b64.json",
            "/v1/images/generations",
            {"prompt": "x", "response_format": "b64_json"},
        ),
        ("images/url.json", "/v1/images/generations", {"prompt": "x"}),
    ],
)
def test_other_endpoints(
    http: httpx.Client, recorded: Recorded, name: str, path: str, body: Json | None
) -> None:
    """The other endpoints have the recorded fields."""
    recorded_fields = recorded(f"wire/recorded/{name}")
    response = http.get(path) if body is None else http.post(path, json=body)
    own = set(field_paths(response.json()["result"]))
    assert {path for path in own if not path.startswith(NEWER_MODEL_FIELDS)} == set(
        field_paths(recorded_fields)
    )


@pytest.fixture
def fixtures(recorded: Recorded) -> Any:
    """Recorded responses of the published gateway."""
    return recorded("reference/gateway_fixtures.json")


def test_gateway_errors(gateway: Emulator, fixtures: Any) -> None:
    """The gateway's own errors have the recorded status and body."""
    url = gateway.base_url + "/v1/models"
    root = gateway.base_url.removesuffix("/xai")
    kind = {"content-type": "application/json"}
    cases = {
        "err_token_unknown": httpx.Request("GET", url, params={"api_token": "at_r0"}),
        "err_xai_not_connected": httpx.Request(
            "GET", url, params={"api_token": gateway.unconnected_token}
        ),
        "err_route_unknown": httpx.Request("GET", url + "/x/y"),
        "err_bad_json": httpx.Request("POST", url, content=b"{x", headers=kind),
        "err_definition_unknown_provider": httpx.Request("GET", root + "/x/definition"),
    }
    with httpx.Client(trust_env=False) as client:
        for name, request in cases.items():
            response = client.send(request)
            assert {"status": response.status_code, "body": response.json()} == fixtures[name], name


def test_gateway_401(gateway: Emulator, fixtures: Any) -> None:
    """The 401 has every field of the recorded one."""
    response = httpx.get(gateway.base_url + "/v1/models", trust_env=False)
    fixture = copy.deepcopy(fixtures["err_token_missing_or_malformed"]["body"])
    own_fields = response.json()
    for body in (own_fields, fixture):
        body["error"]["logging"].pop("headers")
        body["error"]["logging"].pop("query")
    assert own_fields == fixture


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        (
            "err_provider_xai_429",
            Refuse(429, "Model grok-x: rate limited", "The system is currently at capacity", 7),
        ),
        ("err_provider_openai_shape", Refuse(400, "Invalid thing", "bad", shape="openai")),
        ("err_provider_text", Refuse(503, "upstream exploded", shape="text")),
        (
            "err_provider_html",
            Refuse(502, "<html><h1>502 Bad Gateway</h1></html>", shape="text"),
        ),
        ("err_provider_top_message", Refuse(400, "has message", "c1", shape="message")),
        (
            "err_provider_xai_400",
            Refuse(
                400,
                "Argument not supported on this model: presencePenalty",
                "Client specified an invalid argument",
            ),
        ),
        ("err_provider_empty", Refuse(500, shape="empty")),
        ("err_network", Refuse(500, "socket hang up", source="gateway")),
        ("documented_error", Refuse(400, "Error description", "ERROR_CODE", shape="documented")),
    ],
)
def test_wrapped_errors(
    gateway: Emulator, send_chat: Send, fixtures: Any, name: str, fault: Refuse
) -> None:
    """A provider error has the envelope of the published gateway."""
    gateway.inject(fault)
    response = send_chat()
    own_fields, recorded_fields = response.json(), copy.deepcopy(fixtures[name]["body"])
    hints = [
        (body.pop("headers", None) or {}).get("retry-after")
        for body in (own_fields, recorded_fields)
    ]
    assert hints[0] == hints[1]
    if name == "err_provider_empty":
        own_fields["error"]["headers"] = {}
    if name == "err_provider_openai_shape":
        assert own_fields["error"]["error"].pop("param") is None
    assert (response.status_code, own_fields) == (fixtures[name]["status"], recorded_fields)


def test_successes(gateway: Emulator, send_chat: Send, http: httpx.Client, fixtures: Any) -> None:
    """A success has the fields of the recorded or the documented envelope."""
    assert set(send_chat().json()) == set(fixtures["ok_chat"]["body"])
    assert set(http.get("/v1/models").json()) == set(fixtures["ok_list_models"]["body"])
    gateway.envelope = "data"
    assert set(send_chat().json()) == set(fixtures["documented_success"]["body"])


def test_collected_stream(gateway: Emulator, send_chat: Send, fixtures: Any) -> None:
    """A collected stream is sent as the published gateway sends it."""
    gateway.streaming = "buffered"
    response = send_chat(stream=True)
    assert response.headers["content-type"] == fixtures["stream_sse"]["content_type"]
    assert response.headers["content-length"] == str(len(response.content))
    gateway.streaming = "string"
    assert set(send_chat(stream=True).json()) == set(
        fixtures["stream_sse_if_provider_ct_is_json"]["body"]
    )


@pytest.fixture
def openapi(recorded: Recorded) -> Any:
    """The OpenAPI document of xAI."""
    return recorded("wire/openapi.json")


def validate(openapi: Any, name: str, body: Any) -> None:
    """Validate a body against a schema of the document."""
    components = copy.deepcopy(openapi["components"])
    # The document requires a service tier in each response; the recordings have none.
    required = components["schemas"][name].get("required", [])
    components["schemas"][name]["required"] = [one for one in required if one != "service_tier"]
    schema = {"$ref": f"#/components/schemas/{name}", "components": components}
    jsonschema.validate(body, schema)


@pytest.mark.parametrize(
    "request_",
    [
        {"model": "grok-3", "logprobs": True, "top_logprobs": 2},
        {"model": "grok-4.3", "n": 2},
        {"model": "grok-4", "service_tier": "priority"},
    ],
)
def test_openapi_chat(send_chat: Send, chunks: Chunks, openapi: Any, request_: Json) -> None:
    """Chat completions and chunks match xAI's OpenAPI document."""
    validate(openapi, "ChatResponse", send_chat(**request_).json()["result"])
    usage = {"include_usage": True}
    for chunk in chunks(send_chat(**request_, stream=True, stream_options=usage).text)[:-1]:
        validate(openapi, "ChatResponseChunk", chunk)


def test_openapi_of_other_endpoints(http: httpx.Client, send_chat: Send, openapi: Any) -> None:
    """The other responses match xAI's OpenAPI document."""
    validate(openapi, "ListModelsResponse", http.get("/v1/models").json()["result"])
    validate(openapi, "Model", http.get("/v1/models/grok-4").json()["result"])
    validate(openapi, "ApiKey", http.get("/v1/api-key").json()["result"])
    validate(openapi, "StartDeferredChatResponse", send_chat(deferred=True).json()["result"])
    image = http.post("/v1/images/generations", json={"prompt": "x"}).json()["result"]
    validate(openapi, "GeneratedImageResponse", image)


def test_openapi_fields(openapi: Any) -> None:
    """The emulator knows each documented field of a chat request."""
    described = openapi["components"]["schemas"]["ChatRequest"]["properties"]
    assert described.keys() <= CHAT_REQUEST.required.keys() | CHAT_REQUEST.optional.keys()
    roles = [
        one["properties"]["role"]["enum"][0]
        for one in openapi["components"]["schemas"]["Message"]["oneOf"]
    ]
    assert sorted(roles) == sorted(PARTS_BY_ROLE)


def test_usage_of_the_recordings(recorded: Recorded) -> None:
    """Sums in the usage that hold in the emulator hold in the recordings."""
    for name in REPLAYED:
        usage = recorded(f"{CHAT}/{name}.json")["usage"]
        reasoning = usage["completion_tokens_details"]["reasoning_tokens"]
        parts = usage["prompt_tokens"] + usage["completion_tokens"] + reasoning
        assert usage["total_tokens"] == parts, json.dumps(usage)
