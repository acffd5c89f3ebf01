"""Law: pictures show in notebooks, print in a line, and become Pillow's, or say why not."""

import base64
import sys
from html.parser import HTMLParser
from io import BytesIO
from typing import Any

import PIL.Image
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from xai_lowcode.errors import InvalidResponseError, UsageError
from xai_lowcode.types.images import Image, ImageBatch, extract_images

# Signs that cannot be printed take up to ten places each.
LONGEST = 3000
FORMS = {"image/png": "PNG", "image/jpeg": "JPEG"}
sizes = st.tuples(st.integers(1, 60), st.integers(1, 60))
# HTML knows no NUL, and makes one of the two ends of a line.
words = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\r"), min_size=1)


def painted(size: tuple[int, int], mime_type: str = "image/png") -> Image:
    """A real picture."""
    file = BytesIO()
    PIL.Image.linear_gradient("L").resize(size).convert("RGB").save(file, FORMS[mime_type])
    return Image(base64=base64.b64encode(file.getvalue()).decode(), mime_type=mime_type)


class Tags(HTMLParser):
    """Collects the tags of a text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@given(sizes, st.sampled_from(sorted(FORMS)))
def test_data_shows_as_what_it_is(size: tuple[int, int], mime_type: str) -> None:
    """A PNG shows as PNG and a JPEG as JPEG, byte for byte, and as nothing else."""
    image = painted(size, mime_type)
    shown = {"image/png": image._repr_png_(), "image/jpeg": image._repr_jpeg_()}
    assert shown.pop(mime_type) == image.content
    assert (*shown.values(), image._repr_html_()) == (None, None)


@given(words, st.none() | words)
@example('a"b<c>&amp;', '" onerror="alert(1)"')
def test_an_address_shows_in_the_reader_s_browser(url: str, prompt: str | None) -> None:
    """Whatever stands in address and prompt, there is one tag, with the address and the words."""
    image = Image(url=url, revised_prompt=prompt)
    ((tag, facts),) = Tags(image._repr_html_() or "").found
    assert (tag, facts["src"], facts["alt"]) == ("img", url, prompt or "picture")
    assert (image._repr_png_(), image._repr_jpeg_()) == (None, None)


def test_a_batch_shows_side_by_side() -> None:
    """A tag for each picture, data or address, in order, and a word on what was held back."""
    data, address = painted((2, 2)), Image(url="https://imgen.x.ai/a.png")
    html = ImageBatch((data, address), blocked=2)._repr_html_()
    sources = [facts["src"] for tag, facts in Tags(html).found if tag == "img"]
    assert sources == [f"data:image/png;base64,{data.base64}", address.url]
    assert "2 held back" in html
    assert "held back" not in ImageBatch((data,))._repr_html_()


@given(st.text(), st.text(), st.text(), st.integers(0, 20))
def test_what_is_printed_is_short(url: str, data: str, prompt: str, power: int) -> None:
    """However large it is, a picture prints in a line, without its data."""
    times = 2**power
    image = Image(url * times, data * times, revised_prompt=prompt * times)
    assert len(repr(image)) < LONGEST
    assert "\n" not in repr(image)


def test_what_is_printed_tells_what_it_is() -> None:
    """Kind, size and address are there."""
    image = painted((3, 3))
    assert repr(image) == f"Image(image/png, {len(image.content):,} bytes)"
    assert repr(Image(url="u", revised_prompt="p")) == (
        "Image(image/jpeg, url='u', revised_prompt='p')"
    )


@given(sizes, st.sampled_from(sorted(FORMS)), st.integers(1, 80))
def test_pillow_s_picture_and_its_thumbnail(
    size: tuple[int, int], mime_type: str, side: int
) -> None:
    """Pillow has the same size; a thumbnail is a PNG, no larger than asked for and than before."""
    image = painted(size, mime_type)
    assert image.to_pil().size == size
    small = image.thumbnail(side)
    assert small.mime_type == "image/png"
    assert small._repr_png_() == small.content
    across, down = small.to_pil().size
    assert max(across, down) == min(side, max(size))
    assert (across <= size[0], down <= size[1]) == (True, True)
    (same,) = ImageBatch((image,), blocked=1).thumbnails(side).images
    assert same == small


@given(st.integers(0, 200), st.integers(1, 255))
def test_broken_data_is_our_own_error(cut: int, flip: int) -> None:
    """Data that breaks off, or is something else, is unreadable; nothing of Pillow's comes out."""
    content = painted((40, 40)).content
    for broken in (content[: min(cut, len(content) - 30)], bytes([content[0] ^ flip]) + content):
        with pytest.raises(InvalidResponseError, match="no picture"):
            Image(base64=base64.b64encode(broken).decode()).to_pil()


def test_an_address_has_no_pixels() -> None:
    """A picture that came as an address says how to ask for its data."""
    for make in (Image(url="u").to_pil, Image(url="u").thumbnail):
        with pytest.raises(UsageError, match="b64_json"):
            make()


@pytest.mark.parametrize("side", [0, -1, True, 1.5, "20", None])
def test_impossible_sides_are_refused(side: Any) -> None:
    """A side is a positive number of pixels."""
    with pytest.raises(UsageError, match="side") as refusal:
        painted((2, 2)).thumbnail(side)
    assert refusal.value.field == "side"


def test_without_pillow_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Showing and saving need no Pillow; what does says so."""
    image = painted((2, 2))
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    assert image._repr_png_()
    for make in (image.to_pil, image.thumbnail):
        with pytest.raises(ImportError, match="pip install pillow"):
            make()


def test_pictures_of_frameworks_blocks() -> None:
    """Among the blocks of either framework the pictures are found, in order, data and addresses."""
    blocks = pytest.importorskip("langchain_core.messages.content")
    types = pytest.importorskip("llama_index.core.base.llms.types")
    image = painted((2, 2))
    data_url = f"data:image/png;base64,{image.base64}"
    address = "https://imgen.x.ai/a.png"
    theirs = [
        blocks.create_text_block("A fox."),
        blocks.create_image_block(base64=image.base64, mime_type="image/png"),
        blocks.create_image_block(url=data_url),
        types.TextBlock(text="A fox."),
        types.ImageBlock(image=image.content, image_mimetype="image/png"),
        types.ImageBlock(url=data_url),
        types.ImageBlock(image=image.content),
        image,
    ]
    assert extract_images(theirs).images == (image,) * 6
    for block in (blocks.create_image_block(url=address), types.ImageBlock(url=address)):
        assert extract_images(block).images[0].url == address
    assert extract_images([]).images == ()
