"""Extra ``emulator``: the emulator works without a framework."""

from absent import missing

from xai_lowcode import Gateway, ImageRequest, Settings
from xai_lowcode.emulator import running

with running() as emulated:
    settings = Settings.create(base_url=emulated.base_url, api_token=emulated.api_token)
    with Gateway(settings) as gateway:
        assert gateway.list_models()
        batch = gateway.create_images(
            ImageRequest(
                prompt="A lighthouse", model="grok-imagine-image", response_format="b64_json"
            )
        )
        assert batch.images[0].content
    assert emulated.requests
assert missing("langchain_core", "llama_index.core", "typer")
