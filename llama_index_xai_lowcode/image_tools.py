"""Drawing as a tool, so that an agent can be asked for a picture."""

from collections.abc import Sequence
from typing import Any

from llama_index.core.base.llms.types import ImageBlock, TextBlock
from llama_index.core.tools import FunctionTool, ToolOutput
from llama_index.core.tools.tool_spec.base import BaseToolSpec

from llama_index_xai_lowcode.images import XAIImageGenerator


class XAIImageToolSpec(BaseToolSpec):
    """The tool ``generate_image``, for agents and for ``chat_with_tools``.

    The model is told the addresses of the pictures; the ``ImageBlock``s themselves are in the
    tool's ``raw_output``. With ``show`` the model is given them to look at.

    Args:
        generator: What makes the pictures; its token, address and model are its own.
        show: Whether the model sees what was made; pictures cost context. Default False.
        options: Arguments of every order that the model does not choose, such as
            ``response_format="b64_json"``.

    Example:
        >>> from llama_index_xai_lowcode import XAIImageGenerator, XAIImageToolSpec
        >>> painter = XAIImageGenerator(api_token="at_r0123456789abcdef")
        >>> (tool,) = XAIImageToolSpec(painter).to_tool_list()
        >>> tool.metadata.name
        'generate_image'
        >>> agent = FunctionAgent(tools=[tool], llm=llm)  # doctest: +SKIP
    """

    spec_functions = [("generate_image", "agenerate_image")]  # noqa: RUF012 - the base's own form

    def __init__(self, generator: XAIImageGenerator, *, show: bool = False, **options: Any) -> None:
        self._generator = generator
        self._show = show
        self._options = options

    def generate_image(
        self, prompt: str, n: int = 1, aspect_ratio: str | None = None
    ) -> list[ImageBlock]:
        """Draws pictures from a description.

        Args:
            prompt (str): What is to be seen, in words.
            n (int): How many pictures, 1 to 10.
            aspect_ratio (str): Width to height, such as "1:1" or "16:9".
        """
        return self._generator.generate(prompt, n, aspect_ratio, **self._options)

    async def agenerate_image(
        self, prompt: str, n: int = 1, aspect_ratio: str | None = None
    ) -> list[ImageBlock]:
        """Draws pictures from a description; see ``generate_image``."""
        return await self._generator.agenerate(prompt, n, aspect_ratio, **self._options)

    def to_tool_list(self, *args: Any, **kwargs: Any) -> list[FunctionTool]:
        """The tool, which tells the model in words what was made."""
        return [
            FunctionTool(
                tool.fn, tool.metadata, tool.async_fn, callback=self._told, partial_params=None
            )
            for tool in super().to_tool_list(*args, **kwargs)
        ]

    def _told(self, pictures: Sequence[ImageBlock]) -> ToolOutput:
        said = "\n".join(f"Picture {i + 1}: {_place(p)}" for i, p in enumerate(pictures))
        return ToolOutput(
            blocks=[TextBlock(text=said), *(pictures if self._show else ())],
            tool_name="generate_image",
            raw_input={},
            raw_output=list(pictures),
        )


def _place(picture: ImageBlock) -> str:
    return str(picture.url) if picture.url else f"{picture.image_mimetype}, kept as data"
