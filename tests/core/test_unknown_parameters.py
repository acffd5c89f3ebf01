"""Unknown parameters, the sizes of OpenAI's images, and the values of image options."""

import warnings
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import for_each
from xai_lowcode._internal.unknown_parameters import (
    nearest_name,
    unknown_parameter_warning,
    warn_unknown_parameters,
)
from xai_lowcode.chat.options import KNOWN_OPTIONS, merge_options
from xai_lowcode.errors import UsageError
from xai_lowcode.types.images import (
    AspectRatio,
    ImageRequest,
    Quality,
    Resolution,
    build_image_request,
    parse_size,
)

CHOICES = {
    "aspect_ratio": get_args(AspectRatio),
    "resolution": get_args(Resolution),
    "quality": get_args(Quality),
}


def test_the_warning() -> None:
    """The warning has the name, the nearest known name, and what happened to the value."""
    known = ["aspect_ratio", "n"]
    assert unknown_parameter_warning(
        "aspect_ration", known, destination="moved to model_kwargs"
    ) == ("unknown parameter 'aspect_ration' moved to model_kwargs; did you mean 'aspect_ratio'?")
    assert unknown_parameter_warning("style", known, destination="sent in the request body") == (
        "unknown parameter 'style' sent in the request body."
    )
    text = unknown_parameter_warning("timeout", known, destination="sent", fields=["timeout"])
    assert text.endswith("not an option of a call. Set it when you create the object.")


@for_each("name", sorted(name for name in KNOWN_OPTIONS if len(name) > 4))
def test_names_with_one_wrong_letter(name: str) -> None:
    """A name with one letter too few or too many is recognized."""
    for index in range(1, len(name)):
        assert nearest_name(name[:index] + name[index + 1 :], [name, "n"]) == name
        assert nearest_name(name[:index] + "x" + name[index:], [name, "n"]) == name


def test_one_warning_for_each_name_at_the_callers_line() -> None:
    """Known names do not warn, and the warning has the file of the caller."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_unknown_parameters({"b": 1, "a": 1, "n": 1}, ["n"], destination="dropped")
    assert [str(warning.message)[:21] for warning in caught] == [
        f"unknown parameter '{n}'" for n in "ab"
    ]
    assert {warning.filename for warning in caught} == {__file__}


def test_body_options_are_merged() -> None:
    """The keys of options for the body are merged into the options."""
    for name in ("extra_body", "model_kwargs", "additional_kwargs"):
        assert merge_options({"seed": 1}, {name: {"seed": 2, "made_up": 3}}) == {
            "seed": 2,
            "made_up": 3,
        }
        with pytest.raises(UsageError, match=name):
            merge_options({name: [1]})


@for_each(
    ("size", "options"),
    [
        ("auto", {"aspect_ratio": "auto"}),
        ("256x256", {"aspect_ratio": "1:1", "resolution": "1k"}),
        ("1024x1024", {"aspect_ratio": "1:1", "resolution": "1k"}),
        ("1536x1024", {"aspect_ratio": "3:2", "resolution": "1k"}),
        ("1024x1536", {"aspect_ratio": "2:3", "resolution": "1k"}),
        ("1792x1024", {"aspect_ratio": "16:9", "resolution": "1k"}),
        ("1024x1792", {"aspect_ratio": "9:16", "resolution": "1k"}),
        ("1536x1536", {"aspect_ratio": "1:1", "resolution": "1.5k"}),
        ("2048x2048", {"aspect_ratio": "1:1", "resolution": "2k"}),
    ],
)
def test_sizes_of_openai(size: str, options: dict[str, Any]) -> None:
    """Each size of OpenAI is converted to an aspect ratio and a resolution."""
    assert parse_size(size) == options


@given(st.integers(10, 99_999), st.integers(10, 99_999))
def test_a_size_has_an_equivalent_or_raises(width: int, height: int) -> None:
    """A size is converted to a similar aspect ratio, or raises an error."""
    try:
        options = parse_size(f"{width}x{height}")
    except UsageError:
        return
    ratio_width, ratio_height = map(float, options["aspect_ratio"].split(":"))
    assert ratio_width / ratio_height == pytest.approx(width / height, rel=0.04)
    assert min(width, height) <= 2048


@for_each("size", ["", "1k", "1024", "0x0", "1024X1024", 1024, True, ["1x1"]])
def test_invalid_sizes_raise(size: Any) -> None:
    """A value that is not a size raises an error."""
    with pytest.raises(UsageError, match="size") as caught:
        build_image_request({"prompt": "A fox", "size": size})
    assert "aspect_ratio" in str(caught.value.hint)


@pytest.mark.parametrize("name", CHOICES)
def test_values_of_image_options(name: str) -> None:
    """Known values are sent; others raise an error with the known values and a hint."""
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "images.md").read_text()
    for value in CHOICES[name]:
        assert f"`{value}`" in page
        assert ImageRequest(prompt="A fox", **{name: value}).render()[name] == value
    for invalid in ("high", "7:3", "4k", "", 1, ["auto"], True):
        with pytest.raises(
            UsageError, match=f"{name}: must be one of {CHOICES[name][0]}"
        ) as caught:
            ImageRequest(prompt="A fox", **{name: invalid})
        assert caught.value.field == name
        assert "extra_body" in str(caught.value.hint)
        body = build_image_request({"prompt": "A fox", "extra_body": {name: invalid}}).render()
        assert body[name] == invalid


def test_layers_of_image_options() -> None:
    """Later layers take precedence; a size is converted in its layer; None removes an option."""
    request = build_image_request(
        {"prompt": "A fox", "size": "2048x2048", "resolution": "1k", "user": "u"},
        {"aspect_ratio": "auto", "user": None},
    )
    assert (request.resolution, request.aspect_ratio, request.user) == ("1k", "auto", None)
    request = build_image_request({"prompt": "A fox", "aspect_ratio": "1:2"}, {"size": "1024x1024"})
    assert (request.resolution, request.aspect_ratio) == ("1k", "1:1")
