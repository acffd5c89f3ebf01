"""Image generation, models, the API key and the tokenizer."""

import base64
from collections.abc import Callable
from io import BytesIO
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.cases import for_each
from xai_lowcode.emulator import Emulator, tokenizer
from xai_lowcode.emulator.fake_model.images import generate_image, image_size
from xai_lowcode.emulator.models import ALIASES, LISTED

Send = Callable[..., httpx.Response]


@pytest.fixture
def generate_images(http: httpx.Client) -> Send:
    """Generate images."""

    def send(**body: Any) -> httpx.Response:
        return http.post("/v1/images/generations", json={"prompt": "a cat", **body})

    return send


def decode_image(raw: bytes) -> tuple[str | None, tuple[int, int]]:
    """Decode an image and return its format and size."""
    with Image.open(BytesIO(raw)) as image:
        image.load()
        return image.format, image.size


def test_url(gateway: Emulator, generate_images: Send) -> None:
    """An image is a PNG at a URL of the emulator, which needs no token."""
    body = generate_images().json()["result"]
    assert set(body) == {"data", "usage"}
    url = body["data"][0]["url"]
    assert url.startswith(gateway.base_url.removesuffix("/xai") + "/images/")
    response = httpx.get(url, trust_env=False)
    assert response.headers["content-type"] == "image/png"
    assert decode_image(response.content) == ("PNG", (1024, 1024))
    assert httpx.get(url.replace(".png", "0.png"), trust_env=False).status_code == 404


def test_base64(generate_images: Send) -> None:
    """An image is in the response with `b64_json`."""
    row = generate_images(response_format="b64_json").json()["result"]["data"][0]
    assert set(row) == {"b64_json", "mime_type"}
    assert decode_image(base64.b64decode(row["b64_json"]))[0] == "PNG"


def test_several(generate_images: Send) -> None:
    """Several images differ, and have the same cost."""
    body = generate_images(n=2, response_format="b64_json").json()["result"]
    assert len({row["b64_json"] for row in body["data"]}) == 2
    one = generate_images().json()["result"]["usage"]["cost_in_usd_ticks"]
    assert body["usage"]["cost_in_usd_ticks"] == 2 * one


@for_each("aspect", ["1:1", "3:4", "16:9", "9:19.5", "20:9", "1:2"])
@for_each("resolution", ["1k", "1.5k", "2k"])
def test_dimensions(aspect: str, resolution: str) -> None:
    """The sides follow the ratio, the area the resolution."""
    width, height = image_size("", aspect, resolution)
    across, down = map(float, aspect.split(":"))
    assert width / height == pytest.approx(across / down, rel=0.03)
    edge = {"1k": 1024, "1.5k": 1536, "2k": 2048}[resolution]
    assert width * height == pytest.approx(edge**2, rel=0.03)


def test_size_of_an_image(generate_images: Send) -> None:
    """Aspect ratio and resolution determine the size."""
    row = generate_images(aspect_ratio="2:1", response_format="b64_json").json()["result"]["data"][
        0
    ]
    assert decode_image(base64.b64decode(row["b64_json"]))[1] == image_size("", "2:1", "1k")


@for_each(
    ("model", "body", "price"),
    [
        ("grok-imagine-image", {"resolution": "2k"}, 200_000_000),
        ("grok-imagine-image-2.0", {}, 400_000_000),
        ("grok-imagine-image-2.0", {"quality": "auto", "resolution": "2k"}, 600_000_000),
        ("grok-imagine-image-2.0", {"quality": "medium"}, 600_000_000),
        ("grok-imagine-image-2.0", {"quality": "medium", "resolution": "2k"}, 800_000_000),
        ("grok-imagine-image-2.0", {"resolution": "1.5k", "aspect_ratio": "21:9"}, 600_000_000),
        ("grok-imagine-image-quality", {"aspect_ratio": "5:2"}, 400_000_000),
    ],
)
def test_prices(generate_images: Send, model: str, body: dict[str, Any], price: int) -> None:
    """The price depends on the model, the quality and the resolution."""
    result = generate_images(model=model, **body).json()["result"]
    assert result["usage"] == {"cost_in_usd_ticks": price}


@for_each("prompt", ["a cat", "你好 🎉", "word " * 300, "x" * 500, "\n"])
def test_the_same_prompt_gives_the_same_image(prompt: str) -> None:
    """The same prompt gives the same image, another prompt another one."""
    assert generate_image(prompt, "1:1", "1k") == generate_image(prompt, "1:1", "1k")
    assert generate_image(prompt, "1:1", "1k") != generate_image(prompt + "!", "1:1", "1k")


@for_each(
    ("body", "status", "text"),
    [
        ({"prompt": None}, 422, "prompt: invalid type: null"),
        ({"prompt": " "}, 400, "prompt must not be empty"),
        ({"n": 0}, 400, "n must be between 1 and 10"),
        ({"n": 11}, 400, "n must be between 1 and 10"),
        ({"model": "dall-e-3"}, 400, "Model not found: dall-e-3"),
        ({"model": "grok-4"}, 400, "does not support image generation"),
        ({"aspect_ratio": "5:4"}, 422, "aspect_ratio: unknown variant `5:4`"),
        ({"resolution": "4k"}, 422, "resolution: unknown variant `4k`"),
        ({"resolution": "1.5k"}, 400, "does not support resolution 1.5k"),
        ({"response_format": "png"}, 400, "response_format is one of"),
        ({"quality": "best"}, 400, "quality is one of low, medium, auto"),
        ({"quality": "high"}, 400, "quality is one of low, medium, auto"),
        ({"size": "1024x1024"}, 400, "Argument not supported: size"),
    ],
)
def test_refusals(generate_images: Send, body: dict[str, Any], status: int, text: str) -> None:
    """Invalid image requests are refused."""
    response = generate_images(**body)
    assert response.status_code == status
    assert text in response.json()["error"]["error"]


