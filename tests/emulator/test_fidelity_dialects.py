"""Compare responses with recordings, and the other endpoints with xAI's examples."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.emulator.bodies import field_paths
from xai_lowcode.emulator import Emulator

Json = dict[str, Any]
Recorded = Callable[[str], Any]
Events = Callable[[str], list[Any]]
FOLDER = "wire/recorded/responses"
NEWER = "documented after the example"
EXAMPLES = "wire/recorded/official_examples"
PLAIN = [
    "answer-after-three-tool-results",
    "answer-after-tool-result-with-reasoning-replayed",
    "answer-after-two-function-calls",
    "answer-after-two-tool-results",
    "function-call-json-answer-wanted",
    "image-input",
    "json-object",
    "json-schema",
    "plain-encrypted-reasoning",
    "plain-minimal-request",
    "reasoning-effort-second-turn",
    "tool-choice-none",
    "tool-choice-required",
    "two-function-calls",
    "web-search-duplicate-ids",
]
STREAMS = [
    "stream-answer-after-function-call",
    "stream-answer-after-tool-result-tools-offered",
    "stream-answer-after-tool-result",
    "stream-answer-long-replay",
    "stream-cached-prompt",
    "stream-function-call-encrypted-reasoning",
    "stream-function-call-no-arguments",
    "stream-function-call-without-parameters",
    "stream-function-call",
    "stream-plain",
    "stream-web-search",
    "stream-x-search",
]
# Fields that only some recordings have, because of their date or content.
VARYING = {
    "metadata.system_fingerprint",
    "usage.context_details",
    "usage.server_side_tool_usage_details.image_generation_calls",
    "output[].action.sources[]",
}


def constant_fields(body: Any) -> set[str]:
    """Return the fields that do not vary between the recordings."""
    return {place for place in field_paths(body) if not place.startswith(tuple(VARYING))}


def load_request(recorded: Recorded, name: str, served_by: str) -> Json:
    """Load a recorded request; the emulator does not redirect models."""
    return {**recorded(f"{FOLDER}/{name}.request.json"), "model": served_by}


def distinct_types(output: list[Json]) -> list[str]:
    """Return the types of items without repetitions."""
    kinds = [item["type"] for item in output]
    return [kind for index, kind in enumerate(kinds) if kinds[index - 1 : index] != [kind]]


@pytest.mark.parametrize("name", PLAIN)
def test_plain(http: httpx.Client, recorded: Recorded, name: str) -> None:
    """The response to a recorded request has the recorded types of items and fields."""
    recorded_fields = recorded(f"{FOLDER}/{name}.json")
    response = http.post(
        "/v1/responses", json=load_request(recorded, name, recorded_fields["model"])
    )
    assert response.status_code == 200, response.text
    own_fields = response.json()["result"]
    assert constant_fields(own_fields) == constant_fields(recorded_fields)
    assert distinct_types(own_fields["output"]) == distinct_types(recorded_fields["output"])
    assert (own_fields["status"], own_fields["tool_choice"]) == (
        recorded_fields["status"],
        recorded_fields["tool_choice"],
    )


@pytest.mark.parametrize("name", STREAMS)
def test_streams(
    http: httpx.Client,
    recorded: Recorded,
    events: Events,
    request: pytest.FixtureRequest,
    name: str,
) -> None:
    """The stream of a recorded request has the recorded types of events and fields."""
    recorded(f"{FOLDER}/{name}.request.json")
    path = request.config.rootpath.parent / "shared" / FOLDER / f"{name}.sse"
    lines = path.read_text(encoding="utf-8").splitlines()
    recorded_fields = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    body = load_request(recorded, name, recorded_fields[-1]["response"]["model"])
    # The emulated model returns a longer text, which would be truncated.
    body.pop("max_output_tokens", None)
    own_fields = events(http.post("/v1/responses", json=body).text)
    shapes = [
        {
            (event["type"], place)
            for event in found
            for place in constant_fields(event.get("response", event))
        }
        for found in (own_fields, recorded_fields)
    ]
    assert {shape for shape in shapes[0] ^ shapes[1] if "action.sources" not in shape[1]} == set()
    order = [
        without_repetitions([event["type"] for event in found])
        for found in (own_fields, recorded_fields)
    ]
    assert order[0] == order[1]


def without_repetitions(kinds: list[str]) -> list[str]:
    """Remove consecutive repetitions."""
    return [kind for index, kind in enumerate(kinds) if kinds[index - 1 : index] != [kind]]


def test_usage_of_the_recordings(recorded: Recorded) -> None:
    """Sums in the usage that hold in the emulator hold in the recordings."""
    for name in PLAIN:
        usage = recorded(f"{FOLDER}/{name}.json")["usage"]
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
        assert usage["output_tokens_details"]["reasoning_tokens"] <= usage["output_tokens"]


@pytest.mark.parametrize(
    ("name", "path", "text"),
    [
        ("422-deserialize", "/v1/responses", None),
        ("400-model-not-found", "/v1/responses", "Model not found: "),
        ("410-live-search-deprecated", "/v1/responses", None),
    ],
)
def test_errors(http: httpx.Client, recorded: Recorded, name: str, path: str, text: str) -> None:
    """Errors have the recorded text."""
    recorded_fields = recorded(f"wire/recorded/errors/{name}.json")["error"]
    bodies: dict[str, Json] = {
        "422-deserialize": {"input": [{"type": "x"}]},
        "400-model-not-found": {
            "model": recorded_fields.removeprefix("Model not found: "),
            "input": "x",
        },
        "410-live-search-deprecated": {"input": "x", "search_parameters": {}},
    }
    response = http.post(path, json={"model": "grok-4.3", **bodies[name]})
    assert (response.status_code, response.json()["error"]["error"]) == (
        int(name[:3]),
        recorded_fields,
    )
    assert text is None or recorded_fields.startswith(text)


# Fields that the emulator has in addition to an example, or does not have, with the reason.
MORE: dict[str, dict[str, str]] = {
    "post-completions": {
        "usage.num_sources_used": "chat recordings have it, and the counting is shared",
        "usage.cost_in_usd_ticks": "chat recordings have it, and the counting is shared",
    },
    "get-chat-deferred-completion-request-id": {
        "usage.num_sources_used": "chat recordings have it",
        "usage.cost_in_usd_ticks": "chat recordings have it",
        "choices[].message.reasoning_content": "the emulated model thinks where it can be read",
    },
    "post-messages": {
        "content[].thinking": "the emulated model thinks where it can be read",
        "content[].signature": "belongs to the reasoning",
    },
    "delete-files-file-id": {"object": "xAI's schema has it"},
    "get-language-models-model-id": {
        "search_price": "the example of the list has it",
        "prompt_text_token_price_long_context": "the example of the list has it",
        "cached_prompt_text_token_price_long_context": "the example of the list has it",
        "completion_text_token_price_long_context": "the example of the list has it",
        "long_context_threshold": "the example of the list has it",
    },
    "get-image-generation-models": {
        "models[].pricing": NEWER,
        "models[].pricing[].quality": NEWER,
        "models[].pricing[].resolution": NEWER,
        "models[].pricing[].price_per_image": NEWER,
        "models[].image_price": "xAI's schema and the recorded models have it",
        "models[].input_modalities": "xAI's schema has it",
        "models[].output_modalities": "xAI's schema has it",
    },
    "get-image-generation-models-model-id": {
        "image_price": "xAI's schema and the recorded models have it",
        "input_modalities": "xAI's schema has it",
        "output_modalities": "xAI's schema has it",
    },
}
TOKEN_PRICES = (
    "prompt_text_token_price",
    "prompt_image_token_price",
    "generated_image_token_price",
)
LESS: dict[str, dict[str, str]] = {
    "get-image-generation-models": {
        f"models[].{name}": "xAI's schema has a price of images instead" for name in TOKEN_PRICES
    },
    "get-image-generation-models-model-id": dict.fromkeys(
        TOKEN_PRICES, "xAI's schema has a price of images instead"
    ),
}


def send_example(gateway: Emulator, http: httpx.Client, name: str, request: Json | None) -> Any:
    """Send the request of an example."""
    file = gateway.add_file("a", b"x")
    path = {
        "post-completions": "/v1/completions",
        "post-complete": "/v1/complete",
        "post-messages": "/v1/messages",
        "post-tokenize-text": "/v1/tokenize-text",
        "post-embeddings": "/v1/embeddings",
        "post-chat-completions-deferred": "/v1/chat/completions",
        "get-files": "/v1/files",
        "delete-files-file-id": f"/v1/files/{file}",
        "get-language-models": "/v1/language-models",
        "get-language-models-model-id": "/v1/language-models/latest",
        "get-image-generation-models": "/v1/image-generation-models",
        "get-image-generation-models-model-id": "/v1/image-generation-models/grok-imagine-image",
        "get-api-key": "/v1/api-key",
    }[name]
    response = http.request(name.partition("-")[0].upper(), path, json=request)
    assert response.status_code == 200, response.text
    return response.json()["result"]


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("post-completions", True),
        ("post-complete", True),
        ("post-messages", True),
        ("post-tokenize-text", True),
        ("post-chat-completions-deferred", True),
        ("post-embeddings", {"model": "v1", "input": "x"}),
        ("get-files", None),
        ("delete-files-file-id", None),
        ("get-language-models", None),
        ("get-language-models-model-id", None),
        ("get-image-generation-models", None),
        ("get-image-generation-models-model-id", None),
        ("get-api-key", None),
    ],
)
def test_examples(
    gateway: Emulator, http: httpx.Client, recorded: Recorded, name: str, request_: Any
) -> None:
    """The response has the fields of the example, except those in the tables."""
    gateway.embeddings = True
    recorded_fields = recorded(f"{EXAMPLES}/{name}.json")
    if request_ is True:
        request_ = recorded(f"{EXAMPLES}/{name}.request.json")
    own_fields = send_example(gateway, http, name, request_)
    assert (
        set(field_paths(own_fields)) - set(field_paths(recorded_fields))
        == MORE.get(name, {}).keys()
    )
    assert (
        set(field_paths(recorded_fields)) - set(field_paths(own_fields))
        == LESS.get(name, {}).keys()
    )


def test_stored_examples(http: httpx.Client, recorded: Recorded) -> None:
    """Retrieving and deleting a response match the examples."""
    body = http.post("/v1/responses", json={"model": "grok-4.3", "input": "x"}).json()["result"]
    path = f"/v1/responses/{body['id']}"
    recorded_fields = recorded(f"{EXAMPLES}/get-responses-response-id.json")
    # The example counts as chat completions do; the recorded and the stored responses do not.
    expected = {place for place in recorded_fields if place != "usage"}
    assert expected <= http.get(path).json()["result"].keys()
    deleted = recorded(f"{EXAMPLES}/delete-responses-response-id.json")
    assert http.delete(path).json()["result"].keys() == deleted.keys()


def test_retrieved_example(gateway: Emulator, http: httpx.Client, recorded: Recorded) -> None:
    """A deferred completion matches the example."""
    gateway.deferred_polls = 0
    request = recorded(f"{EXAMPLES}/post-chat-completions-deferred.request.json")
    request_id = http.post("/v1/chat/completions", json=request).json()["result"]["request_id"]
    own_fields = http.get(f"/v1/chat/deferred-completion/{request_id}").json()["result"]
    name = "get-chat-deferred-completion-request-id"
    recorded_fields = recorded(f"{EXAMPLES}/{name}.json")
    assert set(field_paths(own_fields)) ^ set(field_paths(recorded_fields)) == MORE[name].keys()


def test_uploaded_file(gateway: Emulator, http: httpx.Client, recorded: Recorded) -> None:
    """A file object has the recorded fields."""
    own_fields = http.get(f"/v1/files/{gateway.add_file('a', b'x')}").json()["result"]
    assert own_fields.keys() == recorded("wire/recorded/files/upload.json").keys()
