"""The first cell of a notebook connects, and prints where the responses come from."""

import importlib.util
from typing import Any

import pytest

from langchain_xai_lowcode import ChatXAILowCode
from notebooks.making import HERE
from xai_lowcode.emulator import running
from xai_lowcode.settings import BASE_URL_VARIABLE, TOKEN_VARIABLE


def load_start() -> Any:
    """Return a new instance of the module that the first cell imports."""
    spec = importlib.util.spec_from_file_location("notebook_start", HERE / "start.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("emulator_only", [False, True])
@pytest.mark.parametrize("with_token", [False, True])
def test_connect(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    emulator_only: bool,
    with_token: bool,
) -> None:
    """The gateway is used if there is a token, unless ``emulator_only``; repetition is harmless."""
    hosted = with_token and not emulator_only
    with running() as gateway:
        monkeypatch.setenv(TOKEN_VARIABLE, gateway.api_token)
        monkeypatch.setenv(BASE_URL_VARIABLE, gateway.base_url)
        if not with_token:
            monkeypatch.delenv(TOKEN_VARIABLE)
            monkeypatch.delenv(BASE_URL_VARIABLE)
        start = load_start()
        with start._open:
            connected = [start.connect(emulator_only=emulator_only) for _ in range(2)]
            assert ChatXAILowCode().invoke("Say 'Ahoy.'").text == "Ahoy."
        assert connected[0] is connected[1]
        assert (connected[0] is None) is hosted
        assert bool(gateway.requests) is hosted
        printed = capsys.readouterr().out
        assert gateway.api_token not in printed
        lines = printed.splitlines()
        assert (f"come from Grok, through {gateway.base_url}." in lines[0]) is hosted
        assert ("come from the emulator" in lines[0]) is not hosted
        assert lines[: len(lines) // 2] == lines[len(lines) // 2 :]
