"""Model lists, tokenization, legacy completions and embeddings."""

import base64
import math
import struct
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cases import for_each
from xai_lowcode.emulator import Emulator, running, tokenizer

Send = Callable[..., httpx.Response]
Chunks = Callable[[str], list[Any]]


def result(response: httpx.Response) -> Any:
    """Return the result of a success."""
    assert response.status_code == 200, response.text
    return response.json()["result"]


@pytest.mark.parametrize(
    ("path", "name", "output"),
    [
        ("language-models", "grok-4.3", "text"),
        ("image-generation-models", "grok-imagine-image", "image"),
    ],
)
def test_models_by_kind(http: httpx.Client, path: str, name: str, output: str) -> None:
    """Models of a kind are listed and can be retrieved."""
    models = result(http.get(f"/v1/{path}"))["models"]
    assert {model["output_modalities"][0] for model in models} == {output}
    assert result(http.get(f"/v1/{path}/{name}")) in models


@pytest.mark.parametrize(
    "path", ["language-models/grok-imagine-image", "image-generation-models/grok-4.3"]
)
def test_models_of_another_kind(http: httpx.Client, path: str) -> None:
    """A model is not found among those of another kind."""
    response = http.get(f"/v1/{path}")
    assert (response.status_code, response.json()["provider"]) == (404, "xai")


def test_other_names(http: httpx.Client) -> None:
    """A model has its aliases; the newest one has the names without a version."""
    assert "latest" in result(http.get("/v1/language-models/grok-4.7"))["aliases"]
    assert "grok-build-latest" in result(http.get("/v1/models/grok-4.5"))["aliases"]


@pytest.mark.parametrize("text", ["Hello world!", "", "Olá, 你好 🎉\n\n  x_y 1234567"])
def test_tokenize(http: httpx.Client, text: str) -> None:
    """Tokens join to the text, byte for byte, and are as many as usage counts."""
    found = result(http.post("/v1/tokenize-text", json={"model": "grok-4", "text": text}))
    assert "".join(token["string_token"] for token in found["token_ids"]) == text
    assert bytes(b for token in found["token_ids"] for b in token["token_bytes"]) == text.encode()
    assert len(found["token_ids"]) == tokenizer.count_tokens(text)


def test_tokens_agree_with_usage(send_chat: Send, http: httpx.Client) -> None:
    """A longer prompt has as many more tokens as the tokenizer returns."""
    prompts = ["Hello", "Hello, what is the weather in Zürich?"]
    counts = [
        len(
            result(http.post("/v1/tokenize-text", json={"model": "grok-3", "text": prompt}))[
                "token_ids"
            ]
        )
        for prompt in prompts
    ]
    spent = [
        result(send_chat(prompt, model="grok-3"))["usage"]["prompt_tokens"] for prompt in prompts
    ]
    assert spent[1] - spent[0] == counts[1] - counts[0]


@pytest.mark.parametrize(
    ("body", "status"),
    [({"text": "x"}, 400), ({"model": "nope", "text": "x"}, 400), ({"model": "grok-4"}, 422)],
)
def test_tokenize_refusals(http: httpx.Client, body: Any, status: int) -> None:
    """A text and an existing model are required."""
    assert http.post("/v1/tokenize-text", json=body).status_code == status


def create_completion(http: httpx.Client, **body: Any) -> httpx.Response:
    """Create a legacy completion."""
    return http.post("/v1/completions", json={"model": "grok-3", "prompt": "Say 'a b c'", **body})


def test_sample(http: httpx.Client) -> None:
    """A legacy completion is truncated and counted like a chat completion."""
    body = result(create_completion(http, max_tokens=2))
    assert body["object"] == "text_completion"
    assert body["choices"] == [{"index": 0, "text": "a b", "finish_reason": "length"}]
    assert body["usage"]["completion_tokens"] == 2


def test_sample_many(http: httpx.Client) -> None:
    """Every prompt gets `n` choices, with the prompt if `echo` is set."""
    body = result(create_completion(http, prompt=["say 'x'", "say 'y'"], n=2, echo=True))
    texts = [(choice["index"], choice["text"]) for choice in body["choices"]]
    assert texts == [(0, "say 'x'x"), (1, "say 'x'x"), (2, "say 'y'y"), (3, "say 'y'y")]
    single = result(create_completion(http, prompt="say 'x'", n=2))["usage"]["total_tokens"]
    assert body["usage"]["total_tokens"] == 2 * single


def test_sample_stop(http: httpx.Client) -> None:
    """A stop sequence ends the text before itself."""
    assert result(create_completion(http, stop=[" c"]))["choices"][0]["text"] == "a b"


def test_sample_stream(http: httpx.Client, chunks: Chunks) -> None:
    """A stream has the same text, a finish reason for each choice, usage on request, and an end."""
    options = {"include_usage": True}
    response = create_completion(
        http, prompt=["story", "tale"], stream=True, stream_options=options
    )
    found = chunks(response.text)
    plain = result(create_completion(http, prompt=["story", "tale"]))
    assert found[-1] == "[DONE]"
    assert found[-2]["usage"] == plain["usage"]
    assert "usage" not in chunks(create_completion(http, stream=True).text)[-2]
    for choice in plain["choices"]:
        parts = [part for chunk in found[:-2] for part in chunk["choices"]]
        created = [part for part in parts if part["index"] == choice["index"]]
        assert "".join(part["text"] for part in created) == choice["text"]
        assert [part["finish_reason"] for part in created if part["finish_reason"]] == ["stop"]


