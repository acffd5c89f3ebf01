"""Image generation: ``XAIImageGenerator``, a runnable, and ``XAIImageGenerationTool``, a tool."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from langchain_core.callbacks import (
    AsyncCallbackManagerForToolRun,
    CallbackManagerForToolRun,
)
from langchain_core.messages.content import ImageContentBlock, create_image_block
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import Runnable, RunnableConfig, RunnableSerializable
from langchain_core.runnables.config import ensure_config
from langchain_core.tools import ArgsSchema, BaseTool
from pydantic import BaseModel, Field, ValidationInfo, field_validator, model_validator

from langchain_xai_lowcode._client_fields import FOREIGN_ARGS, ClientFields
from langchain_xai_lowcode._errors import langchain_errors
from langchain_xai_lowcode._input import to_part
from langchain_xai_lowcode.usage import note_images
from xai_lowcode._internal.credentials import credential_error, token_error
from xai_lowcode._internal.unknown_parameters import warn_unknown_parameters
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
from xai_lowcode.types.images import (
    DEFAULT_IMAGE_MODEL,
    IMAGE_ARGUMENTS,
    MAX_IMAGES,
    AspectRatio,
    ImageBatch,
    ImageFormat,
    ImageRequest,
    Quality,
    Resolution,
    build_image_request,
    check_image_choice,
    check_image_count,
    parse_size,
    summarize_images,
)
from xai_lowcode.types.messages import ImagePart

if TYPE_CHECKING:
    from dataclasses import InitVar

ImageSources = ImageSource | Sequence[ImageSource]
"""One image to edit, or a list: image blocks, paths, URLs or bytes."""

ImageInput = str | Mapping[str, Any] | PromptValue
ToolOutput = tuple[str, list[ImageContentBlock]]

# Arguments that are not checked for credentials, other than the keys of ``extra_body``.
_KNOWN = IMAGE_ARGUMENTS - {"extra_body"}


class ImageFields(ClientFields):
    """Options of images as fields, in the generator and the tool."""

    model: str = Field(default=DEFAULT_IMAGE_MODEL, min_length=1, kw_only=False)
    """Name of the image model, sent unchanged."""

    n: int = 1
    """Number of images, 1 to 10. Default: 1."""

    aspect_ratio: AspectRatio | None = None
    """``"1:1"``, ``"16:9"``, ``"auto"`` and others. Default: the model's."""

    resolution: Resolution | None = None
    """``"1k"`` or ``"2k"``; some models also ``"1.5k"``. Default: the model's."""

    quality: Quality | None = None
    """``"low"``, ``"medium"`` or ``"auto"``, for models with a choice. Default: the model's."""

    user: str | None = None
    """Identifier of the end user, for abuse detection."""

    extra_body: Mapping[str, Any] | None = None
    """Further keys of the request body. Credentials are refused. Default: none."""

    if TYPE_CHECKING:
        # Of OpenAI's, for type checkers.
        size: InitVar[str | None] = None

    @model_validator(mode="before")
    @classmethod
    def _read_size(cls, values: Any) -> Any:
        """Convert ``size``, an argument of OpenAI's, to ``aspect_ratio`` and ``resolution``."""
        if not isinstance(values, dict) or "size" not in values:
            return values
        if (error := token_error({"size": values["size"]})) is not None:
            # Error reporters show the variables of frames.
            values = None
            with langchain_errors():
                raise error
        others = {name: value for name, value in values.items() if name != "size"}
        with langchain_errors():
            size = {} if values["size"] is None else parse_size(values["size"])
        return size | others

    @field_validator("aspect_ratio", "resolution", "quality", mode="before")
    @classmethod
    def _check_choice(cls, value: Any, info: ValidationInfo) -> Any:
        with langchain_errors():
            return check_image_choice(str(info.field_name), value)

    @field_validator("n")
    @classmethod
    def _check_n(cls, n: int) -> int:
        with langchain_errors():
            return check_image_count(n)

    def _image_request(self, image_format: Any, *layers: Mapping[str, Any]) -> ImageRequest:
        """Build a request of the fields, ``model_kwargs`` and the options of a call."""
        fields = {name: getattr(self, name) for name in _IMAGE_FIELDS}
        # The dicts can be changed after the constructor has checked them.
        further = {"model_kwargs": self.model_kwargs, "extra_body": self.extra_body}
        if (error := self._credential_error(further)) is not None:
            raise error
        return build_image_request(
            {**fields, "response_format": image_format}, self.model_kwargs, *layers
        )


