"""The pytest fixture: reset for every test, and started when it is first used."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import httpx

from xai_lowcode.emulator import Emulator, Refuse
from xai_lowcode.emulator.pytest_plugin import (
    _xai_lowcode_server,
    xai_lowcode_gateway,
)

PLUGIN = "xai_lowcode.emulator.pytest_plugin"
FIXTURES = (_xai_lowcode_server, xai_lowcode_gateway)
TESTS = """
    import os
    import sys

    def test_unused():
        loaded = {name for name in sys.modules if name.startswith("xai_lowcode.emulator.")}
        assert loaded == {"xai_lowcode.emulator.pytest_plugin"}
        assert not {"uvicorn", "PIL"} & sys.modules.keys()
        assert "LOWCODEAPI_API_TOKEN" not in os.environ

    def test_used(xai_lowcode_gateway):
        from xai_lowcode.emulator import Refuse

        assert os.environ["LOWCODEAPI_API_TOKEN"] == xai_lowcode_gateway.api_token
        assert os.environ["LOWCODEAPI_BASE_URL"] == xai_lowcode_gateway.base_url
        xai_lowcode_gateway.inject(Refuse(500))
        xai_lowcode_gateway.envelope = "bare"
        xai_lowcode_gateway.add_file("a", b"")

    def test_as_good_as_new(xai_lowcode_gateway):
        assert xai_lowcode_gateway.next_fault() is None
        assert xai_lowcode_gateway.envelope == "result"
        assert not xai_lowcode_gateway.store.files

    def test_gone():
        assert "LOWCODEAPI_API_TOKEN" not in os.environ
"""


def test_in_a_separate_pytest_session(tmp_path: Path) -> None:
    """The fixture is available, reset for every test, and imports nothing before its use."""
    (tmp_path / "test_app.py").write_text(textwrap.dedent(TESTS), encoding="utf-8")
    environment = {
        **{name: text for name, text in os.environ.items() if not name.startswith("LOWCODEAPI")},
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", PLUGIN, "-p", "no:cacheprovider", "."]
    result = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert "4 passed" in result.stdout, result.stdout + result.stderr


def test_the_fixture_is_an_emulator(xai_lowcode_gateway: Emulator) -> None:
    """The fixture is a running emulator with faults and recorded requests."""
    xai_lowcode_gateway.inject(Refuse(503))
    url = os.environ["LOWCODEAPI_BASE_URL"] + "/v1/models"
    query = {"api_token": os.environ["LOWCODEAPI_API_TOKEN"]}
    statuses = [httpx.get(url, params=query, trust_env=False).status_code for _ in range(2)]
    assert statuses == [503, 200]
    assert len(xai_lowcode_gateway.requests) == 2


def test_ids_repeat_from_test_to_test(xai_lowcode_gateway: Emulator) -> None:
    """Generated ids are the same after a reset."""
    names = []
    for _ in range(2):
        xai_lowcode_gateway.reset()
        names.append(xai_lowcode_gateway.add_file("a", b""))
    assert names[0] == names[1]
