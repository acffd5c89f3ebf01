"""Unknown parameters, the sizes of OpenAI's images, and the values of image options."""

import warnings
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    """It has the name, the nearest known name, and where the value went."""
    known = ["aspect_ratio", "n"]
    assert unknown_parameter_warning(
        "aspect_ration", known, destination="moved to model_kwargs"
    ) == ("unknown parameter 'aspect_ration' moved to model_kwargs; did you mean 'aspect_ratio'?")
    assert unknown_parameter_warning("style", known, destination="sent in the request body") == (
        "unknown parameter 'style' sent in the request body."
    )
    text = unknown_parameter_warning("timeout", known, destination="sent", fields=["timeout"])
    assert text.endswith("not an option of a call. Set it when you create the object.")


@pytest.mark.parametrize("name", sorted(name for name in KNOWN_OPTIONS if len(name) > 4))
def test_one_wrong_letter_is_near(name: str) -> None:
    """A name with a letter too few or too many is near the right one."""
    for index in range(1, len(name)):
        assert nearest_name(name[:index] + name[index + 1 :], [name, "n"]) == name
        assert nearest_name(name[:index] + "x" + name[index:], [name, "n"]) == name


def test_one_warning_for_each_name_at_the_callers_line() -> None:
    """Known names are not warned of; the warning points to the caller."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        warn_unknown_parameters({"b": 1, "a": 1, "n": 1}, ["n"], destination="dropped")
    assert [str(each.message)[:21] for each in told] == [f"unknown parameter '{n}'" for n in "ab"]
    assert {each.filename for each in told} == {__file__}


def test_body_options_are_merged() -> None:
    """The keys of these options are options, in a call too."""
    for name in ("extra_body", "model_kwargs", "additional_kwargs"):
        assert merge_options({"seed": 1}, {name: {"seed": 2, "made_up": 3}}) == {
            "seed": 2,
            "made_up": 3,
        }
        with pytest.raises(UsageError, match=name):
            merge_options({name: [1]})


@pytest.mark.parametrize(
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
    """Each size of OpenAI's has an aspect ratio and a resolution."""
    assert parse_size(size) == options


@given(st.integers(10, 99_999), st.integers(10, 99_999))
def test_a_size_has_an_equivalent_or_is_refused(width: int, height: int) -> None:
    """A size is near a ratio of the list, or refused."""
    try:
        options = parse_size(f"{width}x{height}")
    except UsageError:
        return
    across, down = map(float, options["aspect_ratio"].split(":"))
    assert across / down == pytest.approx(width / height, rel=0.04)
    assert min(width, height) <= 2048


@pytest.mark.parametrize("size", ["", "1k", "1024", "0x0", "1024X1024", 1024, True, ["1x1"]])
def test_other_sizes_are_refused(size: Any) -> None:
    """A value that is no size is refused."""
    with pytest.raises(UsageError, match="size") as caught:
        build_image_request({"prompt": "A fox", "size": size})
    assert "aspect_ratio" in str(caught.value.hint)


@pytest.mark.parametrize("name", CHOICES)
def test_values_of_image_options(name: str) -> None:
    """Each value is sent; others are refused, and the error lists the values and the way out."""
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "images.md").read_text()
    for value in CHOICES[name]:
        assert f"`{value}`" in page
        assert ImageRequest(prompt="A fox", **{name: value}).render()[name] == value
    for wrong in ("high", "7:3", "4k", "", 1, ["auto"], True):
        with pytest.raises(
            UsageError, match=f"{name}: must be one of {CHOICES[name][0]}"
        ) as caught:
            ImageRequest(prompt="A fox", **{name: wrong})
        assert caught.value.field == name
        assert "extra_body" in str(caught.value.hint)
        body = build_image_request({"prompt": "A fox", "extra_body": {name: wrong}}).render()
        assert body[name] == wrong


def test_layers_of_image_options() -> None:
    """Later layers win; a size is converted within its layer; None removes an option."""
    request = build_image_request(
        {"prompt": "A fox", "size": "2048x2048", "resolution": "1k", "user": "u"},
        {"aspect_ratio": "auto", "user": None},
    )
    assert (request.resolution, request.aspect_ratio, request.user) == ("1k", "auto", None)
    request = build_image_request({"prompt": "A fox", "aspect_ratio": "1:2"}, {"size": "1024x1024"})
    assert (request.resolution, request.aspect_ratio) == ("1k", "1:1")