def test_ignored(gateway: Emulator, generate_images: Send) -> None:
    """`style` is ignored, since xAI does not have it."""
    assert generate_images(style="vivid").status_code == 200
    assert gateway.requests[-1].ignored == ("style",)


def test_models(http: httpx.Client) -> None:
    """Each listed model can be retrieved, with equal fields."""
    listed = http.get("/v1/models").json()["result"]
    assert listed["object"] == "list"
    assert {"grok-4.20-0309-non-reasoning", "grok-4.3"} <= {row["id"] for row in listed["data"]}
    for row in listed["data"]:
        assert http.get(f"/v1/models/{row['id']}").json()["result"] == row


SERVED = [
    *("grok-4.3-0417", "grok-4.20-reasoning", "grok-4.20-multi-agent", "grok-4.7-latest", "latest"),
    *("grok-latest", "grok-build-latest", "grok-code-fast-1", "grok-4", "grok-4-0709"),
    *("grok-4-fast-reasoning", "grok-4-1-fast-non-reasoning", "grok-3-mini-beta", "grok-2-1212"),
    "grok-2-vision-latest",
]
MISSPELLED = [
    *("grok", "grok-typo", "grok-5", "grok-4.8", "grok-4.30", "grok-4.7-", "grok-4.7-1332"),
    *("grok-4.7-mini", "grok-4.3-0417-0417", "Grok-4.3", " grok-4.3", "grok-4.3\n", "grock-4"),
    *("latest-latest", "grok-latest-0417", "gpt-4o", "xai.grok-4.3", "grok-large"),
]
ALL_MODELS = [name for name, _, _ in LISTED] + [
    alias for aliases in ALIASES.values() for alias in aliases
]


def model_calls(http: httpx.Client, name: str) -> dict[str, httpx.Response]:
    """Send the name of a model to each endpoint that accepts one."""
    messages = [{"role": "user", "content": "Hello"}]
    bodies: dict[str, dict[str, Any]] = {
        "/v1/chat/completions": {"messages": messages},
        "/v1/responses": {"input": "Hello"},
        "/v1/messages": {"messages": messages, "max_tokens": 100},
        "/v1/tokenize-text": {"text": "Hello"},
        "/v1/images/generations": {"prompt": "A fox"},
        "/v1/completions": {"prompt": "Hello"},
    }
    sent = {path: http.post(path, json={"model": name, **body}) for path, body in bodies.items()}
    return {**sent, "/v1/models": http.get(f"/v1/models/{quote(name)}")}


def is_not_found(response: httpx.Response) -> bool:
    """Return True if the response is xAI's error about an unknown model."""
    return "Model not found" in response.text


@for_each("name", [*ALL_MODELS, *SERVED])
def test_names_of_models(http: httpx.Client, name: str) -> None:
    """Listed and retired models, with a date or without, and aliases are found everywhere."""
    calls = model_calls(http, name)
    assert [path for path, response in calls.items() if is_not_found(response)] == []
    assert calls["/v1/models"].json()["result"]["id"] == name
    assert calls["/v1/tokenize-text"].status_code == 200


@pytest.mark.parametrize("name", MISSPELLED)
def test_other_names_are_not_found(http: httpx.Client, gateway: Emulator, name: str) -> None:
    """Other names are rejected by each endpoint, unless the option adds them."""
    calls = model_calls(http, name)
    assert {path for path, response in calls.items() if not is_not_found(response)} == set()
    codes = {path: response.status_code for path, response in calls.items()}
    assert codes.pop("/v1/models") == 404
    assert set(codes.values()) == {400}
    gateway.models = [name]
    calls = model_calls(http, name)
    assert not any(map(is_not_found, calls.values()))
    assert calls["/v1/chat/completions"].json()["result"]["model"] == name
    assert name in [row["id"] for row in http.get("/v1/models").json()["result"]["data"]]


def test_models_are_a_list_of_names() -> None:
    """A single name is not a list of names."""
    with pytest.raises(ValueError, match="models: must be a list of names"):
        Emulator(models="grok-x")


def test_models_alone_in_data(gateway: Emulator, http: httpx.Client) -> None:
    """In the data envelope a list is inside data twice, and bare once."""
    gateway.envelope = "data"
    assert isinstance(http.get("/v1/models").json()["data"]["data"], list)
    gateway.envelope = "bare"
    assert isinstance(http.get("/v1/models").json()["data"], list)


def test_api_key(http: httpx.Client) -> None:
    """The description of the API key does not have the key."""
    body = http.get("/v1/api-key").json()["result"]
    assert body["api_key_blocked"] is False
    assert "..." in body["redacted_api_key"]


@given(st.text())
def test_tokens_join(text: str) -> None:
    """The tokens of a string join to the string, and none is empty."""
    found = tokenizer.split_tokens(text)
    assert "".join(found) == text
    assert all(found)
    assert tokenizer.count_tokens(text) == len(found) == len(tokenizer.tokenize(text))


def test_tokens_are_short() -> None:
    """Long words and scripts without spaces have many tokens."""
    assert tokenizer.count_tokens("incomprehensibilities") > 2
    assert tokenizer.count_tokens("你好啊集团") == 5
    assert tokenizer.split_tokens("Hello, world!") == ["Hello", ",", " world", "!"]
