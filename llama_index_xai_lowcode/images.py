"""Pictures by Grok as LlamaIndex's image blocks, which go straight back into a conversation."""

from typing import Any, Literal

from llama_index.core.base.llms.types import ImageBlock
from pydantic import SecretStr

from xai_lowcode.credentials import credential_error
from xai_lowcode.gateway_model import GatewayModel
from xai_lowcode.images import DEFAULT_IMAGE_MODEL, Image, ImageBatch, ImageRequest
from xai_lowcode.operations import CREATE_IMAGE_GENERATION
from xai_lowcode.settings import Settings
from xai_lowcode.validation import check_http_client


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
        self._gateway = GatewayModel(
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
