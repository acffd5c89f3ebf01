"""What a chat model imports: nothing that a plain chat does without, so that programs start fast.

Each of these modules is needed by something, and imported there on first use.
"""

import subprocess
import sys
from pathlib import Path

import pytest

UNNEEDED = {
    "xai_lowcode.api.endpoints": "the other endpoints, of which a chat asks none",
    "xai_lowcode.api.methods": "the same as methods",
    "xai_lowcode.api.client": "the same as methods of a client",
    "xai_lowcode.types.resources": "pydantic classes of the other endpoints' answers",
    "xai_lowcode.types.images": "pictures are asked for by their own classes",
    "xai_lowcode.api.files": "uploads and downloads",
    "xai_lowcode.api.embeddings": "another class in both frameworks",
    "xai_lowcode.api.tokens": "most programs count none",
    "xai_lowcode.api.deferred": "few wait for an answer; how to wait is a small module of its own",
    "xai_lowcode.chat.dialects.chat_completions": "a wire form is imported when it is spoken",
    "xai_lowcode.chat.dialects.completions": "most programs speak one",
    "xai_lowcode.chat.dialects.messages": "most programs speak one",
    "xai_lowcode.chat.dialects.responses": "most programs speak one",
    "xai_lowcode.json_schema.sanitizer": "the steps of cleaning; many chats have no schema",
    "xai_lowcode.transport.pool": "stands on httpcore, which takes long; made with the first call",
    "xai_lowcode.transport.network": "the same, below it",
    "xai_lowcode.emulator": "a server",
    "xai_lowcode.diagnostics": "an examination of the gateway",
    "xai_lowcode.cli": "the command",
    "langchain_xai_lowcode._structured_output": "LangChain's parsers; many chats want no object",
    "langchain_xai_lowcode.embeddings": "another class",
    "langchain_xai_lowcode.images": "another class",
    "langchain_xai_lowcode.images": "another class",
    "langchain_xai_lowcode.llms": "another class",
    "llama_index_xai_lowcode.embeddings": "another class",
    "llama_index_xai_lowcode.images": "another class",
    "llama_index_xai_lowcode.images": "another class",
}
MODELS = {"langchain_xai_lowcode": "ChatXAILowCode", "llama_index_xai_lowcode": "XAILowCode"}
MODULES = """
import sys
from {package} import {name}
{name}(api_token="at_r" + "0" * 32)
print(*sys.modules)
"""


def imported(package: str, folder: Path) -> set[str]:
    """The modules of an interpreter that has made the chat model of a package."""
    code = MODULES.format(package=package, name=MODELS[package])
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("package", sorted(MODELS))
def test_a_chat_model_imports_what_a_chat_needs(tmp_path: Path, package: str) -> None:
    """The model itself is there, and none of what a plain chat does without."""
    modules = imported(package, tmp_path)
    assert {package, "xai_lowcode.chat.model"} <= modules
    assert {module: UNNEEDED[module] for module in UNNEEDED.keys() & modules} == {}


@pytest.mark.parametrize("module", sorted(UNNEEDED))
def test_what_is_not_needed_exists(module: str) -> None:
    """A module that is renamed is renamed in the list as well."""
    assert __import__(module, fromlist=["a"]).__name__ == module
