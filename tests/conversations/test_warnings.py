"""Warnings have the location of the user's code, at its top level and in functions and tasks."""

import runpy
import warnings
from pathlib import Path

import pytest

from xai_lowcode.emulator import running

# Each line that ends in `# warns` emits at least one warning.
PROGRAM = """
import asyncio
import warnings

from langchain_core.prompts import ChatPromptTemplate
from llama_index.core.llms import ChatMessage
from langchain_xai_lowcode import ChatXAILowCode, XAIImageGenerator
from llama_index_xai_lowcode import XAILowCode
from xai_lowcode import ChatModel, Settings
from xai_lowcode.types.messages import Message
from xai_lowcode.types.requests import ChatRequest

places = []
warnings.simplefilter("always")
warnings.showwarning = lambda text, kind, path, line, *_: places.append((path, line))

ChatXAILowCode(model="grok-4.3", made_up=1)  # warns
XAILowCode(model="grok-4.3", made_up=1)  # warns
XAILowCode(model="grok-4.3", default_headers={"a": "b"})  # warns
XAIImageGenerator(made_up=1)  # warns
Settings.create(verify=False)  # warns
chat = ChatXAILowCode(model="grok-4.3", presence_penalty=1)
llm = XAILowCode(model="grok-4.3")
chat.invoke("Hello")  # warns
list(chat.stream("Hello", made_up=1))  # warns
llm.chat([ChatMessage("Hello")], made_up=1)  # warns
list(llm.stream_chat([ChatMessage("Hello")], made_up=1))  # warns
(ChatPromptTemplate.from_template("{x}") | chat.bind(made_up=1)).invoke({"x": "y"})  # warns
hello = [Message.from_text("user", "Hi")]
request = ChatRequest(model="grok-4.3", messages=hello, presence_penalty=1)
ChatModel(Settings.create()).generate(request)  # warns


async def main():
    await chat.ainvoke("Hello", made_up=1)  # in a task, whose stack does not have this line
    await llm.achat([ChatMessage("Hello")], made_up=1)  # warns
    await ChatModel(Settings.create()).agenerate(request)  # warns


def call():
    chat.invoke("Hello", made_up=1)  # warns


call()
asyncio.run(main())  # warns
for path, line in sorted(set(places)):
    print(path, line)
"""


@pytest.mark.parametrize("module", ["program", "langchain_program"])
def test_warnings_have_the_line_of_the_users_code(
    tmp_path: Path,
    module: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each line of the program that warns is the location of a warning, and no other line is."""
    path = tmp_path / f"{module}.py"
    path.write_text(PROGRAM)
    lines = [
        number for number, line in enumerate(PROGRAM.splitlines(), 1) if line.endswith("# warns")
    ]
    with running() as gateway, warnings.catch_warnings():
        monkeypatch.setenv("LOWCODEAPI_API_TOKEN", gateway.api_token)
        monkeypatch.setenv("LOWCODEAPI_BASE_URL", gateway.base_url)
        runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out.splitlines() == [f"{path} {number}" for number in lines]


ROOT = Path(__file__).parents[2]
PACKAGES = ("shared/xai_lowcode", "langchain_xai_lowcode", "llama_index_xai_lowcode")


def test_all_warnings_are_emitted_by_one_function() -> None:
    """`warnings.warn` needs a stacklevel that depends on the caller, so one function calls it."""
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    callers = [path.name for path in paths if "warnings.warn(" in path.read_text(encoding="utf-8")]
    assert callers == ["user_warnings.py"]
