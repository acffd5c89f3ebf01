"""Law: an order of images is checked before it is sent; every answer is read or unreadable."""

import base64
import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.wire import WIRE
from xai_lowcode.api.images import images, parse_images
from xai_lowcode.errors import ContentPolicyError, InvalidResponseError, UsageError, describe_value
from xai_lowcode.types.images import Image, ImageRequest

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
BAD: list[tuple[str, Any]] = [
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


@pytest.mark.parametrize(("name", "value"), BAD, ids=describe_value)
def test_impossible_orders_are_refused(name: str, value: Any) -> None:
    """An impossible field is refused when the order is made, naming it."""
    with pytest.raises(UsageError) as refusal:
        ImageRequest(**{"prompt": "a fox", name: value})
    assert refusal.value.field == name


@given(
    st.text(min_size=1).filter(str.strip),
    st.integers(1, 10),
    st.sampled_from(["url", "b64_json"]),
    st.none() | st.just("16:9"),
    st.none() | st.just("2k"),
)
def test_what_is_asked_is_sent(
    prompt: str, n: int, form: Any, ratio: str | None, resolution: str | None
) -> None:
    """Every field given is in the body under its wire name, and what is not given is absent."""
    order = ImageRequest(
        prompt=prompt,
        n=n,
        response_format=form,
        aspect_ratio=ratio,
        resolution=resolution,
        extra={"user": "u"},
    )
    asked = {
        "prompt": prompt,
        "n": n,
        "response_format": form,
        "aspect_ratio": ratio,
        "resolution": resolution,
        "model": "grok-imagine-image",
        "user": "u",
    }
    assert order.render() == {name: value for name, value in asked.items() if value is not None}


@given(st.lists(st.booleans() | st.none(), min_size=1, max_size=6))
def test_moderation_holds_back_what_it_flags(flags: list[bool | None]) -> None:
    """Flagged images are counted and left out; if all are flagged that is a refusal."""
    items = [
        {"url": f"u{number}", **({} if flag is None else {"respect_moderation": flag})}
        for number, flag in enumerate(flags)
    ]
    passed = [f"u{number}" for number, flag in enumerate(flags) if flag is not False]
    if not passed:
        with pytest.raises(ContentPolicyError):
            parse_images({"data": items})
        return
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        batch = parse_images({"data": items, "usage": {"cost_in_usd_ticks": 200_000_000}})
    blocked = len(flags) - len(passed)
    expected = [f"xAI's moderation withheld {blocked} of {len(flags)} images."] if blocked else []
    assert [str(warning.message) for warning in warned] == expected
    assert [image.url for image in batch.images] == passed
    assert batch.blocked == len(flags) - len(passed)
    assert batch.cost_usd == 0.02


@given(st.binary(max_size=60))
def test_data_comes_out_as_it_was(content: bytes) -> None:
    """Base64 of any bytes gives the bytes, in memory and in a file, and is not printed."""
    text = base64.b64encode(content).decode()
    image = Image(base64=text)
    assert image.content == content
    assert not text or text not in repr(image) or len(text) < 8


def test_an_image_is_saved(tmp_path: Path) -> None:
    """Saving writes the bytes and returns the path, given as text or path."""
    image = Image(base64=base64.b64encode(PNG).decode())
    for path in (tmp_path / "a.png", str(tmp_path / "b.png")):
        assert image.save(path).read_bytes() == PNG


@pytest.mark.parametrize("text", ["é", "a", "ab=c", "data:image/png;base64,AAAA", "AA AA", "\n"])
def test_what_is_no_base64_is_unreadable(text: str) -> None:
    """Data that is no base64 raises our own error."""
    with pytest.raises(InvalidResponseError):
        _ = Image(base64=text).content


def test_an_address_is_no_data() -> None:
    """An image that came as an address says how to ask for its data."""
    with pytest.raises(UsageError, match="b64_json"):
        _ = Image(url="https://imgen.x.ai/a.png").content


@pytest.mark.parametrize(
    "item", [{}, {"url": None}, {"b64_json": ""}, {"url": 5}, {"b64_json": [1]}]
)
def test_an_image_without_either_is_unreadable(item: dict[str, Any]) -> None:
    """An image has an address or data; with neither the answer is unreadable."""
    with pytest.raises(InvalidResponseError):
        parse_images({"data": [item]})


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        ({"url": "u"}, "image/jpeg"),
        ({"url": "u", "mime_type": "image/png"}, "image/png"),
        ({"b64_json": base64.b64encode(PNG).decode()}, "image/png"),
        ({"b64_json": "/9j/AAAA"}, "image/jpeg"),
    ],
)
def test_the_kind_of_an_image(item: dict[str, Any], kind: str) -> None:
    """The service's word counts, else the data's first bytes, else jpeg."""
    assert parse_images({"data": [item]}).images[0].mime_type == kind


@pytest.mark.parametrize("path", sorted(WIRE.glob("images/*.json")), ids=lambda path: path.stem)
def test_recorded_answers(path: Path) -> None:
    """Every recorded answer is read, with its images and its cost."""
    if ".request." in path.name:
        pytest.skip("a request")
    body = json.loads(path.read_bytes())
    batch = parse_images(body)
    assert len(batch.images) == len(body["data"])
    assert batch.cost_ticks == body["usage"]["cost_in_usd_ticks"]
    for image, item in zip(batch.images, body["data"], strict=True):
        assert (image.url, image.base64) == (item.get("url"), item.get("b64_json"))
        assert image.base64 is None or image.content


@pytest.mark.parametrize("usage", [{}, {"cost_in_usd_ticks": 0}, {"cost_in_usd_ticks": 5}, None])
def test_a_response_without_images_is_unreadable(usage: Any) -> None:
    """Of an empty list nobody can say what each image cost, or show one."""
    with pytest.raises(InvalidResponseError, match="no images"):
        parse_images({"data": [], "usage": usage})


@pytest.mark.parametrize("ticks", [0, -1, 2**63, 2**64, 1e300, float("nan"), "5", None, True])
def test_any_cost_is_a_figure_or_none(ticks: Any) -> None:
    """A cost that is no integer of 64 bits counts as not given."""
    batch = parse_images({"data": [{"url": "u"}], "usage": {"cost_in_usd_ticks": ticks}})
    given = type(ticks) is int and ticks < 2**64
    assert batch.cost_usd == (ticks / 10**10 if given else None)


@pytest.mark.parametrize("data", [b"\x89PNG", b"\xff\xfe", "\ud800", "é"])
def test_a_block_with_other_data_is_unreadable(data: Any) -> None:
    """A framework's block whose data is not base64 makes an error of ours when it is used."""
    (image,) = images({"type": "image", "base64": data}).images
    with pytest.raises(InvalidResponseError):
        _ = image.content
