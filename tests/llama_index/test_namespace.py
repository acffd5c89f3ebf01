"""The namespace packages of `llama_index` that re-export the classes."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KINDS = ("embeddings", "llms", "tools")
PARTS = [
    f"llama_index/{kind}/xai_lowcode/{name}"
    for kind in KINDS
    for name in ("__init__.py", "py.typed")
]
USES = """
from llama_index.core.llms import ChatMessage
from llama_index.embeddings.xai_lowcode import XAILowCodeEmbedding
from llama_index.llms.other import Other
from llama_index.llms.xai_lowcode import XAILowCode
import llama_index, llama_index.embeddings, llama_index.llms, llama_index.tools
import llama_index_xai_lowcode
import llama_index.tools.xai_lowcode as tools
assert XAILowCode is llama_index_xai_lowcode.XAILowCode
assert XAILowCodeEmbedding is llama_index_xai_lowcode.XAILowCodeEmbedding
for name in tools.__all__:
    assert getattr(tools, name) is getattr(llama_index_xai_lowcode, name)
for namespace in (llama_index, llama_index.llms, llama_index.embeddings, llama_index.tools):
    assert namespace.__file__ is None
print(Other, llama_index_xai_lowcode.__file__)
"""


# Finds the same modules, and imports only the namespaces: the import of LlamaIndex takes seconds.
FINDS = """
import importlib.util, llama_index, llama_index.embeddings, llama_index.llms, llama_index.tools
from llama_index.llms.other import Other
for namespace in (llama_index, llama_index.llms, llama_index.embeddings, llama_index.tools):
    assert namespace.__file__ is None
assert importlib.util.find_spec("llama_index.core").origin
print(Other)
for kind in ("embeddings", "llms", "tools"):
    print(importlib.util.find_spec(f"llama_index.{kind}.xai_lowcode").origin)
"""


def build_and_unpack(kind: str, folder: Path) -> list[str]:
    """Build a wheel, unpack it, and return the names of its files."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        wheel.extractall(folder)
        return wheel.namelist()


@pytest.mark.parametrize(
    ("kind", "program"), [("wheel", USES), ("wheel:editable", FINDS)], ids=["wheel", "editable"]
)
def test_installed_namespace_packages(tmp_path: Path, kind: str, program: str) -> None:
    """Each wheel adds its modules, typed, and no `__init__.py` that would end a namespace.

    With a namespace package of another distribution, both can be imported, and LlamaIndex too.
    """
    names = build_and_unpack(kind, tmp_path)
    assert sorted(name for name in names if name.startswith("llama_index/")) == PARTS
    assert all((tmp_path / name).read_bytes() == (ROOT / name).read_bytes() for name in PARTS)
    other = tmp_path / "other" / "llama_index" / "llms" / "other"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("Other = 'another package'\n")
    paths = f"{tmp_path / 'other'}{os.pathsep}{tmp_path}"
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths},
        check=False,
        capture_output=True,
        text=True,
    )
    assert result.stderr == ""
    assert "another package" in result.stdout
    if program == FINDS:
        found = [line for line in result.stdout.splitlines() if line.endswith(".py")]
        assert found == [str(tmp_path / name) for name in PARTS if name.endswith(".py")]


def test_the_sources_have_no_init_file_in_the_namespace() -> None:
    """The source folder has no `__init__.py` that would end a namespace."""
    for folder in ("llama_index", *(f"llama_index/{kind}" for kind in KINDS)):
        assert not (ROOT / folder / "__init__.py").exists()
