"""Images that cannot be written are not paid for, and invalid ones leave no file behind."""

import os
from pathlib import Path

import pytest

from tests.cli.commands import Run
from xai_lowcode.emulator import Emulator
from xai_lowcode.errors import InvalidResponseError
from xai_lowcode.types.images import Image


def test_a_folder_that_cannot_be_written_to(
    run: Run, gateway: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder without the permission to write is refused before the request."""
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    for out in (tmp_path, tmp_path / "fox"):
        result = run("image", "A fox", "--out", str(out))
        assert (result.exit_code, "--out" in result.stderr) == (2, True)
    assert gateway.requests == []


def test_invalid_data_leaves_no_file(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the data of an image is invalid, no empty file is left."""

    def raise_invalid(_image: Image) -> bytes:
        raise InvalidResponseError("The image data is not valid base64.")

    monkeypatch.setattr(Image, "content", property(raise_invalid))
    result = run("image", "A fox", "--out", str(tmp_path))
    assert (result.exit_code, "base64" in result.stderr) == (1, True)
    assert list(tmp_path.iterdir()) == []
