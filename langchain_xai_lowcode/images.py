"""``XAIImageGenerationTool``: an agent's tool that makes pictures with Grok."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from langchain_core.messages.content import ImageContentBlock, create_image_block
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import Runnable, RunnableConfig, RunnableSerializable
from langchain_core.runnables.config import ensure_config
from langchain_core.tools import BaseTool
from pydantic import BaseModel, Field

from langchain_xai_lowcode._client_fields import HINTS, ClientFields
from langchain_xai_lowcode._errors import langchain_errors
from xai_lowcode._internal.credentials import credential_error
from xai_lowcode.api.endpoints import CREATE_IMAGE_GENERATION
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.errors import UsageError
from xai_lowcode.types.images import (
    DEFAULT_IMAGE_MODEL,
    MAX_IMAGES,
    Image,
    ImageBatch,
    ImageFormat,
    ImageRequest,
)

ImageInput = str | Mapping[str, Any] | PromptValue

_OPTIONS = ("n", "aspect_ratio", "resolution", "response_format", "model")
_KNOWN = frozenset({"prompt", *_OPTIONS})


class XAIImageGenerator(ClientFields, RunnableSerializable[ImageInput, list[ImageContentBlock]]):
    """Makes pictures from words.

    Takes a prompt, or a dict with ``prompt`` and the options below, and gives a list of image
    blocks that can be put into a message as they are.

    Setup:
        ``pip install 'xai-lowcode[langchain]'``, and the token of your LowCodeAPI account in
        ``LOWCODEAPI_API_TOKEN``.

    Key init args — picture params:
        model: Name of the image model.
        n: How many pictures, 1 to 10; default 1.
        aspect_ratio: ``"1:1"``, ``"16:9"``, ``"auto"`` and others.
        resolution: ``"1k"`` or ``"2k"``.
        response_format: ``"url"``, the default, or ``"b64_json"`` for the pictures themselves.

    Key init args — client params:
        api_token, base_url, timeout, max_retries, …: As those of ``ChatXAILowCode``.

    Instantiate:
        ```python
        from langchain_xai_lowcode import XAIImageGenerator

        painter = XAIImageGenerator(response_format="b64_json")
        ```

    Invoke:
        ```python
        import base64
        from pathlib import Path

        (picture,) = painter.invoke("A lighthouse at dawn")
        Path("lighthouse.png").write_bytes(base64.b64decode(picture["base64"]))
        print(picture["mime_type"])
        ```

    Options of a call:
        ```python
        print(len(painter.invoke({"prompt": "A fox", "n": 2, "aspect_ratio": "16:9"})))
        print(len(painter.invoke("An owl", n=3)))
        ```

    Async and batches:
        ```python
        import asyncio

        print(len(asyncio.run(painter.abatch(["A fox", "An owl"], {"max_concurrency": 2}))))
        ```

    In a chain:
        ```python
        from langchain_core.messages import HumanMessage
        from langchain_xai_lowcode import ChatXAILowCode

        look = painter | (lambda blocks: [HumanMessage(blocks)]) | ChatXAILowCode()
        print(look.invoke("A fox").text)
        ```
    """

    model: str = Field(default=DEFAULT_IMAGE_MODEL, min_length=1)
    """Name of the image model."""

    n: int = 1
    """How many pictures, 1 to 10."""

    aspect_ratio: str | None = None
    """``"1:1"``, ``"16:9"``, ``"auto"`` and others."""

    resolution: str | None = None
    """``"1k"`` or ``"2k"``."""

    response_format: ImageFormat = "url"
    """``"url"`` for addresses that soon expire, ``"b64_json"`` for the pictures themselves."""

    def invoke(
        self,
        input: ImageInput,  # noqa: A002 - the base's signature
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> list[ImageContentBlock]:
        """Makes the pictures.

        Args:
            input: The prompt, or a dict with ``prompt`` and options.
            config: LangChain's configuration of the run.
            kwargs: Options for this call.

        Raises:
            UsageError: An option has an impossible value; nothing was sent.
            XAILowCodeError: The call failed, or moderation held the pictures back.
        """
        if (refusal := _credential_error(input, kwargs)) is not None:
            # What reports errors shows the variables of frames.
            input = ""  # noqa: A001 - as above
            kwargs.clear()
            with langchain_errors():
                raise refusal
        return self._call_with_config(self._paint, input, ensure_config(config), **kwargs)

    async def ainvoke(
        self,
        input: ImageInput,  # noqa: A002 - the base's signature
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> list[ImageContentBlock]:
        """Makes the pictures; see ``invoke``."""
        if (refusal := _credential_error(input, kwargs)) is not None:
            input = ""  # noqa: A001 - as above
            kwargs.clear()
            with langchain_errors():
                raise refusal
        return await self._acall_with_config(self._apaint, input, ensure_config(config), **kwargs)

    def bind(self, **kwargs: Any) -> Runnable[ImageInput, list[ImageContentBlock]]:
        """Binds options, as LangChain does; credentials are refused at once.

        Args:
            kwargs: Options of the calls.

        Raises:
            UsageError: An option is or holds a credential.
        """
        if (refusal := _credential_error("", kwargs)) is not None:
            kwargs.clear()
            with langchain_errors():
                raise refusal
        return super().bind(**kwargs)

    def _paint(self, given: ImageInput, **options: Any) -> list[ImageContentBlock]:
        with langchain_errors():
            return generate(self._gateway, self._request(given, options))

    async def _apaint(self, given: ImageInput, **options: Any) -> list[ImageContentBlock]:
        with langchain_errors():
            return await agenerate(self._gateway, self._request(given, options))

    def _request(self, given: ImageInput, options: Mapping[str, Any]) -> ImageRequest:
        match given:
            case str():
                asked: dict[str, Any] = {"prompt": given}
            case PromptValue():
                asked = {"prompt": given.to_string()}
            case Mapping():
                asked = dict(given)
            case _:
                raise UsageError(
                    f"input: a prompt is needed, not a {type(given).__name__}.", field="input"
                )
        fields = {name: getattr(self, name) for name in _OPTIONS}
        merged = {**fields, **asked, **options}
        known = {name: merged.pop(name) for name in (*_OPTIONS, "prompt") if name in merged}
        return ImageRequest(**{"prompt": "", **known}, extra=merged)

    @classmethod
    def get_lc_namespace(cls) -> list[str]:
        """Where LangChain finds the class when it loads a dump."""
        return ["langchain_xai_lowcode", "images"]


def _credential_error(given: ImageInput, options: Mapping[str, Any]) -> UsageError | None:
    """The error if a call would take a credential along; a tracer would see it first."""
    asked = given if isinstance(given, Mapping) else {}
    return credential_error({**asked, **options}, known=_KNOWN, hints=HINTS)


def generate(gateway: ChatModel, request: ImageRequest) -> list[ImageContentBlock]:
    """Orders pictures, and gives them as blocks."""
    return _to_blocks(gateway.client.call(CREATE_IMAGE_GENERATION, body=request.render()))


async def agenerate(gateway: ChatModel, request: ImageRequest) -> list[ImageContentBlock]:
    """Orders pictures, and gives them as blocks; see ``generate``."""
    batch = await gateway.async_client.call(CREATE_IMAGE_GENERATION, body=request.render())
    return _to_blocks(batch)


def _to_blocks(batch: ImageBatch) -> list[ImageContentBlock]:
    share = None if batch.cost_usd is None else batch.cost_usd / len(batch.images)
    return [_to_block(image, share) for image in batch.images]


def _to_block(image: Image, cost_usd: float | None) -> ImageContentBlock:
    facts: dict[str, Any] = {"revised_prompt": image.revised_prompt, "cost_usd": cost_usd}
    return create_image_block(
        url=image.url,
        base64=image.base64,
        mime_type=image.mime_type,
        **{name: fact for name, fact in facts.items() if fact is not None},
    )


Answer = tuple[str, list[ImageContentBlock]]


class ImageToolInput(BaseModel):
    """What a model may say when it orders pictures."""

    prompt: Annotated[str, Field(description="What is to be seen, in full sentences.")]
    n: Annotated[int, Field(ge=1, le=MAX_IMAGES, description="How many pictures.")] = 1
    aspect_ratio: Annotated[
        str | None, Field(description="Width to height, for instance '1:1', '16:9' or '9:16'.")
    ] = None


class XAIImageGenerationTool(ClientFields, BaseTool):
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
    args_schema: Any = ImageToolInput
    response_format: Literal["content", "content_and_artifact"] = "content_and_artifact"

    model: str = Field(default=DEFAULT_IMAGE_MODEL, min_length=1)
    """Name of the image model."""

    resolution: str | None = None
    """``"1k"`` or ``"2k"``."""

    image_format: ImageFormat = "url"
    """``"url"`` for addresses that soon expire, ``"b64_json"`` for the pictures themselves."""

    def _run(self, prompt: str, n: int = 1, aspect_ratio: str | None = None) -> Answer:
        with langchain_errors():
            return _to_tool_output(generate(self._gateway, self._order(prompt, n, aspect_ratio)))

    async def _arun(self, prompt: str, n: int = 1, aspect_ratio: str | None = None) -> Answer:
        with langchain_errors():
            return _to_tool_output(
                await agenerate(self._gateway, self._order(prompt, n, aspect_ratio))
            )

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


def _to_tool_output(pictures: list[ImageContentBlock]) -> Answer:
    """A line for the model, which must never read the pictures' data, and the pictures."""
    made = f"Generated {len(pictures)} image{'' if len(pictures) == 1 else 's'}"
    addresses = " ".join(picture["url"] for picture in pictures if "url" in picture)
    return (f"{made}: {addresses}" if addresses else f"{made}."), pictures