@for_each("path", ["completions", "complete"])
@for_each("model", ["grok-4", "grok-4.3", "nope"])
def test_legacy_endpoints_reject_reasoning_models(
    http: httpx.Client, path: str, model: str
) -> None:
    """Both legacy endpoints reject reasoning models."""
    body = {"model": model, "prompt": "x", "max_tokens_to_sample": 9}
    assert http.post(f"/v1/{path}", json=body).status_code == 400


@pytest.mark.parametrize(
    ("limit", "stops", "text", "reason"),
    [
        (100, None, " a b c", "stop_sequence"),
        (2, None, " a b", "max_tokens"),
        (100, [" b"], " a", "stop_sequence"),
    ],
)
def test_complete(http: httpx.Client, limit: int, stops: Any, text: str, reason: str) -> None:
    """A `Human:`/`Assistant:` prompt is parsed, and the stop reason is Anthropic's."""
    body = {
        "model": "grok-3",
        "max_tokens_to_sample": limit,
        "stop_sequences": stops,
        "prompt": "\n\nHuman: Say 'a b c'\n\nAssistant:",
    }
    found = result(http.post("/v1/complete", json=body))
    assert (found["completion"], found["stop_reason"]) == (text, reason)
    assert http.post("/v1/complete", json={**body, "stream": True}).status_code == 400


@pytest.mark.parametrize("path", ["completions", "complete"])
def test_legacy_needs_a_prompt(http: httpx.Client, path: str) -> None:
    """A missing or empty prompt is refused."""
    assert http.post(f"/v1/{path}", json={"model": "grok-3"}).status_code == 422
    assert create_completion(http, prompt=[]).status_code == 400


def embed(http: httpx.Client, given: Any, **body: Any) -> httpx.Response:
    """Create embeddings."""
    whole = {"model": "grok-embedding-small", "input": given, **body}
    return http.post("/v1/embeddings", json=whole)


def test_no_embeddings(gateway: Emulator, http: httpx.Client) -> None:
    """The endpoint exists only with the option `embeddings`."""
    assert embed(http, "x").json() == {"message": "Not Found"}
    gateway.embeddings = True
    assert embed(http, "x").status_code == 200


@pytest.fixture
def embeddings(gateway: Emulator) -> None:
    """Enable the embeddings endpoint."""
    gateway.embeddings = True


@pytest.mark.usefixtures("embeddings")
def test_embeddings(http: httpx.Client) -> None:
    """Vectors are deterministic, have length one and the requested size; similar texts are near."""
    texts = ["the cat sleeps", "a cat sleeps", "stock markets"]
    body = result(embed(http, texts, dimensions=64))
    one, other, far = (row["embedding"] for row in body["data"])
    assert result(embed(http, texts[0], dimensions=64))["data"][0]["embedding"] == one
    assert len(one) == 64
    assert math.isclose(sum(value * value for value in one), 1)
    near = sum(a * b for a, b in zip(one, other, strict=True))
    assert near > 0.5 > sum(a * b for a, b in zip(one, far, strict=True))
    assert body["usage"] == {"prompt_tokens": 8, "total_tokens": 8}


@pytest.mark.usefixtures("embeddings")
def test_embeddings_in_base64(http: httpx.Client) -> None:
    """A vector can be requested in base64."""
    plain = result(embed(http, "x", dimensions=3))["data"][0]["embedding"]
    packed = result(embed(http, "x", dimensions=3, encoding_format="base64"))["data"][0]
    found = struct.unpack("<3f", base64.b64decode(packed["embedding"]))
    assert all(math.isclose(a, b, abs_tol=1e-6) for a, b in zip(plain, found, strict=True))


@pytest.mark.usefixtures("embeddings")
@pytest.mark.parametrize(("given", "number"), [([1, 2], 1), ([[1], [2, 3]], 2)])
def test_embeddings_of_tokens(http: httpx.Client, given: Any, number: int) -> None:
    """The input may be tokens instead of texts."""
    assert len(result(embed(http, given))["data"]) == number


@pytest.mark.usefixtures("embeddings")
@for_each(
    ("given", "more", "status"),
    [
        ([], {}, 400),
        (["x"] * 129, {}, 400),
        ([{}], {}, 400),
        (7, {}, 422),
        ("x", {"dimensions": -1}, 400),
        ("x", {"encoding_format": "int8"}, 400),
    ],
)
def test_embedding_refusals(http: httpx.Client, given: Any, more: Any, status: int) -> None:
    """Invalid embedding requests are refused."""
    assert embed(http, given, **more).status_code == status


@settings(max_examples=25, deadline=None)
@given(st.text())
def test_any_text_has_a_vector(text: str) -> None:
    """The vector of any text has length one."""
    from xai_lowcode.emulator.handlers.embeddings import embed as embed_text  # noqa: PLC0415 - used here alone

    assert math.isclose(sum(value * value for value in embed_text(text, 8)), 1)


def test_embeddings_option_of_running() -> None:
    """The option can be set at the start, and a reset restores it."""
    with running(embeddings=True) as gateway:
        gateway.embeddings = False
        gateway.reset()
        assert gateway.embeddings
