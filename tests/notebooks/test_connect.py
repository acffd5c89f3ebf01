"""`connect` finds the token, or starts the emulator, and prints where the responses come from."""

import getpass
import os
import sys
import warnings
from itertools import product
from types import ModuleType
from typing import Any

import pytest

from langchain_xai_lowcode import ChatXAILowCode
from xai_lowcode import notebook
from xai_lowcode.emulator import running
from xai_lowcode.errors import UsageError
from xai_lowcode.settings import BASE_URL_VARIABLE, DEFAULT_BASE_URL, TOKEN_VARIABLE

SOURCES = ("environment", "colab", "kaggle", "prompt")
OWN_URL = "https://gateway.example/xai"
# What a shell, a kernel without a frontend, pytest and a terminal that would show the token do.
NO_INPUT = (EOFError(), NotImplementedError(), OSError(), getpass.GetPassWarning())


def token_of(source: str) -> str:
    """Return a token that names its source."""
    return f"at_{source}0123456789"


@pytest.fixture(autouse=True)
def _no_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """Provide no token, and restore the environment."""
    for name in (TOKEN_VARIABLE, BASE_URL_VARIABLE):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    provide(monkeypatch, "prompt", "")


def provide(monkeypatch: pytest.MonkeyPatch, source: str, token: str | Exception) -> None:
    """Provide a token by a source, or make the source raise."""

    def read(*_: str) -> str:
        if isinstance(token, getpass.GetPassWarning):
            warnings.warn(token, stacklevel=2)
            return token_of(source)  # after this warning, Python reads and shows the input
        if isinstance(token, Exception):
            raise token
        return str(token)

    if source == "environment":
        monkeypatch.setenv(TOKEN_VARIABLE, str(token))
    elif source == "prompt":
        monkeypatch.setattr(notebook, "getpass", read)
    elif source == "colab":
        monkeypatch.setitem(sys.modules, "google.colab.userdata", module(get=read))
    else:
        client = type("UserSecretsClient", (), {"get_secret": read})
        monkeypatch.setitem(sys.modules, "kaggle_secrets", module(UserSecretsClient=client))


def module(**names: Any) -> ModuleType:
    """Return a module with these names."""
    created = ModuleType("created")
    vars(created).update(names)
    return created


@pytest.mark.parametrize("emulator_only", [False, True])
@pytest.mark.parametrize("present", list(product([False, True], repeat=len(SOURCES))))
def test_the_first_source_with_a_token_is_used(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    present: tuple[bool, ...],
    *,
    emulator_only: bool,
) -> None:
    """The sources are tried in order; without a token, or on demand, the emulator is used."""
    with_token = [source for source, has in zip(SOURCES, present, strict=True) if has]
    for source in with_token:
        provide(monkeypatch, source, token_of(source))
    emulator = notebook.connect(emulator_only=emulator_only)
    printed = capsys.readouterr().out
    if with_token and not emulator_only:
        assert emulator is None
        assert os.environ[TOKEN_VARIABLE] == token_of(with_token[0])
        assert f"come from Grok, through {DEFAULT_BASE_URL}." in printed
    else:
        assert emulator is not None
        assert emulator is notebook.connect(emulator_only=emulator_only)
        assert capsys.readouterr().out == printed
        assert "come from the emulator" in printed.splitlines()[0]
        assert ("always uses the emulator" in printed) is emulator_only
        assert ChatXAILowCode().invoke("Say 'Ahoy.'").text == "Ahoy."
    assert not any(token_of(source) in printed for source in SOURCES)


@pytest.mark.parametrize("error", NO_INPUT, ids=repr)
@pytest.mark.parametrize("source", SOURCES[1:])
def test_a_source_that_fails_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, source: str, error: Exception
) -> None:
    """A missing secret, or a prompt where nothing can be entered, raises no error."""
    provide(monkeypatch, source, error)
    assert notebook.connect() is not None


@pytest.mark.parametrize("base_url", [None, OWN_URL])
@pytest.mark.parametrize("emulator_only", [False, True])
def test_a_token_can_be_entered_later(
    monkeypatch: pytest.MonkeyPatch, base_url: str | None, *, emulator_only: bool
) -> None:
    """The base URL of before the emulator is used again, so that no other host gets the token."""
    if base_url:
        monkeypatch.setenv(BASE_URL_VARIABLE, base_url)
    notebook.connect(emulator_only=emulator_only)
    assert os.environ[BASE_URL_VARIABLE] != base_url
    provide(monkeypatch, "prompt", token_of("prompt"))
    assert notebook.connect() is None
    assert os.environ[TOKEN_VARIABLE] == token_of("prompt")
    assert os.environ.get(BASE_URL_VARIABLE) == base_url


def test_the_token_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models without arguments send the token to the base URL of the environment."""
    with running() as gateway:
        monkeypatch.setenv(BASE_URL_VARIABLE, gateway.base_url)
        provide(monkeypatch, "colab", gateway.api_token)
        assert notebook.connect() is None
        assert ChatXAILowCode().invoke("Say 'Ahoy.'").text == "Ahoy."
        assert len(gateway.requests) == 1


@pytest.mark.parametrize("source", SOURCES)
def test_an_invalid_token_is_reported_and_forgotten(
    monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    """The error names the field, not the token, and a prompted token can be entered again."""
    provide(monkeypatch, source, "xai-0123456789abcdef")
    with pytest.raises(UsageError, match="api_token") as raised:
        notebook.connect()
    assert "0123456789abcdef" not in str(raised.value)
    if source != "environment":
        assert TOKEN_VARIABLE not in os.environ
