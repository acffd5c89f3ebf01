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

# Characters that cannot be printed have up to ten characters in a repr.
MAX_REPR = 3000
FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG"}
sizes = st.tuples(st.integers(1, 60), st.integers(1, 60))
# HTML has no NUL and replaces carriage returns.
nonempty_text = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\0\r"), min_size=1
)


def create_image(size: tuple[int, int], mime_type: str = "image/png") -> Image:
    """Return a valid image."""
    file = BytesIO()
    PIL.Image.linear_gradient("L").resize(size).convert("RGB").save(file, FORMATS[mime_type])
    return Image(base64=base64.b64encode(file.getvalue()).decode(), mime_type=mime_type)


class TagCollector(HTMLParser):
    """Collects the tags of an HTML string."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@given(sizes, st.sampled_from(sorted(FORMATS)))
def test_images_with_data_are_displayed_in_their_format(
    size: tuple[int, int], mime_type: str
) -> None:
    """A PNG has a PNG representation only, and a JPEG a JPEG representation only."""
    image = create_image(size, mime_type)
    representations = {"image/png": image._repr_png_(), "image/jpeg": image._repr_jpeg_()}
    assert representations.pop(mime_type) == image.content
    assert (*representations.values(), image._repr_html_()) == (None, None)


@given(nonempty_text, st.none() | nonempty_text)
@example('a"b<c>&amp;', '" onerror="alert(1)"')
def test_images_with_a_url_are_displayed_as_html(url: str, prompt: str | None) -> None:
    """The HTML is one tag with the URL and the prompt, whatever characters these have."""
    image = Image(url=url, revised_prompt=prompt)
    ((tag, attributes),) = TagCollector(image._repr_html_() or "").tags
    assert (tag, attributes["src"], attributes["alt"]) == ("img", url, prompt or "image")
    assert (image._repr_png_(), image._repr_jpeg_()) == (None, None)


def test_a_batch_is_displayed_as_html() -> None:
    """The HTML of a batch has a tag for each image, in order, and the number of blocked images."""
    data_image, url_image = create_image((2, 2)), Image(url="https://imgen.x.ai/a.png")
    html = ImageBatch((data_image, url_image), blocked=2)._repr_html_()
    sources = [attributes["src"] for tag, attributes in TagCollector(html).tags if tag == "img"]
    assert sources == [f"data:image/png;base64,{data_image.base64}", url_image.url]
    assert "2 blocked" in html
    assert "blocked" not in ImageBatch((data_image,))._repr_html_()


@given(st.text(), st.text(), st.text(), st.integers(0, 20))
def test_reprs_are_short(url: str, data: str, prompt: str, power: int) -> None:
    """The repr of an image of any size is one line without its data."""
    times = 2**power
    image = Image(url * times, data * times, revised_prompt=prompt * times)
    assert len(repr(image)) < MAX_REPR
    assert "\n" not in repr(image)


def test_reprs_describe_the_image() -> None:
    """The repr has MIME type, size and URL."""
    image = create_image((3, 3))
    assert repr(image) == f"Image(image/png, {len(image.content):,} bytes)"
    assert repr(Image(url="u", revised_prompt="p")) == (
        "Image(image/jpeg, url='u', revised_prompt='p')"
    )


def test_images_in_content_blocks_of_frameworks() -> None:
    """Images are found in the content blocks of both frameworks, in order, as data and URLs."""
    blocks = pytest.importorskip("langchain_core.messages.content")
    types = pytest.importorskip("llama_index.core.base.llms.types")
    image = create_image((2, 2))
    data_url = f"data:image/png;base64,{image.base64}"
    url = "https://imgen.x.ai/a.png"
    blocks_of_frameworks = [
        blocks.create_text_block("A fox."),
        blocks.create_image_block(base64=image.base64, mime_type="image/png"),
        blocks.create_image_block(url=data_url),
        types.TextBlock(text="A fox."),
        types.ImageBlock(image=image.content, image_mimetype="image/png"),
        types.ImageBlock(url=data_url),
        types.ImageBlock(image=image.content),
        image,
    ]
    assert images(blocks_of_frameworks).images == (image,) * 6
    for block in (blocks.create_image_block(url=url), types.ImageBlock(url=url)):
        assert images(block).images[0].url == url
    assert images([]).images == ()
