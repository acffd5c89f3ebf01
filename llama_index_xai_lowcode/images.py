"""Drawing as a tool, so that an agent can be asked for a picture."""

from collections.abc import Sequence
from typing import Any, Literal

from llama_index.core.base.llms.types import ImageBlock, TextBlock
from llama_index.core.tools import FunctionTool, ToolOutput
from llama_index.core.tools.tool_spec.base import BaseToolSpec
from pydantic import SecretStr

from xai_lowcode._internal.credentials import credential_error
from xai_lowcode._internal.validation import check_http_client
from xai_lowcode.api.endpoints import CREATE_IMAGE_GENERATION
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.settings import Settings
from xai_lowcode.types.images import DEFAULT_IMAGE_MODEL, Image, ImageBatch, ImageRequest


class XAIImageGenerator:
    """Makes pictures from words.

    Args:
        model: Name of the image model; default ``"grok-imagine-image"``.
        api_token: LowCodeAPI's token (``at_…``); default ``LOWCODEAPI_API_TOKEN``.
        base_url: The gateway's address; default ``LOWCODEAPI_BASE_URL``.
        http_client: An ``httpx.Client`` to send with.
        async_http_client: An ``httpx.AsyncClient`` to send with.
        rate_limiter: Asked before each request, as ``XAILowCode`` takes it.
        options: ``timeout``, ``deadline``, ``max_retries``, ``max_concurrency``, ``proxy``,
            ``verify``, ``max_response_bytes``, ``url_format`` and ``allow_insecure_http``, as
            ``XAILowCode`` takes them.

    Raises:
        UsageError: There is no token, or it cannot be one; a setting has an impossible value, or
            an unknown option is or holds a credential.

    Example:
        >>> from llama_index.core.llms import ChatMessage, TextBlock
        >>> from llama_index_xai_lowcode import XAIImageGenerator
        >>> painter = XAIImageGenerator(api_token="at_r0123456789abcdef")
        >>> (fox,) = painter.generate("A red fox in the snow")  # doctest: +SKIP
        >>> ChatMessage(blocks=[TextBlock(text="Describe it."), fox])  # doctest: +SKIP
    """

    def __init__(
        self,
        model: str = DEFAULT_IMAGE_MODEL,
        *,
        api_token: SecretStr | str | None = None,
        base_url: str | None = None,
        http_client: Any = None,
        async_http_client: Any = None,
        rate_limiter: Any = None,
        **options: Any,
    ) -> None:
        self.model = model
        if (refusal := credential_error(options, known=Settings.model_fields)) is not None:
            # What reports errors shows the variables of frames.
            options.clear()
            raise refusal
        settings = Settings.create(api_token=api_token, base_url=base_url, **options)
        for field, client in (
            ("http_client", http_client),
            ("async_http_client", async_http_client),
        ):
            check_http_client(
                client,
                field=field,
                is_async=field.startswith("async"),
                proxy=settings.proxy,
                verify=settings.verify,
            )
        self._gateway = ChatModel(
            settings,
            http_client=http_client,
            http_async_client=async_http_client,
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
        response_format: Literal["url", "b64_json"] = "url",
        **extra: Any,
    ) -> list[ImageBlock]:
        """Makes pictures.

        Args:
            prompt: What is to be seen.
            n: How many pictures, 1 to 10.
            aspect_ratio: ``"1:1"``, ``"16:9"``, ``"auto"`` and others; None for the default.
            resolution: ``"1k"`` or ``"2k"``; None for the default.
            response_format: ``"url"`` for addresses that work for a short time, ``"b64_json"`` for
                the pictures themselves.
            extra: Further members of the request body; credentials are refused.

        Returns:
            One block for each picture that passed xAI's moderation.

        Raises:
            UsageError: The order cannot be made; nothing was sent.
            ContentPolicyError: Moderation held all pictures back.
            XAILowCodeError: The call failed.
        """
        if (refusal := credential_error(extra)) is not None:
            extra.clear()
            raise refusal
        order = self._order(
            prompt=prompt,
            n=n,
            aspect_ratio=aspect_ratio,
            resolution=resolution,
            response_format=response_format,
            extra=extra,
        )
        return _blocks(self._gateway.client.call(CREATE_IMAGE_GENERATION, body=order))

    async def agenerate(
        self,
        prompt: str,
        n: int = 1,
        aspect_ratio: str | None = None,
        resolution: str | None = None,
        response_format: Literal["url", "b64_json"] = "url",
        **extra: Any,
    ) -> list[ImageBlock]:
        """Makes pictures; see ``generate``."""
        if (refusal := credential_error(extra)) is not None:
            extra.clear()
            raise refusal
        order = self._order(
            prompt=prompt,
            n=n,
            aspect_ratio=aspect_ratio,
            resolution=resolution,
            response_format=response_format,
            extra=extra,
        )
        return _blocks(await self._gateway.async_client.call(CREATE_IMAGE_GENERATION, body=order))

    def close(self) -> None:
        """Closes the connections of ``generate``."""
        self._gateway.client.close()

    async def aclose(self) -> None:
        """Closes the connections that ``agenerate`` has in the running event loop."""
        await self._gateway.async_client.aclose()

    def _order(self, **fields: Any) -> dict[str, Any]:
        return ImageRequest(model=self.model, **fields).render()


def _blocks(batch: ImageBatch) -> list[ImageBlock]:
    return [_block(image) for image in batch.images]


def _block(image: Image) -> ImageBlock:
    if image.url is not None:
        return ImageBlock(url=image.url, image_mimetype=image.mime_type)
    return ImageBlock(image=image.content, image_mimetype=image.mime_type)


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