_IMAGE_FIELDS = ("model", "n", "aspect_ratio", "resolution", "quality", "user", "extra_body")


class XAIImageGenerator(ImageFields, RunnableSerializable[ImageInput, list[ImageContentBlock]]):
    """Runnable that generates images from a text prompt.

    The input is a prompt, or a dict with ``prompt`` and the options below. The output is a list of
    image blocks, which can be the content of a message. The ``extras`` of a block have the model,
    and if xAI reports them the revised prompt, the image's share of the cost (``cost_usd``) and the
    number of images that moderation withheld (``blocked``).

    Setup:
        ``pip install "xai-lowcode[langchain] @ git+https://github.com/xai-lowcode/xai-lowcode"``,
        and set ``LOWCODEAPI_API_TOKEN`` to the token of your LowCodeAPI account.

    Key init args — image params:
        model: Name of the image model.
        n: Number of images, 1 to 10. Default: 1.
        aspect_ratio: ``"1:1"``, ``"16:9"``, ``"auto"`` and others.
        resolution: ``"1k"`` or ``"2k"``; some models also ``"1.5k"``.
        quality: ``"low"``, ``"medium"`` or ``"auto"``, for models that have a choice.
        size: OpenAI's ``"1024x1024"``, converted to aspect ratio and resolution.
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

    Edit images:
        ```python
        blocks = generator.invoke("A lighthouse")
        edited = generator.edit("Make it night.", blocks)
        print(edited[0]["mime_type"])
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

    def edit(
        self,
        prompt: str,
        sources: ImageSources,
        *,
        model: str = DEFAULT_MODEL,
    ) -> list[ImageContentBlock]:
        """Edit images: a chat model does so with the server-side tool ``image_generation``.

        The image options of the generator do not apply; say in the prompt what size you want. The
        images are returned as data.

        Args:
            prompt: What to change, or how to combine the images.
            sources: One image or a list of up to 5: image blocks, paths, URLs or bytes.
            model: The chat model.

        Raises:
            UsageError: An argument is invalid; nothing was sent.
            ContentPolicyError: The model refused.
            XAILowCodeError: The request failed, or the response has no images.
        """
        with langchain_errors():
            request = build_edit_request(prompt, sources, model=model, read=_read_source)
            batch = parse_edited_images(self._gateway.generate(request))
            return _to_blocks(batch, model)

    async def aedit(
        self,
        prompt: str,
        sources: ImageSources,
        *,
        model: str = DEFAULT_MODEL,
    ) -> list[ImageContentBlock]:
        """Edit images; see ``edit``."""
        with langchain_errors():
            # Files are read.
            request = await asyncio.to_thread(
                build_edit_request, prompt, sources, model=model, read=_read_source
            )
            batch = parse_edited_images(await self._gateway.agenerate(request))
            return _to_blocks(batch, model)

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
        warn_unknown_parameters(
            {**input_options, **options},
            IMAGE_ARGUMENTS,
            destination="sent in the request body",
            fields=self._argument_names(),
        )
        return self._image_request(self.response_format, input_options, options)


def _credential_error(prompt: ImageInput, options: Mapping[str, Any]) -> UsageError | None:
    """Return an error if an option is or holds a credential, before a tracer gets it."""
    input_options = prompt if isinstance(prompt, Mapping) else {}
    return credential_error({**input_options, **options}, known=_KNOWN, hints=FOREIGN_ARGS)


def _read_source(source: object, path: str) -> ImagePart:
    """Convert an image block, or an image in another form; see ``read_image``."""
    return read_image(to_part(source, path) if isinstance(source, Mapping) else source, path)


def generate(gateway: ChatModel, request: ImageRequest) -> list[ImageContentBlock]:
    """Send an image request, and return the images as content blocks."""
    batch = gateway.client.call(CREATE_IMAGE_GENERATION, body=request.render())
    return _to_blocks(batch, request.model)


async def agenerate(gateway: ChatModel, request: ImageRequest) -> list[ImageContentBlock]:
    """Send an image request, and return the images as content blocks; see ``generate``."""
    batch = await gateway.async_client.call(CREATE_IMAGE_GENERATION, body=request.render())
    return _to_blocks(batch, request.model)


def _to_blocks(batch: ImageBatch, model: str) -> list[ImageContentBlock]:
    return [
        create_image_block(
            url=image.url,
            base64=image.base64,
            mime_type=image.mime_type,
            **batch.describe(image, model=model),
        )
        for image in batch.images
    ]


class ImageToolInput(BaseModel):
    """Arguments of the tool, which the model sets."""

    prompt: Annotated[str, Field(description="Detailed description of the image to generate.")]
    n: Annotated[
        Annotated[int, Field(ge=1, le=MAX_IMAGES)] | None,
        Field(description="Number of images to generate."),
    ] = None
    aspect_ratio: Annotated[AspectRatio | None, Field(description="Aspect ratio.")] = None

    @model_validator(mode="before")
    @classmethod
    def _warn_unknown_args(cls, values: Any) -> Any:
        if isinstance(values, Mapping):
            # A model may invent arguments. They do not choose what the developer has to pay.
            warn_unknown_parameters(values, cls.model_fields, destination="dropped")
        return values


class XAIImageGenerationTool(ImageFields, BaseTool):
    """Tool with which a model generates images.

    The content of the tool message is one line: the number of images, how many were withheld by
    moderation, and their URLs if they have any. The images are the ``artifact`` of the tool
    message, as standard image blocks.

    Setup:
        ``pip install "xai-lowcode[langchain] @ git+https://github.com/xai-lowcode/xai-lowcode"``,
        and set ``LOWCODEAPI_API_TOKEN`` to the token of your LowCodeAPI account.

    Key init args — image params:
        model: Name of the image model.
        resolution: ``"1k"`` or ``"2k"``; some models also ``"1.5k"``.
        quality: ``"low"``, ``"medium"`` or ``"auto"``, for models that have a choice.
        n, aspect_ratio: Used if the model sets none.
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
        prompt = "Use generate_image: 'a fox'."
        state = agent.invoke({"messages": [{"role": "user", "content": prompt}]})
        print(state["messages"][-2].artifact[0]["type"])  # image
        ```
    """

    name: str = "generate_image"
    description: str = "Generate images from a text prompt."
    args_schema: ArgsSchema | None = ImageToolInput
    response_format: Literal["content", "content_and_artifact"] = "content_and_artifact"

    image_format: ImageFormat = "url"
    """``"url"`` for URLs, which expire soon, or ``"b64_json"`` for image data."""

    def _run(
        self,
        prompt: str,
        n: int | None = None,
        aspect_ratio: AspectRatio | None = None,
        run_manager: CallbackManagerForToolRun | None = None,
    ) -> ToolOutput:
        with langchain_errors():
            request = self._build_request(prompt, n, aspect_ratio)
            images = generate(self._gateway, request)
        note_images(run_manager, images)
        return _to_tool_output(images)

    async def _arun(
        self,
        prompt: str,
        n: int | None = None,
        aspect_ratio: AspectRatio | None = None,
        run_manager: AsyncCallbackManagerForToolRun | None = None,
    ) -> ToolOutput:
        with langchain_errors():
            request = self._build_request(prompt, n, aspect_ratio)
            images = await agenerate(self._gateway, request)
        note_images(run_manager, images)
        return _to_tool_output(images)

    def _build_request(
        self, prompt: str, n: int | None, aspect_ratio: AspectRatio | None
    ) -> ImageRequest:
        args = {"prompt": prompt, "n": n, "aspect_ratio": aspect_ratio}
        given = {name: value for name, value in args.items() if value is not None}
        return self._image_request(self.image_format, given)

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Return False: LangChain does not dump tools."""
        return False


def _to_tool_output(images: list[ImageContentBlock]) -> ToolOutput:
    """Return the content for the model, which has no image data, and the images as artifact."""
    urls = [image["url"] for image in images if "url" in image]
    blocked = images[0].get("extras", {}).get("blocked", 0) if images else 0
    return summarize_images(len(images), urls, blocked), images
