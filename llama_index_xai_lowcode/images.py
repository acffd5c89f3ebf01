"""Image generation, and image generation as a tool for agents."""

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Unpack

import httpx
from llama_index.core.base.llms.types import ImageBlock, TextBlock
from llama_index.core.tools import FunctionTool, ToolOutput
from llama_index.core.tools.tool_spec.base import BaseToolSpec

from llama_index_xai_lowcode._documents import to_image, with_image
from xai_lowcode._internal.credentials import credential_error, token_error
from xai_lowcode._internal.unknown_parameters import warn_unknown_parameters
from xai_lowcode._internal.validation import check_http_client
from xai_lowcode.api.endpoints import CREATE_IMAGE_GENERATION
from xai_lowcode.chat.image_editing import (
    ImageSource,
    build_edit_request,
    parse_edited_images,
    read_image,
)
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.chat.profiles import DEFAULT_MODEL
from xai_lowcode.errors import UsageError
from xai_lowcode.settings import ApiToken, ClientOptions, RateLimiter, Settings
from xai_lowcode.types.images import (
    DEFAULT_IMAGE_MODEL,
    IMAGE_ARGUMENTS,
    AspectRatio,
    Image,
    ImageBatch,
    ImageFormat,
    Quality,
    Resolution,
    build_image_request,
    summarize_images,
)
from xai_lowcode.types.messages import ImagePart

# Arguments that are not checked for credentials. The keys of ``extra_body`` are.
_KNOWN = IMAGE_ARGUMENTS - {"extra_body"}
_IN_BODY = "sent in the request body"


ImageSources = ImageSource | ImageBlock | Sequence[ImageSource | ImageBlock]
"""One image to edit, or a list: ``ImageBlock``, paths, URLs or bytes."""


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


class ImageOptions(ClientOptions, total=False):
    """Keyword arguments of ``XAIImageGenerator``: those of a client, of an image, and aliases."""

    api_key: ApiToken | None
    api_base: str | None
    async_http_client: httpx.AsyncClient | None
    n: int | None
    aspect_ratio: AspectRatio | None
    resolution: Resolution | None
    response_format: ImageFormat | None
    quality: Quality | None
    size: str | None
    user: str | None
    extra_body: Mapping[str, object] | None


