"""Images: display in notebooks, short reprs, and content blocks of the frameworks."""

import base64
from html.parser import HTMLParser
from io import BytesIO

import PIL.Image
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from xai_lowcode.api.images import images
from xai_lowcode.types.images import Image, ImageBatch

# Signs that cannot be printed take up to ten places each.
LONGEST = 3000
FORMS = {"image/png": "PNG", "image/jpeg": "JPEG"}
sizes = st.tuples(st.integers(1, 60), st.integers(1, 60))
# HTML knows no NUL, and makes one of the two ends of a line.
words = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\r"), min_size=1)


def painted(size: tuple[int, int], mime_type: str = "image/png") -> Image:
    """A real image."""
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
    assert (tag, facts["src"], facts["alt"]) == ("img", url, prompt or "image")
    assert (image._repr_png_(), image._repr_jpeg_()) == (None, None)


def test_a_batch_shows_side_by_side() -> None:
    """A tag for each image, data or address, in order, and the number of blocked images."""
    data, address = painted((2, 2)), Image(url="https://imgen.x.ai/a.png")
    html = ImageBatch((data, address), blocked=2)._repr_html_()
    sources = [facts["src"] for tag, facts in Tags(html).found if tag == "img"]
    assert sources == [f"data:image/png;base64,{data.base64}", address.url]
    assert "2 blocked" in html
    assert "blocked" not in ImageBatch((data,))._repr_html_()


@given(st.text(), st.text(), st.text(), st.integers(0, 20))
def test_what_is_printed_is_short(url: str, data: str, prompt: str, power: int) -> None:
    """However large it is, an image prints in a line, without its data."""
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


def test_images_in_content_blocks_of_frameworks() -> None:
    """Images are found in the content blocks of both frameworks, in order, as data and URLs."""
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
    assert images(theirs).images == (image,) * 6
    for block in (blocks.create_image_block(url=address), types.ImageBlock(url=address)):
        assert images(block).images[0].url == address
    assert images([]).images == ()
