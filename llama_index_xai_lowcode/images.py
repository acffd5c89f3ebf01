"""Image generation, and image generation as a tool for agents."""

from collections.abc import Sequence
from typing import Any

from llama_index.core.base.llms.types import ImageBlock, TextBlock
from llama_index.core.tools import FunctionTool, ToolOutput
from llama_index.core.tools.tool_spec.base import BaseToolSpec
from pydantic import SecretStr

from xai_lowcode._internal.credentials import credential_error
from xai_lowcode._internal.validation import check_http_client
from xai_lowcode.api.endpoints import CREATE_IMAGE_GENERATION
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.settings import Settings
from xai_lowcode.types.images import (
    DEFAULT_IMAGE_MODEL,
    Image,
    ImageBatch,
    ImageFormat,
    ImageRequest,
    summarize_images,
)


class GeneratedImageBlock(ImageBlock):
    """A generated image: an ``ImageBlock`` with what xAI reports about it.

    Attributes:
        model: The image model.
        revised_prompt: The prompt as the service rewrote it; None if it did not return it.
        cost_usd: The image's share of the cost of the request in US dollars; None likewise.
        blocked: Number of images of the request that moderation withheld.
    """

    model: str = ""
    revised_prompt: str | None = None
    cost_usd: float | None = None
    blocked: int = 0


class XAIImageGenerator:
    """Generates images from text prompts.

    Args:
        model: Name of the image model; default ``"grok-imagine-image"``.
        api_token: LowCodeAPI token (``at_…``); default ``LOWCODEAPI_API_TOKEN``.
        base_url: Base URL of the gateway; default ``LOWCODEAPI_BASE_URL``.
        http_client: An ``httpx.Client`` for ``generate``.
        http_async_client: An ``httpx.AsyncClient`` for ``agenerate``.
        rate_limiter: Called before each request; see ``XAILowCode``.
        options: ``timeout``, ``deadline``, ``max_retries``, ``max_concurrency``, ``proxy``,
            ``verify``, ``max_response_bytes``, ``url_format`` and ``allow_insecure_http``; see
            ``XAILowCode``.

    Raises:
        UsageError: The token is missing or invalid, a setting has an invalid value, or an option is
            unknown or a credential.

    Example:
        >>> from llama_index.core.llms import ChatMessage, TextBlock
        >>> from llama_index_xai_lowcode import XAIImageGenerator
        >>> generator = XAIImageGenerator(api_token="at_r0123456789abcdef")
        >>> (image,) = generator.generate("A red fox in the snow")  # doctest: +SKIP
        >>> ChatMessage(blocks=[TextBlock(text="Describe it."), image])  # doctest: +SKIP
    """

    def __init__(
        self,
        model: str = DEFAULT_IMAGE_MODEL,
        *,
        api_token: SecretStr | str | None = None,
        base_url: str | None = None,
        http_client: Any = None,
        http_async_client: Any = None,
        rate_limiter: Any = None,
        **options: Any,
    ) -> None:
        self.model = model
        if (error := credential_error(options, known=Settings.model_fields)) is not None:
            # Error trackers record the variables of frames.
            options.clear()
            raise error
        settings = Settings.create(api_token=api_token, base_url=base_url, **options)
        for field, client, is_async in (
            ("http_client", http_client, False),
            ("http_async_client", http_async_client, True),
        ):
            check_http_client(
                client,
                field=field,
                is_async=is_async,
                proxy=settings.proxy,
                verify=settings.verify,
            )
        self._chat_model = ChatModel(
            settings,
            http_client=http_client,
            http_async_client=http_async_client,
            rate_limiter=rate_limiter,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}(model={self.model!r})"

    def generate(
        self,
        prompt: str,
        n: int = 1,
        aspect_ratio: str | None = None,
        resolution: str | None = None,
        response_format: ImageFormat = "url",
        **extra: Any,
    ) -> list[GeneratedImageBlock]:
        """Generate images.

        Args:
            prompt: Description of the image.
            n: Number of images, 1 to 10.
            aspect_ratio: ``"1:1"``, ``"16:9"``, ``"auto"`` and others; default is xAI's.
            resolution: ``"1k"`` or ``"2k"``; default is xAI's.
            response_format: ``"url"`` for temporary URLs, ``"b64_json"`` for the image data.
            extra: Further fields of the request body; credentials are refused.

        Returns:
            One block for each image that passed xAI's moderation. A warning says how many did not.

        Raises:
            UsageError: The request is invalid; nothing was sent.
            ContentPolicyError: No image passed moderation.
            XAILowCodeError: The call failed.
        """
        body = self._build_body(prompt, n, aspect_ratio, resolution, response_format, extra)
        batch = self._chat_model.client.call(CREATE_IMAGE_GENERATION, body=body)
        return _to_blocks(batch, body["model"])

    async def agenerate(
        self,
        prompt: str,
        n: int = 1,
        aspect_ratio: str | None = None,
        resolution: str | None = None,
        response_format: ImageFormat = "url",
        **extra: Any,
    ) -> list[GeneratedImageBlock]:
        """Generate images; see ``generate``."""
        body = self._build_body(prompt, n, aspect_ratio, resolution, response_format, extra)
        client = self._chat_model.async_client
        batch = await client.call(CREATE_IMAGE_GENERATION, body=body)
        return _to_blocks(batch, body["model"])

    def close(self) -> None:
        """Close the connections of ``generate``. The generator can still be used."""
        self._chat_model.client.close()

    async def aclose(self) -> None:
        """Close the connections of ``agenerate`` in the running event loop."""
        await self._chat_model.async_client.aclose()

    def _build_body(  # noqa: PLR0917 - the arguments of generate
        self,
        prompt: str,
        n: int,
        aspect_ratio: str | None,
        resolution: str | None,
        response_format: ImageFormat,
        extra: dict[str, Any],
    ) -> dict[str, Any]:
        if (error := credential_error(extra)) is not None:
            extra.clear()
            raise error
        return ImageRequest(
            model=self.model,
            prompt=prompt,
            n=n,
            aspect_ratio=aspect_ratio,
            resolution=resolution,
            response_format=response_format,
            extra=extra,
        ).render()


