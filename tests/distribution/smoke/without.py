"""No extra: the gateway client works, and errors name the missing extras."""

import asyncio

from absent import command, import_error, missing

from xai_lowcode import AsyncGateway, Gateway, Settings

with Gateway(Settings.create()) as gateway:
    assert gateway.list_models()
    assert gateway.tokenize("Hello world!", model="grok-4.7")


async def ask() -> None:
    async with AsyncGateway(Settings.create()) as gateway:
        assert await gateway.get_api_key()


asyncio.run(ask())
assert missing("langchain_core", "llama_index.core", "uvicorn", "PIL", "typer", "rich")
assert "pip install 'xai-lowcode[langchain]'" in import_error(
    "ChatXAILowCode", "langchain_xai_lowcode"
)
assert "pip install 'xai-lowcode[llama-index]'" in import_error(
    "XAILowCode", "llama_index_xai_lowcode"
)
assert "pip install 'xai-lowcode[emulator]'" in import_error("running", "xai_lowcode.emulator")
assert "pip install 'xai-lowcode[cli]'" in command("models").stderr
