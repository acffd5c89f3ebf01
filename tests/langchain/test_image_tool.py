"""``XAIImageGenerationTool``: LangChain's standard tests, agents, generated images as input."""

import copy
import json
import pickle
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.load import dumps
from langchain_core.messages import HumanMessage
from langchain_tests.integration_tests import ToolsIntegrationTests
from langchain_tests.unit_tests import ToolsUnitTests

from langchain_xai_lowcode import ChatXAILowCode, XAIImageGenerationTool, XAIImageGenerator
from xai_lowcode.emulator import Refuse
from xai_lowcode.errors import ContentPolicyError, UsageError

TOKEN = "at_r" + "0" * 32
ARGS = {"prompt": "A fox", "n": 2, "aspect_ratio": "16:9"}
GENERATED = "Generated 1 image; it is shown to the user. URL: http"


class TestUnit(ToolsUnitTests):
    """Unit tests, without a network."""

    @property
    def tool_constructor(self) -> type[XAIImageGenerationTool]:
        return XAIImageGenerationTool

    @property
    def tool_constructor_params(self) -> dict[str, Any]:
        return {"api_token": TOKEN, "image_format": "b64_json"}

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return ARGS

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return {"LOWCODEAPI_API_TOKEN": TOKEN}, {}, {"api_token": TOKEN}


class TestIntegration(ToolsIntegrationTests):
    """Integration tests, with the emulator."""

    @pytest.fixture(autouse=True)
    def _served(self, gateway: Any) -> None:
        assert gateway.base_url

    @property
    def tool_constructor(self) -> type[XAIImageGenerationTool]:
        return XAIImageGenerationTool

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return ARGS


@pytest.mark.parametrize("image_format", ["url", "b64_json"])
async def test_an_image_is_the_artifact(gateway: Any, image_format: Any) -> None:
    """In an agent the content of the tool message is one line, and the images are its artifact."""
    tool = XAIImageGenerationTool(image_format=image_format, resolution="2k")
    agent: Any = create_agent(ChatXAILowCode(), [tool])
    order = {"messages": "Use generate_image to draw 'a fox'."}
    for answer in (agent.invoke(order), await agent.ainvoke(order)):
        kinds = [message.type for message in answer["messages"]]
        assert kinds == ["human", "ai", "tool", "ai"]
        result = answer["messages"][2]
        assert [block["type"] for block in result.artifact] == ["image"]
        assert result.content.startswith("Generated 1 image; it is shown to the user.")
        assert len(result.content.splitlines()) == 1
        for block in result.artifact:
            assert block["url"] in result.content if image_format == "url" else block["base64"]
        assert len(str(gateway.requests[-1].body)) < 3000
    bodies = [r.body for r in gateway.requests if r.path.endswith("images/generations")]
    assert [(body["resolution"], body["prompt"]) for body in bodies] == [("2k", "a fox")] * 2


@pytest.mark.parametrize("image_format", ["url", "b64_json"])
@pytest.mark.parametrize("api", ["auto", "chat_completions", "responses", "messages"])
def test_generated_images_are_input(gateway: Any, api: Any, image_format: Any) -> None:
    """A generated image can be input in each API, in a user message and in a tool result."""
    tool = XAIImageGenerationTool(image_format=image_format)
    generated = tool.invoke({"type": "tool_call", "id": "1", "name": tool.name, "args": ARGS})
    assert len(generated.artifact) == 2
    (image,) = XAIImageGenerator(response_format=image_format).invoke("A fox")
    llm = ChatXAILowCode(api=api)
    for blocks in (generated.artifact, [image]):
        question: Any = [*blocks, {"type": "text", "text": "What is to be seen?"}]
        plain = llm.invoke("What is to be seen?").usage_metadata
        response = llm.invoke([HumanMessage(question)])
        assert plain is not None
        assert response.usage_metadata is not None
        # The emulator decodes images, and counts their tokens.
        cost = response.usage_metadata["input_tokens"] - plain["input_tokens"]
        assert cost >= 256 * len(blocks)
    assert gateway.requests[-1].body["model"] == "grok-4.7"


def test_an_image_of_a_response_is_input(gateway: Any) -> None:
    """An image that the model generated is a block of its message, and can be input."""
    llm = ChatXAILowCode(api="responses")
    answer = llm.invoke("Draw an image of a fox.", tools=[{"type": "image_generation"}])
    images = [block for block in answer.content_blocks if block["type"] == "image"]
    assert len(images) == 1
    text: Any = [*images, {"type": "text", "text": "What is this?"}]
    for api in ("chat_completions", "responses", "messages"):
        assert ChatXAILowCode(api=api).invoke([HumanMessage(text)]).text
        assert images[0]["base64"][:200] in str(gateway.requests[-1].body)
    # Other APIs do not support it in an assistant message; a warning says so.
    with pytest.warns(UserWarning, match="a content block of type .image. is not sent"):
        ChatXAILowCode(api="chat_completions").invoke(["Draw a fox.", answer, "Thanks."])


@pytest.mark.parametrize("order", [{"prompt": ""}, {"prompt": " "}])
def test_an_empty_prompt_is_rejected(gateway: Any, order: dict[str, Any]) -> None:
    """An empty prompt raises, and no request is sent."""
    with pytest.raises(UsageError):
        XAIImageGenerationTool().invoke(order)
    assert gateway.requests == []


def test_a_moderated_image_raises(gateway: Any) -> None:
    """An image that moderation withholds raises an error that a middleware can handle."""
    gateway.inject(Refuse(403, "Content violates usage guidelines."))
    with pytest.raises(ContentPolicyError):
        XAIImageGenerationTool().invoke({"prompt": "A fox"})


async def test_ainvoke_uses_no_thread(gateway: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The async method sends the request itself, and runs no sync method in a thread."""
    assert gateway.base_url

    def never(self: Any, prompt: str, n: int = 1, aspect_ratio: str | None = None) -> Any:
        raise AssertionError((self, prompt, n, aspect_ratio))

    monkeypatch.setattr(XAIImageGenerationTool, "_run", never)
    tool = XAIImageGenerationTool()
    assert (await tool.ainvoke({"prompt": "A fox"})).startswith(GENERATED)


def test_pickles_and_copies_of_the_tool_work(gateway: Any) -> None:
    """Pickles and copies of the tool work; its ``repr`` has no token, and it cannot be dumped."""
    tool = XAIImageGenerationTool(resolution="2k")
    dump = dumps(tool)
    assert gateway.api_token not in f"{tool!r} {tool} {tool.model_dump()} {dump}"
    assert json.loads(dump)["type"] == "not_implemented"
    for copied in (pickle.loads(pickle.dumps(tool)), copy.deepcopy(tool)):  # noqa: S301 - our own bytes
        assert copied.resolution == "2k"
        assert copied.invoke({"prompt": "A fox"}).startswith(GENERATED)
