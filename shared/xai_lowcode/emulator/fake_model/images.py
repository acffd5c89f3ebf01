"""Image generation: the prompt, written on a color gradient that is derived from it."""

import hashlib
import math
import re
import textwrap
from functools import lru_cache
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont, ImageOps

RESOLUTIONS = {"1k": 1024, "1.5k": 1536, "2k": 2048}
GRID = 16
MAX_DRAWN = 1_000
AUTO_RATIOS = {
    "16:9": r"landscape|panorama|wide|skyline|horizon",
    "9:16": r"portrait|poster|tall|phone",
}


@lru_cache(maxsize=16)
def generate_image(prompt: str, aspect_ratio: str, resolution: str, variant: int = 0) -> bytes:
    """Return a PNG image, which is the same for the same arguments."""
    seed = hashlib.sha256(f"{variant}/{prompt}".encode("utf-8", "replace")).digest()
    width, height = image_size(prompt, aspect_ratio, resolution)
    gradient = Image.linear_gradient("L").resize((width, height))
    image = ImageOps.colorize(gradient, black=tuple(seed[:3]), white=tuple(seed[3:6]))
    font_size = max(GRID, min(width, height) // 22)
    lines = textwrap.wrap(prompt[:MAX_DRAWN], max(8, int(width * 0.85 / (font_size * 0.6))))[:8]
    ImageDraw.Draw(image).multiline_text(
        (width / 2, height / 2), "\n".join(lines), font=ImageFont.load_default(font_size),
        anchor="mm", align="center", fill="white", stroke_width=2, stroke_fill="black",
    )  # fmt: skip
    file = BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def image_size(prompt: str, aspect_ratio: str, resolution: str) -> tuple[int, int]:
    """Return width and height: the area depends on the resolution, their ratio on the aspect."""
    if aspect_ratio == "auto":
        text = prompt.lower()
        matches = (ratio for ratio, pattern in AUTO_RATIOS.items() if re.search(pattern, text))
        aspect_ratio = next(matches, "1:1")
    horizontal, vertical = (float(side) for side in aspect_ratio.split(":"))
    root = math.sqrt(horizontal / vertical)
    width, height = RESOLUTIONS[resolution] * root, RESOLUTIONS[resolution] / root
    return GRID * round(width / GRID), GRID * round(height / GRID)
