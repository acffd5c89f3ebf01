"""Drawing a picture for a prompt: always the same one for the same words.

A gradient and some shapes come from a hash of the prompt, and the prompt is written on them.
"""

import hashlib
import math
import re
import textwrap
from io import BytesIO

from PIL import Image, ImageChops, ImageDraw, ImageFont, ImageOps

SIZES = {"1k": 1024, "1.5k": 1536, "2k": 2048}
GRID = 16
SHAPES = 7
SIGNATURE = "xai-lowcode emulator"
AUTO = {"16:9": r"landscape|panorama|wide|skyline|horizon", "9:16": r"portrait|poster|tall|phone"}


def drawn(prompt: str, aspect: str, resolution: str, variant: int = 0) -> bytes:
    """Draws a picture and gives its PNG."""
    seed = hashlib.sha256(f"{variant}/{prompt}".encode("utf-8", "replace")).digest()
    size = dimensions(prompt, aspect, resolution)
    picture = _background(size, seed)
    _shapes(picture, seed)
    _lettering(picture, prompt)
    file = BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue()


def dimensions(prompt: str, aspect: str, resolution: str) -> tuple[int, int]:
    """Tells the size: the area follows the resolution, the sides follow the ratio."""
    if aspect == "auto":
        words = prompt.lower()
        aspect = next((ratio for ratio, hint in AUTO.items() if re.search(hint, words)), "1:1")
    across, down = (float(side) for side in aspect.split(":"))
    root = math.sqrt(across / down)
    width, height = SIZES[resolution] * root, SIZES[resolution] / root
    return GRID * round(width / GRID), GRID * round(height / GRID)


def _background(size: tuple[int, int], seed: bytes) -> Image.Image:
    down = Image.linear_gradient("L").resize(size)
    across = ImageOps.mirror(Image.linear_gradient("L").rotate(90).resize(size))
    ramp = ImageChops.add(down, across, scale=2)
    return ImageOps.colorize(ramp, black=_colour(seed, 0), white=_colour(seed, 3))


def _shapes(picture: Image.Image, seed: bytes) -> None:
    width, height = picture.size
    pen = ImageDraw.Draw(picture, "RGBA")
    for index in range(SHAPES):
        a, b, c = seed[6 + 3 * index : 9 + 3 * index]
        x, y = width * a // 255, height * b // 255
        radius = (GRID + c) * min(width, height) // 1024
        box = (x - radius, y - radius, x + radius, y + radius)
        fill = (*_colour(seed, 6 + index), 110)
        if index % 2:
            pen.ellipse(box, fill=fill)
        else:
            pen.regular_polygon((x, y, radius + 1), 3 + c % 4, rotation=a, fill=fill)


def _lettering(picture: Image.Image, prompt: str) -> None:
    width, height = picture.size
    pen = ImageDraw.Draw(picture)
    size = max(GRID, min(width, height) // 22)
    lines = textwrap.wrap(prompt, max(8, int(width * 0.85 / (size * 0.6))))[:8] or [prompt]
    font = ImageFont.load_default(size)
    pen.multiline_text(
        (width / 2, height / 2), "\n".join(lines), font=font, anchor="mm", align="center",
        fill="white", stroke_width=max(1, size // 16), stroke_fill="black",
    )  # fmt: skip
    small = ImageFont.load_default(max(GRID, size // 2))
    pen.text((width - GRID, height - GRID), SIGNATURE, font=small, anchor="rd", fill="white")


def _colour(seed: bytes, start: int) -> tuple[int, int, int]:
    red, green, blue = seed[start : start + 3]
    return red, green, blue
