"""Image requests are validated when created; responses are parsed or invalid."""

import base64
import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import for_each
from tests.core.wire import WIRE
from xai_lowcode.api.images import images, parse_images
from xai_lowcode.errors import ContentPolicyError, InvalidResponseError, UsageError
from xai_lowcode.types.images import Image, ImageRequest

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
INVALID: list[tuple[str, Any]] = [
    ("prompt", ""),
    ("prompt", " \n"),
    ("prompt", None),
    ("prompt", 5),
    ("model", ""),
    ("model", None),
    ("n", 0),
    ("n", 11),
    ("n", -1),
    ("n", True),
    ("n", 1.0),
    ("n", "1"),
    ("n", None),
    ("n", 10**5_000),
    ("response_format", 10**5_000),
    ("response_format", "png"),
    ("response_format", None),
]


@for_each(("name", "value"), INVALID)
def test_invalid_requests_raise(name: str, value: Any) -> None:
    """An invalid field raises an error with its name when the request is created."""
    with pytest.raises(UsageError) as raised:
        ImageRequest(**{"prompt": "a fox", name: value})
    assert raised.value.field == name


@given(
    st.text(min_size=1).filter(str.strip),
    st.integers(1, 10),
    st.sampled_from(["url", "b64_json"]),
    st.none() | st.just("16:9"),
    st.none() | st.just("2k"),
)
def test_the_body_of_a_request(
    prompt: str, n: int, response_format: Any, ratio: str | None, resolution: str | None
) -> None:
    """The body has every field that is set, and no other field."""
    request = ImageRequest(
        prompt=prompt,
        n=n,
        response_format=response_format,
        aspect_ratio=ratio,
        resolution=resolution,
        extra={"user": "u"},
    )
    fields = {
        "prompt": prompt,
        "n": n,
        "response_format": response_format,
        "aspect_ratio": ratio,
        "resolution": resolution,
        "model": "grok-imagine-image",
        "user": "u",
    }
    assert request.render() == {name: value for name, value in fields.items() if value is not None}


@given(st.lists(st.booleans() | st.none(), min_size=1, max_size=6))
def test_blocked_images(flags: list[bool | None]) -> None:
    """Blocked images are counted and omitted; if all are blocked, an error is raised."""
    items = [
        {"url": f"u{number}", **({} if flag is None else {"respect_moderation": flag})}
        for number, flag in enumerate(flags)
    ]
    accepted = [f"u{number}" for number, flag in enumerate(flags) if flag is not False]
    if not accepted:
        with pytest.raises(ContentPolicyError):
            parse_images({"data": items})
        return
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        batch = parse_images({"data": items, "usage": {"cost_in_usd_ticks": 200_000_000}})
    blocked = len(flags) - len(accepted)
    expected = [f"xAI's moderation withheld {blocked} of {len(flags)} images."] if blocked else []
    assert [str(warning.message) for warning in warned] == expected
    assert [image.url for image in batch.images] == accepted
    assert batch.blocked == len(flags) - len(accepted)
    assert batch.cost_usd == 0.02


@given(st.binary(max_size=60))
def test_the_content_of_an_image(content: bytes) -> None:
    """``content`` returns the decoded base64 data, and the repr does not contain the data."""
    text = base64.b64encode(content).decode()
    image = Image(base64=text)
    assert image.content == content
    assert not text or text not in repr(image) or len(text) < 8


def test_an_image_is_saved(tmp_path: Path) -> None:
    """``save`` writes the content to a path or a string and returns the path."""
    image = Image(base64=base64.b64encode(PNG).decode())
    for path in (tmp_path / "a.png", str(tmp_path / "b.png")):
        assert image.save(path).read_bytes() == PNG


@for_each("text", ["é", "a", "ab=c", "data:image/png;base64,AAAA", "AA AA", "\n"])
def test_invalid_base64_raises(text: str) -> None:
    """Data that is not base64 raises `InvalidResponseError`."""
    with pytest.raises(InvalidResponseError):
        _ = Image(base64=text).content


def test_an_image_url_has_no_content() -> None:
    """The error for an image with a URL names the option that requests data."""
    with pytest.raises(UsageError, match="b64_json"):
        _ = Image(url="https://imgen.x.ai/a.png").content


@for_each("item", [{}, {"url": None}, {"b64_json": ""}, {"url": 5}, {"b64_json": [1]}])
def test_an_image_without_url_and_data_is_invalid(item: dict[str, Any]) -> None:
    """An image without a URL and data raises `InvalidResponseError`."""
    with pytest.raises(InvalidResponseError):
        parse_images({"data": [item]})


@for_each(
    ("item", "mime_type"),
    [
        ({"url": "u"}, "image/jpeg"),
        ({"url": "u", "mime_type": "image/png"}, "image/png"),
        ({"b64_json": base64.b64encode(PNG).decode()}, "image/png"),
        ({"b64_json": "/9j/AAAA"}, "image/jpeg"),
    ],
)
def test_the_mime_type_of_an_image(item: dict[str, Any], mime_type: str) -> None:
    """The MIME type is the one of the response, else that of the data, else JPEG."""
    assert parse_images({"data": [item]}).images[0].mime_type == mime_type


@for_each("path", sorted(WIRE.glob("images/*.json")))
def test_recorded_responses(path: Path) -> None:
    """Every recorded response is parsed, with its images and cost."""
    if ".request." in path.name:
        pytest.skip("a request")
    body = json.loads(path.read_bytes())
    batch = parse_images(body)
    assert len(batch.images) == len(body["data"])
    assert batch.cost_ticks == body["usage"]["cost_in_usd_ticks"]
    for image, item in zip(batch.images, body["data"], strict=True):
        assert (image.url, image.base64) == (item.get("url"), item.get("b64_json"))
        assert image.base64 is None or image.content


@for_each("usage", [{}, {"cost_in_usd_ticks": 0}, {"cost_in_usd_ticks": 5}, None])
def test_a_response_without_images_is_invalid(usage: Any) -> None:
    """An empty list of images raises an error, whatever the usage is."""
    with pytest.raises(InvalidResponseError, match="no images"):
        parse_images({"data": [], "usage": usage})


@for_each("ticks", [0, -1, 2**63, 2**64, 1e300, float("nan"), "5", None, True])
def test_invalid_costs_are_none(ticks: Any) -> None:
    """A cost that is not a 64-bit integer is None."""
    batch = parse_images({"data": [{"url": "u"}], "usage": {"cost_in_usd_ticks": ticks}})
    is_valid = type(ticks) is int and ticks < 2**64
    assert batch.cost_usd == (ticks / 10**10 if is_valid else None)


@for_each("data", [b"\x89PNG", b"\xff\xfe", "\ud800", "é"])
def test_invalid_data_in_a_content_block_raises(data: Any) -> None:
    """The data of a content block that is not base64 raises an error when it is used."""
    (image,) = images({"type": "image", "base64": data}).images
    with pytest.raises(InvalidResponseError):
        _ = image.content
