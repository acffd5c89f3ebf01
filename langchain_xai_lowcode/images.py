"""Image generation: ``XAIImageGenerator``, a runnable, and ``XAIImageGenerationTool``, a tool."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from langchain_core.messages.content import ImageContentBlock, create_image_block
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import Runnable, RunnableConfig, RunnableSerializable
from langchain_core.runnables.config import ensure_config
from langchain_core.tools import BaseTool
from pydantic import BaseModel, Field

from langchain_xai_lowcode._client_fields import FOREIGN_ARGS, ClientFields
from langchain_xai_lowcode._errors import langchain_errors
from xai_lowcode._internal.credentials import credential_error
from xai_lowcode.api.endpoints import CREATE_IMAGE_GENERATION
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.errors import UsageError
from xai_lowcode.types.images import (
    DEFAULT_IMAGE_MODEL,
    MAX_IMAGES,
    ImageBatch,
    ImageFormat,
    ImageRequest,
    summarize_images,
)

ImageInput = str | Mapping[str, Any] | PromptValue
ToolOutput = tuple[str, list[ImageContentBlock]]

_OPTIONS = ("n", "aspect_ratio", "resolution", "response_format", "model")
# Options that are not checked for credentials.
_KNOWN_OPTIONS = frozenset({"prompt", *_OPTIONS})


class XAIImageGenerator(ClientFields, RunnableSerializable[ImageInput, list[ImageContentBlock]]):
    """Runnable that generates images from a text prompt.

    The input is a prompt, or a dict with ``prompt`` and the options below. The output is a list of
    image blocks, which can be the content of a message. The ``extras`` of a block have the model,
    and if xAI reports them the revised prompt, the image's share of the cost (``cost_usd``) and the
    number of images that moderation withheld (``blocked``).

    Setup:
        ``pip install 'xai-lowcode[langchain]'``, and set ``LOWCODEAPI_API_TOKEN`` to the token of
        your LowCodeAPI account.

    Key init args — image params:
        model: Name of the image model.
        n: Number of images, 1 to 10. Default: 1.
        aspect_ratio: ``"1:1"``, ``"16:9"``, ``"auto"`` and others.
        resolution: ``"1k"`` or ``"2k"``.
        response_format: ``"url"``, the default, or ``"b64_json"`` for image data.

    Key init args — client params:
        api_token, base_url, timeout, max_retries, …: As in ``ChatXAILowCode``.

    Instantiate:
        ```python
        from langchain_xai_lowcode import XAIImageGenerator

        generator = XAIImageGenerator(response_format="b64_json")
        ```

    Invoke:
        ```python
        import base64
        from pathlib import Path

        (image,) = generator.invoke("A lighthouse at dawn")
        Path("lighthouse.png").write_bytes(base64.b64decode(image["base64"]))
        print(image["mime_type"])
        ```

    Options of a call:
        ```python
        print(len(generator.invoke({"prompt": "A fox", "n": 2, "aspect_ratio": "16:9"})))
        print(len(generator.invoke("An owl", n=3)))
        ```

    Async and batches:
        ```python
        import asyncio

        print(len(asyncio.run(generator.abatch(["A fox", "An owl"], {"max_concurrency": 2}))))
        ```

    In a chain:
        ```python
        from langchain_core.messages import HumanMessage
        from langchain_xai_lowcode import ChatXAILowCode

        chain = generator | (lambda blocks: [HumanMessage(blocks)]) | ChatXAILowCode()
        print(chain.invoke("A fox").text)
        ```
    """

    model: str = Field(default=DEFAULT_IMAGE_MODEL, min_length=1)
    """Name of the image model, sent unchanged."""

    n: int = 1
    """Number of images, 1 to 10. Default: 1."""

    aspect_ratio: str | None = None
    """``"1:1"``, ``"16:9"``, ``"auto"`` and others. Default: the model's."""

    resolution: str | None = None
    """``"1k"`` or ``"2k"``. Default: the model's."""

    response_format: ImageFormat = "url"
    """``"url"`` for URLs, which expire soon, or ``"b64_json"`` for image data."""

    def invoke(
        self,
        input: ImageInput,  # noqa: A002 - the base's signature
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> list[ImageContentBlock]:
        """Generate images from a text prompt.

        Args:
            input: The prompt, or a dict with ``prompt`` and options.
            config: LangChain's configuration of the run.
            kwargs: Options of this call.

        Raises:
            UsageError: An option is invalid; nothing was sent.
            XAILowCodeError: The request failed, or moderation rejected the images.
        """
        if (error := _credential_error(input, kwargs)) is not None:
            # Error reporters show the variables of frames.
            input = ""  # noqa: A001 - as above
            kwargs.clear()
            with langchain_errors():
                raise error
        return self._call_with_config(self._generate, input, ensure_config(config), **kwargs)

    async def ainvoke(
        self,
        input: ImageInput,  # noqa: A002 - the base's signature
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> list[ImageContentBlock]:
        """Generate images from a text prompt; see ``invoke``."""
        if (error := _credential_error(input, kwargs)) is not None:
            input = ""  # noqa: A001 - as above
            kwargs.clear()
            with langchain_errors():
                raise error
        return await self._acall_with_config(
            self._agenerate, input, ensure_config(config), **kwargs
        )

    def bind(self, **kwargs: Any) -> Runnable[ImageInput, list[ImageContentBlock]]:
        """Bind options, as LangChain does; credentials are refused at once.

        Args:
            kwargs: Options of the calls.

        Raises:
            UsageError: An option is or holds a credential.
        """
        if (error := _credential_error("", kwargs)) is not None:
            kwargs.clear()
            with langchain_errors():
                raise error
        return super().bind(**kwargs)

    def _generate(self, prompt: ImageInput, **options: Any) -> list[ImageContentBlock]:
        with langchain_errors():
            return generate(self._gateway, self._build_request(prompt, options))

    async def _agenerate(self, prompt: ImageInput, **options: Any) -> list[ImageContentBlock]:
        with langchain_errors():
            return await agenerate(self._gateway, self._build_request(prompt, options))

    def _build_request(self, prompt: ImageInput, options: Mapping[str, Any]) -> ImageRequest:
        match prompt:
            case str():
                input_options: dict[str, Any] = {"prompt": prompt}
            case PromptValue():
                input_options = {"prompt": prompt.to_string()}
            case Mapping():
                input_options = dict(prompt)
            case _:
                raise UsageError(
                    f"input: expected a prompt or a dict, got {type(prompt).__name__}.",
                    field="input",
                )
        fields = {name: getattr(self, name) for name in _OPTIONS}
        merged = {"prompt": "", **fields, **input_options, **options}
        known = {name: merged.pop(name) for name in _KNOWN_OPTIONS}
        return ImageRequest(**known, extra=merged)


def _credential_error(prompt: ImageInput, options: Mapping[str, Any]) -> UsageError | None:
    """Return an error if an option is or holds a credential, before a tracer gets it."""
    input_options = prompt if isinstance(prompt, Mapping) else {}
    return credential_error({**input_options, **options}, known=_KNOWN_OPTIONS, hints=FOREIGN_ARGS)


def generate(gateway: ChatModel, request: ImageRequest) -> list[ImageContentBlock]:
    """Send an image request, and return the images as content blocks."""
    batch = gateway.client.call(CREATE_IMAGE_GENERATION, body=request.render())
    return _to_blocks(batch, request)


async def agenerate(gateway: ChatModel, request: ImageRequest) -> list[ImageContentBlock]:
    """Send an image request, and return the images as content blocks; see ``generate``."""
    batch = await gateway.async_client.call(CREATE_IMAGE_GENERATION, body=request.render())
    return _to_blocks(batch, request)


def _to_blocks(batch: ImageBatch, request: ImageRequest) -> list[ImageContentBlock]:
    return [
        create_image_block(
            url=image.url,
            base64=image.base64,
            mime_type=image.mime_type,
            **batch.describe(image, model=request.model),
        )
        for image in batch.images
    ]


class ImageToolInput(BaseModel):
    """Arguments of the tool, which the model sets."""

    prompt: Annotated[str, Field(description="Detailed description of the image to generate.")]
    n: Annotated[int, Field(ge=1, le=MAX_IMAGES, description="Number of images to generate.")] = 1
    aspect_ratio: Annotated[
        str | None,
        Field(
            description=(
                "Aspect ratio, one of '1:1', '3:4', '4:3', '9:16', '16:9', '2:3', '3:2', '9:19.5',"
                " '19.5:9', '9:20', '20:9', '1:2', '2:1' or 'auto'."
            )
        ),
    ] = None


class XAIImageGenerationTool(ClientFields, BaseTool):
    """Tool with which a model generates images.

    The content of the tool message is one line: the number of images, how many were withheld by
    moderation, and their URLs if they have any. The images are the ``artifact`` of the tool
    message, as standard image blocks.

    Setup:
        ``pip install 'xai-lowcode[langchain]'``, and set ``LOWCODEAPI_API_TOKEN`` to the token of
        your LowCodeAPI account.

    Key init args — image params:
        model: Name of the image model.
        resolution: ``"1k"`` or ``"2k"``.
        image_format: ``"url"``, the default, or ``"b64_json"`` for image data.

    Key init args — client params:
        api_token, base_url, timeout, max_retries, …: As in ``ChatXAILowCode``.

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
        state = agent.invoke({"messages": "Use generate_image: 'a fox'."})
        print(state["messages"][-2].artifact[0]["type"])  # image
        ```
    """

    name: str = "generate_image"
    description: str = "Generate images from a text prompt."
    args_schema: Any = ImageToolInput
    response_format: Literal["content", "content_and_artifact"] = "content_and_artifact"

    model: str = Field(default=DEFAULT_IMAGE_MODEL, min_length=1)
    """Name of the image model, sent unchanged."""

    resolution: str | None = None
    """``"1k"`` or ``"2k"``. Default: the model's."""

    image_format: ImageFormat = "url"
    """``"url"`` for URLs, which expire soon, or ``"b64_json"`` for image data."""

    def _run(self, prompt: str, n: int = 1, aspect_ratio: str | None = None) -> ToolOutput:
        with langchain_errors():
            request = self._build_request(prompt, n, aspect_ratio)
            return _to_tool_output(generate(self._gateway, request))

    async def _arun(self, prompt: str, n: int = 1, aspect_ratio: str | None = None) -> ToolOutput:
        with langchain_errors():
            request = self._build_request(prompt, n, aspect_ratio)
            return _to_tool_output(await agenerate(self._gateway, request))

    def _build_request(self, prompt: str, n: int, aspect_ratio: str | None) -> ImageRequest:
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
        """Return False: LangChain does not dump tools."""
        return False


def _to_tool_output(images: list[ImageContentBlock]) -> ToolOutput:
    """Return the content for the model, which has no image data, and the images as artifact."""
    urls = [image["url"] for image in images if "url" in image]
    blocked = images[0].get("extras", {}).get("blocked", 0) if images else 0
    return summarize_images(len(images), urls, blocked), images
