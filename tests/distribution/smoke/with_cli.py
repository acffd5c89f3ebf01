"""With the extra ``cli``: the command, and a sentence where it wants the emulator."""

import json

from absent import command, missing

assert json.loads(command("models", "--json").stdout)
assert command("chat", "Say 'pong'").stdout.strip() == "pong"
assert command("--version").returncode == 0
if missing("uvicorn"):
    refused = command("serve", "--port", "0")
    assert refused.returncode == 2
    assert "pip install 'xai-lowcode[emulator]'" in refused.stderr
    assert missing("langchain_core", "llama_index.core")
