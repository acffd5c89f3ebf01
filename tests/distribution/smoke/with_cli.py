"""Extra ``cli``: the command works, and names the extra that ``serve`` needs."""

import json

from absent import command, missing

assert json.loads(command("models", "--json").stdout)
assert command("chat", "Say 'pong'").stdout.strip() == "pong"
assert command("--version").returncode == 0
if missing("uvicorn"):
    result = command("serve", "--port", "0")
    assert result.returncode == 2
    assert "pip install 'xai-lowcode[emulator]'" in result.stderr
    assert missing("langchain_core", "llama_index.core")