def _to_blocks(batch: ImageBatch, model: str) -> list[GeneratedImageBlock]:
    return [_to_block(image, batch.describe(image, model=model)) for image in batch.images]


def _to_block(image: Image, details: dict[str, Any]) -> GeneratedImageBlock:
    source = {"image": image.content} if image.url is None else {"url": image.url}
    return GeneratedImageBlock(**source, image_mimetype=image.mime_type, **details)


class XAIImageToolSpec(BaseToolSpec):
    """The tool ``generate_image``, for agents and ``chat_with_tools``.

    The model receives the URLs of the images; the blocks are the ``raw_output`` of the
    tool.

    Args:
        generator: Generates the images.
        show: Whether the model receives the images too, as input tokens. Default False.
        options: Arguments of ``generate`` that the model does not choose, for instance
            ``response_format="b64_json"``.

    Example:
        >>> from llama_index_xai_lowcode import XAIImageGenerator, XAIImageToolSpec
        >>> generator = XAIImageGenerator(api_token="at_r0123456789abcdef")
        >>> (tool,) = XAIImageToolSpec(generator).to_tool_list()
        >>> tool.metadata.name
        'generate_image'
        >>> agent = FunctionAgent(tools=[tool], llm=llm)  # doctest: +SKIP
    """

    spec_functions = [("generate_image", "agenerate_image")]  # noqa: RUF012 - as in the base class

    def __init__(self, generator: XAIImageGenerator, *, show: bool = False, **options: Any) -> None:
        self._generator = generator
        self._show = show
        self._options = options

    def generate_image(
        self, prompt: str, n: int = 1, aspect_ratio: str | None = None
    ) -> list[GeneratedImageBlock]:
        """Generate images from a text prompt.

        Args:
            prompt (str): Detailed description of the image to generate.
            n (int): Number of images, 1 to 10.
            aspect_ratio (str): Aspect ratio, one of 1:1, 3:4, 4:3, 9:16, 16:9, 2:3, 3:2, 1:2, 2:1.
        """
        return self._generator.generate(prompt, n, aspect_ratio, **self._options)

    async def agenerate_image(
        self, prompt: str, n: int = 1, aspect_ratio: str | None = None
    ) -> list[GeneratedImageBlock]:
        """Generate images from a text prompt; see ``generate_image``."""
        return await self._generator.agenerate(prompt, n, aspect_ratio, **self._options)

    def to_tool_list(self, *args: Any, **kwargs: Any) -> list[FunctionTool]:
        """Return the tool, whose output is a text for the model and the images."""
        return [
            FunctionTool(
                tool.fn,
                tool.metadata,
                tool.async_fn,
                callback=self._to_tool_output,
                partial_params=None,
            )
            for tool in super().to_tool_list(*args, **kwargs)
        ]

    def _to_tool_output(self, images: Sequence[GeneratedImageBlock]) -> ToolOutput:
        urls = [str(image.url) for image in images if image.url]
        text = summarize_images(len(images), urls, images[0].blocked if images else 0)
        return ToolOutput(
            blocks=[TextBlock(text=text), *(images if self._show else ())],
            tool_name="generate_image",
            raw_input={},
            raw_output=list(images),
        )
