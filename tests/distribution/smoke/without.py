"""Without an extra: the gateway, and one sentence for each thing that needs more."""

import asyncio

from absent import command, missing, told

from xai_lowcode import AsyncGateway, Gateway, Settings

with Gateway(Settings.create()) as gateway:
    assert gateway.list_models()
    assert gateway.tokenize("Hello world!", model="grok-4.7")


async def ask() -> None:
    async with AsyncGateway(Settings.create()) as gateway:
        assert await gateway.get_api_key()


asyncio.run(ask())
assert missing("langchain_core", "llama_index.core", "uvicorn", "PIL", "typer", "rich")
assert "pip install 'xai-lowcode[langchain]'" in told("ChatXAILowCode", "langchain_xai_lowcode")
assert "pip install 'xai-lowcode[llama-index]'" in told("XAILowCode", "llama_index_xai_lowcode")
assert "pip install 'xai-lowcode[emulator]'" in told("running", "xai_lowcode.emulator")
assert "pip install 'xai-lowcode[cli]'" in command("models").stderr