class XAIImageGenerator:
    """Generates images from text prompts.

    Args:
        model: Name of the image model; default ``"grok-imagine-image"``.
        http_client: An ``httpx.Client`` for ``generate``.
        http_async_client: An ``httpx.AsyncClient`` for ``agenerate``.
        rate_limiter: Called before each request; see ``XAILowCode``.
        additional_kwargs: Defaults of the arguments of ``generate``, and further fields of the
            request body.
        arguments: ``api_token``, ``base_url``, ``timeout``, ``deadline``, ``max_retries``,
            ``max_concurrency``, ``proxy``, ``verify``, ``max_response_bytes``, ``url_format`` and
            ``allow_insecure_http``; see ``XAILowCode``. Arguments of ``generate`` such as
            ``quality`` become part of ``additional_kwargs``. Unknown ones do too, with a warning.

    Raises:
        UsageError: The token is missing or invalid, a setting has an invalid value, or an option is
            a credential.

    Example:
        >>> from llama_index.core.llms import ChatMessage, TextBlock
        >>> from llama_index_xai_lowcode import XAIImageGenerator
        >>> generator = XAIImageGenerator(api_token="at_r0123456789abcdef", quality="medium")
        >>> (image,) = generator.generate("A red fox in the snow")  # doctest: +SKIP
        >>> ChatMessage(blocks=[TextBlock(text="Describe it."), image])  # doctest: +SKIP
    """

    def __init__(
        self,
        model: str = DEFAULT_IMAGE_MODEL,
        *,
        http_client: httpx.Client | None = None,
        http_async_client: httpx.AsyncClient | None = None,
        rate_limiter: RateLimiter | None = None,
        additional_kwargs: Mapping[str, object] | None = None,
        **arguments: Unpack[ImageOptions],
    ) -> None:
        options: dict[str, Any] = {**arguments}
        arguments.clear()  # type: ignore[attr-defined]  # a dict
        api_token, base_url = options.pop("api_token", None), options.pop("base_url", None)
        api_key, api_base = options.pop("api_key", None), options.pop("api_base", None)
        async_http_client = options.pop("async_http_client", None)
        api_token = api_key if api_token is None else api_token
        base_url = api_base if base_url is None else base_url
        http_async_client = async_http_client if http_async_client is None else http_async_client
        moved = dict(additional_kwargs or {})
        error = (
            token_error({"model": model})
            or credential_error(options, known=_KNOWN | _SETTINGS)
            or _credential_error(moved)
        )
        if error is not None:
            # Error trackers record the variables of frames.
            options.clear()
            model, moved, additional_kwargs = "", {}, None
            raise error
        self.model = model
        for name in options.keys() - _SETTINGS:
            value = options.pop(name)
            if value is not None:
                moved.setdefault(name, value)
        moved_names = moved.keys() - (additional_kwargs or {}).keys()
        warn_unknown_parameters(
            moved_names,
            IMAGE_ARGUMENTS | _SETTINGS,
            destination="moved to additional_kwargs",
        )
        # The options are checked now; the prompt is that of a call.
        build_image_request(moved, {"prompt": "-"})
        self.additional_kwargs = moved
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
        n: int | None = None,
        aspect_ratio: AspectRatio | None = None,
        resolution: Resolution | None = None,
        response_format: ImageFormat | None = None,
        *,
        quality: Quality | None = None,
        **extra: Any,
    ) -> list[GeneratedImageBlock]:
        """Generate images.

        Args:
            prompt: Description of the image.
            n: Number of images, 1 to 10; default 1.
            aspect_ratio: ``"1:1"``, ``"16:9"``, ``"auto"`` and others; default is xAI's.
            resolution: ``"1k"`` or ``"2k"``, some models also ``"1.5k"``; default is xAI's.
            response_format: ``"url"``, the default, for temporary URLs, ``"b64_json"`` for the
                image data.
            quality: ``"low"``, ``"medium"`` or ``"auto"``, for models that have a choice.
            extra: ``model``, ``user``, OpenAI's ``size`` (``"1024x1024"``), and ``extra_body``, the
                further fields of the request body. Unknown arguments become such too, with a
                warning. Credentials are refused.

        Returns:
            One block for each image that passed xAI's moderation. A warning says how many did not.

        Raises:
            UsageError: The request is invalid; nothing was sent.
            ContentPolicyError: No image passed moderation.
            XAILowCodeError: The call failed.
        """
        options = (n, aspect_ratio, resolution, response_format, quality)
        body = self._build_body(prompt, dict(zip(_OPTIONS, options, strict=True)), extra)
        batch = self._chat_model.client.call(CREATE_IMAGE_GENERATION, body=body)
        return _to_blocks(batch, body["model"])

    async def agenerate(
        self,
        prompt: str,
        n: int | None = None,
        aspect_ratio: AspectRatio | None = None,
        resolution: Resolution | None = None,
        response_format: ImageFormat | None = None,
        *,
        quality: Quality | None = None,
        **extra: Any,
    ) -> list[GeneratedImageBlock]:
        """Generate images; see ``generate``."""
        options = (n, aspect_ratio, resolution, response_format, quality)
        body = self._build_body(prompt, dict(zip(_OPTIONS, options, strict=True)), extra)
        client = self._chat_model.async_client
        batch = await client.call(CREATE_IMAGE_GENERATION, body=body)
        return _to_blocks(batch, body["model"])

    def edit(
        self,
        prompt: str,
        sources: ImageSources,
        *,
        model: str = DEFAULT_MODEL,
    ) -> list[GeneratedImageBlock]:
        """Edit images: a chat model does so with the server-side tool ``image_generation``.

        The image options of the generator do not apply; say in the prompt what size you want. The
        images are returned as data.

        Args:
            prompt: What to change, or how to combine the images.
            sources: One image or a list of up to 5: ``ImageBlock``, paths, URLs or bytes.
            model: The chat model.

        Raises:
            UsageError: An argument is invalid; nothing was sent.
            ContentPolicyError: The model refused.
            XAILowCodeError: The call failed, or the response has no images.
        """
        request = build_edit_request(prompt, sources, model=model, read=_to_part)
        return _to_blocks(parse_edited_images(self._chat_model.generate(request)), model)

    async def aedit(
        self,
        prompt: str,
        sources: ImageSources,
        *,
        model: str = DEFAULT_MODEL,
    ) -> list[GeneratedImageBlock]:
        """Edit images; see ``edit``."""
        # Files are read.
        request = await asyncio.to_thread(
            build_edit_request, prompt, sources, model=model, read=_to_part
        )
        return _to_blocks(parse_edited_images(await self._chat_model.agenerate(request)), model)

    def close(self) -> None:
        """Close the connections of ``generate``. The generator can still be used."""
        self._chat_model.client.close()

    async def aclose(self) -> None:
        """Close the connections of ``agenerate`` in the running event loop."""
        await self._chat_model.async_client.aclose()

    def _build_body(
        self, prompt: str, options: dict[str, Any], extra: dict[str, Any]
    ) -> dict[str, Any]:
        # additional_kwargs can be changed after the constructor has checked them.
        if (
            error := _credential_error(extra) or _credential_error(self.additional_kwargs)
        ) is not None:
            extra.clear()
            raise error
        warn_unknown_parameters(extra, IMAGE_ARGUMENTS, destination=_IN_BODY, fields=_SETTINGS)
        given = {name: value for name, value in {**extra, **options}.items() if value is not None}
        return build_image_request(
            {"model": self.model}, self.additional_kwargs, given, {"prompt": prompt}
        ).render()


