"""LangChain's standard tests for chat models, unmodified, against the strict emulator."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any, ClassVar, Literal

import langchain_tests.integration_tests.chat_models as suite
import pytest
from langchain_core.messages import AIMessage
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests
from PIL import Image
from pytest_recording.plugin import block_network, vcr  # tests/conftest.py replaces them

from langchain_xai_lowcode import ChatXAILowCode

TOKEN = "at_r" + "0" * 32
__all__ = ["block_network", "vcr"]  # fixtures of this module


class TestUnit(ChatModelUnitTests):
    """Unit tests, without a network."""

    api: ClassVar[str] = "auto"

    @property
    def chat_model_class(self) -> type[ChatXAILowCode]:
        return ChatXAILowCode

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "grok-4.7", "api_key": TOKEN, "api": self.api}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        environment = {
            "LOWCODEAPI_API_TOKEN": TOKEN,
            "LOWCODEAPI_BASE_URL": "https://gateway.example/xai",
        }
        expected = {"api_token": TOKEN, "base_url": "https://gateway.example/xai"}
        return environment, {"model": "grok-4.7"}, expected

    @pytest.mark.xfail(
        strict=True,
        reason="langchain_core.load admits only classes of its own list; see test_processes",
    )
    def test_serdes(self, model: Any, snapshot: Any) -> None:
        super().test_serdes(model, snapshot)


class TestUnitChatCompletions(TestUnit):
    """With Chat Completions."""

    api = "chat_completions"


class TestUnitResponses(TestUnit):
    """Over responses."""

    api = "responses"


class TestUnitMessages(TestUnit):
    """Over messages."""

    api = "messages"


class _Downloads:
    """Replaces httpx in the standard tests: has their images and documents without a network."""

    @staticmethod
    def get(url: str, **_options: Any) -> Any:
        image = BytesIO()
        Image.new("RGB", (16, 16), "teal").save(image, "JPEG" if "jpg" in url else "PNG")
        content = b"%PDF-1.4\n%%EOF\n" if url.endswith(".pdf") else image.getvalue()

        class Answer:
            def __init__(self) -> None:
                self.content = content

        return Answer()


@pytest.fixture
def record_mode() -> str:
    """Record new cassettes in each run; those of the emulator are not kept in the repository."""
    return "all"


@pytest.fixture(scope="module")
def vcr_cassette_dir(_emulator: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield a folder for cassettes; afterwards, check that none has the token."""
    folder = tmp_path_factory.mktemp("cassettes")
    yield str(folder)
    recorded = [path.read_text() for path in folder.rglob("*.yaml")]
    assert not [text for text in recorded if _emulator.api_token in text]


# The reason by which the suite skips a benchmark that is recorded.
@pytest.mark.filterwarnings("ignore:Benchmark fixture was not used")
class _Integration(ChatModelIntegrationTests):
    """Integration tests with the emulator, with all features that Grok supports.

    Audio and video are not supported.
    """

    enable_vcr_tests = True

    api: ClassVar[str] = "auto"
    model_name: ClassVar[str] = "grok-4.7"
    envelope: ClassVar[Literal["result", "data", "bare"]] = "result"
    details: ClassVar[tuple[str, ...]] = ("reasoning_output", "cache_read_input")

    @pytest.fixture(autouse=True)
    def _served(self, gateway: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setattr(suite, "httpx", _Downloads)
        gateway.envelope = self.envelope
        yield
        endpoints = {request.path.rpartition("/v1/")[2] for request in gateway.requests}
        assert endpoints <= self.endpoints

    endpoints: ClassVar[frozenset[str]] = frozenset({"chat/completions", "responses"})

    @property
    def chat_model_class(self) -> type[ChatXAILowCode]:
        return ChatXAILowCode

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": self.model_name, "api": self.api}

    supports_image_inputs = True
    supports_image_urls = True
    supports_image_tool_message = True
    supports_pdf_inputs = True
    supports_pdf_tool_message = True
    supports_anthropic_inputs = True
    supports_json_mode = True
    model_override_value = "grok-4.6"

    @property
    def supported_usage_metadata_details(self) -> dict[Any, Any]:
        return {"invoke": list(self.details), "stream": list(self.details)}

    def invoke_with_reasoning_output(self, *, stream: bool = False) -> AIMessage:
        return self._call(stream=stream)

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        return self._call(stream=stream)

    def _call(self, *, stream: bool) -> AIMessage:
        model = ChatXAILowCode(**self.chat_model_params)
        if not stream:
            return model.invoke("Hello")
        first, *rest = model.stream("Hello")
        for chunk in rest:
            first += chunk
        return first


class _ChatCompletions(_Integration):
    """With Chat Completions, which accepts documents as URLs and ids, not as data."""

    api = "chat_completions"
    endpoints = frozenset({"chat/completions"})
    supports_pdf_inputs = False
    supports_pdf_tool_message = False


class _Responses(_Integration):
    """Over responses."""

    api = "responses"
    endpoints = frozenset({"responses"})


class _Messages(_Integration):
    """With Messages, which has no response formats, documents or reasoning tokens."""

    api = "messages"
    endpoints = frozenset({"messages"})
    details = ("cache_read_input",)
    supports_json_mode = False
    supports_pdf_inputs = False
    supports_pdf_tool_message = False


class TestChatCompletionsResult(_ChatCompletions):
    """In the envelope that was observed."""


class TestChatCompletionsData(_ChatCompletions):
    """In the envelope that is documented."""

    envelope = "data"


class TestResponsesResult(_Responses):
    """In the envelope that was observed."""


class TestResponsesData(_Responses):
    """In the envelope that is documented."""

    envelope = "data"


class TestMessagesResult(_Messages):
    """In the envelope that was observed."""


class TestMessagesData(_Messages):
    """In the envelope that is documented."""

    envelope = "data"


class TestAutoBare(_Integration):
    """Without an envelope, with the automatic API and a model that returns reasoning."""

    envelope = "bare"
    model_name = "grok-4.3"
