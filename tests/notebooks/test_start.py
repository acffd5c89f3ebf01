"""Every notebook's first cell connects where it says, and says who answers."""

import os
import subprocess
import sys

import pytest

from notebooks.making import HERE
from xai_lowcode.emulator import running

pytestmark = pytest.mark.slow

PROGRAM = """
from langchain_xai_lowcode import ChatXAILowCode
from start import connect
for _ in range(2):
    emulator = connect({arguments})
print(emulator is None, ChatXAILowCode().invoke("Say 'Ahoy.'").text)
"""


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("with_token", [False, True])
def test_who_answers(*, alone: bool, with_token: bool) -> None:
    """The gateway if there is a token, unless the emulator is wanted; twice it says the same."""
    hosted = with_token and not alone
    arguments = "emulator_only=True" if alone else ""
    with running() as gateway:
        given = {"LOWCODEAPI_API_TOKEN": gateway.api_token, "LOWCODEAPI_BASE_URL": gateway.base_url}
        env = {name: value for name, value in os.environ.items() if name not in given}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM.format(arguments=arguments)],
            cwd=HERE,
            env={**env, **(given if with_token else {})},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert bool(gateway.requests) is hosted
        assert gateway.api_token not in done.stdout + done.stderr
        *said, last = done.stdout.splitlines()
        assert (f"come from Grok, through {gateway.base_url}." in said[0]) is hosted
        assert ("come from the emulator" in said[0]) is not hosted
        assert said[: len(said) // 2] == said[len(said) // 2 :]
        assert last == f"{hosted} Ahoy."