_OPTIONS = ("n", "aspect_ratio", "resolution", "response_format", "quality")
_SETTINGS = frozenset({*Settings.model_fields, "allow_insecure_http"})


def _credential_error(options: Mapping[str, Any]) -> UsageError | None:
    return credential_error(options, known=_KNOWN)


def _to_part(source: object, path: str) -> ImagePart:
    """Convert an ``ImageBlock``, or an image in another form; see ``read_image``."""
    part = to_image(source, path) if isinstance(source, ImageBlock) else source
    return read_image(part, path)


def _to_blocks(batch: ImageBatch, model: str) -> list[GeneratedImageBlock]:
    return [_to_block(image, batch.describe(image, model=model)) for image in batch.images]


def _to_block(image: Image, details: dict[str, Any]) -> GeneratedImageBlock:
    block = GeneratedImageBlock(url=image.url, image_mimetype=image.mime_type, **details)
    if image.url is None and image.base64 is not None:
        return with_image(block, image.base64)
    return block


class XAIImageToolSpec(BaseToolSpec):
    """The tool ``generate_image``, for agents and ``chat_with_tools``.

    The model receives the URLs of the images; the blocks are the ``raw_output`` of the
    tool.

    Args:
        generator: Generates the images. Default: a new ``XAIImageGenerator``.
        show: Whether the model receives the images too, as input tokens. Default False.
        options: Arguments of ``generate``, for instance ``response_format="b64_json"``. The model
            chooses ``n`` and ``aspect_ratio``; these are used if it does not.

    Raises:
        UsageError: An option has an invalid value, or is a credential.

    Example:
        >>> from llama_index_xai_lowcode import XAIImageGenerator, XAIImageToolSpec
        >>> generator = XAIImageGenerator(api_token="at_r0123456789abcdef")
        >>> (tool,) = XAIImageToolSpec(generator).to_tool_list()
        >>> tool.metadata.name
        'generate_image'
        >>> agent = FunctionAgent(tools=[tool], llm=llm)  # doctest: +SKIP
    """

    spec_functions = [("generate_image", "agenerate_image")]  # noqa: RUF012 - as in the base class

    def __init__(
        self, generator: XAIImageGenerator | None = None, *, show: bool = False, **options: Any
    ) -> None:
        if (error := _credential_error(options)) is not None:
            # Error trackers record the variables of frames.
            options.clear()
            raise error
        warn_unknown_parameters(
            options, IMAGE_ARGUMENTS, destination=_IN_BODY, fields={"show", *_SETTINGS}
        )
        build_image_request(options, {"prompt": "-"})
        known = {name: options.pop(name) for name in options.keys() & _KNOWN}
        # Unknown options have been warned of.
        extra_body = {**options, **(options.pop("extra_body", None) or {})}
        self._generator = XAIImageGenerator() if generator is None else generator
        self._show = show
        self._options = {**known, **({"extra_body": extra_body} if extra_body else {})}

    def generate_image(
        self, prompt: str, n: int | None = None, aspect_ratio: AspectRatio | None = None
    ) -> list[GeneratedImageBlock]:
        """Generate images from a text prompt.

        Args:
            prompt (str): Detailed description of the image to generate.
            n (int): Number of images, 1 to 10.
            aspect_ratio (str): Aspect ratio.
        """
        return self._generator.generate(prompt, **self._merge(n, aspect_ratio))

    async def agenerate_image(
        self, prompt: str, n: int | None = None, aspect_ratio: AspectRatio | None = None
    ) -> list[GeneratedImageBlock]:
        """Generate images from a text prompt; see ``generate_image``."""
        return await self._generator.agenerate(prompt, **self._merge(n, aspect_ratio))

    def _merge(self, n: int | None, aspect_ratio: AspectRatio | None) -> dict[str, Any]:
        given = {"n": n, "aspect_ratio": aspect_ratio}
        return self._options | {name: value for name, value in given.items() if value is not None}

    def to_tool_list(self, *args: Any, **kwargs: Any) -> list[FunctionTool]:
        """Return the tool, whose output is a text for the model and the images."""
        return [
            FunctionTool(
                _drop_unknown(tool.fn),
                tool.metadata,
                _drop_unknown(tool.async_fn),
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


def _drop_unknown(function: Callable[..., Any]) -> Callable[..., Any]:
    """Drop arguments that a model invented, with a warning.

    They do not choose what the developer has to pay.
    """
    names = inspect.signature(function).parameters.keys()

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        warn_unknown_parameters(kwargs, names, destination="dropped")
        known = {name: value for name, value in kwargs.items() if name in names}
        return function(*args, **known)

    return call
