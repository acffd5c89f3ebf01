"""``XAIImageGenerationTool``: an agent's tool that makes pictures with Grok."""

from typing import Annotated, Any, Literal

from langchain_core.messages.content import ImageContentBlock
from langchain_core.tools import BaseTool
from pydantic import BaseModel, Field

from langchain_xai_lowcode._connection import Connection
from langchain_xai_lowcode._errors import langchain_errors
from langchain_xai_lowcode.images import apaint, paint
from xai_lowcode.images import DEFAULT_IMAGE_MODEL, MOST_IMAGES, ImageFormat, ImageRequest

Answer = tuple[str, list[ImageContentBlock]]


class ImageWish(BaseModel):
    """What a model may say when it orders pictures."""

    prompt: Annotated[str, Field(description="What is to be seen, in full sentences.")]
    n: Annotated[int, Field(ge=1, le=MOST_IMAGES, description="How many pictures.")] = 1
    aspect_ratio: Annotated[
        str | None, Field(description="Width to height, for instance '1:1', '16:9' or '9:16'.")
    ] = None


class XAIImageGenerationTool(Connection, BaseTool):
    """Makes pictures when a model asks for them.

    The model reads one line: how many pictures there are, and where, if they have addresses. The
    pictures themselves are the ``artifact`` of the tool message, as standard image blocks.

    Setup:
        ``pip install 'xai-lowcode[langchain]'``, and the token of your LowCodeAPI account in
        ``LOWCODEAPI_API_TOKEN``.

    Key init args — picture params:
        model: Name of the image model.
        resolution: ``"1k"`` or ``"2k"``.
        image_format: ``"url"``, the default, or ``"b64_json"`` for the pictures themselves.

    Key init args — client params:
        api_token, base_url, timeout, max_retries, …: As those of ``ChatXAILowCode``.

    Instantiate:
        ```python
        from langchain_xai_lowcode import XAIImageGenerationTool

        tool = XAIImageGenerationTool(resolution="1k")
        ```

    Invoke:
        ```python
        print(tool.invoke({"prompt": "A fox in the snow", "n": 2}))
        ```

    In an agent:
        ```python
        from langchain.agents import create_agent
        from langchain_xai_lowcode import ChatXAILowCode

        agent = create_agent(ChatXAILowCode(), [tool])
        answer = agent.invoke({"messages": "Use generate_image: 'a fox'."})
        print(answer["messages"][-2].artifact[0]["type"])  # image
        ```
    """

    name: str = "generate_image"
    description: str = "Draw pictures from a description in words."
    args_schema: Any = ImageWish
    response_format: Literal["content", "content_and_artifact"] = "content_and_artifact"

    model: str = Field(default=DEFAULT_IMAGE_MODEL, min_length=1)
    """Name of the image model."""

    resolution: str | None = None
    """``"1k"`` or ``"2k"``."""

    image_format: ImageFormat = "url"
    """``"url"`` for addresses that soon expire, ``"b64_json"`` for the pictures themselves."""

    def _run(self, prompt: str, n: int = 1, aspect_ratio: str | None = None) -> Answer:
        with langchain_errors():
            return _answer(paint(self._gateway, self._order(prompt, n, aspect_ratio)))

    async def _arun(self, prompt: str, n: int = 1, aspect_ratio: str | None = None) -> Answer:
        with langchain_errors():
            return _answer(await apaint(self._gateway, self._order(prompt, n, aspect_ratio)))

    def _order(self, prompt: str, n: int, aspect_ratio: str | None) -> ImageRequest:
        return ImageRequest(
            prompt=prompt,
            model=self.model,
            n=n,
            aspect_ratio=aspect_ratio,
            resolution=self.resolution,
            response_format=self.image_format,
        )

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """LangChain dumps no tools."""
        return False


def _answer(pictures: list[ImageContentBlock]) -> Answer:
    """A line for the model, which must never read the pictures' data, and the pictures."""
    made = f"Generated {len(pictures)} image{'' if len(pictures) == 1 else 's'}"
    addresses = " ".join(picture["url"] for picture in pictures if "url" in picture)
    return (f"{made}: {addresses}" if addresses else f"{made}."), pictures
