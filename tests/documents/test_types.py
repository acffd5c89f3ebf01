"""Type checkers accept the code of the documents, and know every argument of the constructors."""

import inspect
import json
import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path
from typing import Any

import pytest

import langchain_xai_lowcode
import llama_index_xai_lowcode
from tests.documents.test_documents import BLOCK, ROOT, blocks, classes
from xai_lowcode.errors import UsageError

COMPONENTS = (
    langchain_xai_lowcode.ChatXAILowCode,
    langchain_xai_lowcode.XAILowCodeEmbeddings,
    langchain_xai_lowcode.XAIImageGenerator,
    langchain_xai_lowcode.XAIImageGenerationTool,
    llama_index_xai_lowcode.XAILowCode,
    llama_index_xai_lowcode.XAILowCodeEmbedding,
)
# Arguments that have no effect in a constructor.
UNTYPED = {"class_name", "stream", "stream_options"}
PYTHON = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["python_version"]
# LangChain's types are stricter than its idioms: keys of content blocks and the token usage of a
# message may be missing by their types.
MYPY_OFF = ("typeddict-item", "index", "import-untyped", "import-not-found")
PYRIGHT_OFF = (
    "reportDeprecated",
    "reportGeneralTypeIssues",
    "reportMissingImports",
    "reportMissingTypeStubs",
    "reportOptionalSubscript",
    "reportPossiblyUnboundVariable",
    "reportTypedDictNotRequiredAccess",
    # The frameworks' own types are incomplete.
    "reportUnknownArgumentType",
    "reportUnknownLambdaType",
    "reportUnknownMemberType",
    "reportUnknownParameterType",
    "reportUnknownVariableType",
)


def arguments(component: Any) -> set[str]:
    """Return the names of all arguments of a component: fields, aliases and options."""
    if component.__module__.startswith("langchain"):
        return component._argument_names() | component._options
    return {*component.model_fields, *component._aliases, *component._options, *component._ignored}


def constructor_calls() -> str:
    """Return a program that passes each argument of each component."""
    lines = ["# mypy: disable-error-code=arg-type", "# pyright: reportArgumentType=false"]
    for component in COMPONENTS:
        name = component.__name__
        lines += [f"from {component.__module__.partition('.')[0]} import {name}"]
        lines += [f"{name}({each}=None)" for each in sorted(arguments(component) - UNTYPED)]
    return "\n".join(lines) + "\n"


def accepted_values() -> str:
    """Return a program with values that both type checkers accept."""
    lines = ["from pydantic import SecretStr"]
    for component in COMPONENTS:
        name = component.__name__
        lines += [
            f"from {component.__module__.partition('.')[0]} import {name}",
            f"{name}('grok-4.7', api_token='at_r0123456789', proxy='', verify='ca.pem')",
            f"{name}(api_key=SecretStr('at_r0123456789'), timeout=5, url_format='new')",
            f"{name}(api_token=lambda: 'at_r0123456789', timeout=(1, None, 2, 3))",
        ]
    lines += [
        "from langchain_xai_lowcode import web_search",
        "from llama_index_xai_lowcode import web_search as web_search_tool",
        "XAILowCode(server_tools=[web_search_tool(), web_search(), {'type': 'x_search'}])",
        "XAIImageGenerator().edit('Add snow.', ['fox.png', b'', {'type': 'image', 'url': 'x'}])",
        "ChatXAILowCode().bind_tools([web_search()], response_format=dict)",
    ]
    return "\n".join(lines) + "\n"


def refused_values() -> list[str]:
    """Return lines that both type checkers refuse."""
    others = [
        "XAILowCode(server_tools=3)",
        "XAILowCode(server_tools=['web_search'])",
        "XAIImageGenerator().edit('Add snow.', 3)",
        "XAIImageGenerator().edit('Add snow.', [3])",
        "ChatXAILowCode().bind_tools([], response_format=3)",
    ]
    constructors = (
        "{}(api_token=3)",
        "{}(api_key=3)",
        "{}(timeout='5')",
        "{}(url_format='newest')",
        "{}(http_client=3)",
        "{}('grok-4.7', 0.5)",
        "{}(unknown_argument=1)",
    )
    names = [component.__name__ for component in COMPONENTS]
    return [*others, *(line.format(name) for name in names for line in constructors)]


def in_function(cell: str) -> str:
    """Return a notebook cell as a function, since type checkers refuse ``await`` outside of one."""
    return f"async def cell() -> None:\n{textwrap.indent(cell, '    ')}"


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the programs to check to a directory, and return it."""
    directory = tmp_path_factory.mktemp("programs")
    codes = {name: "\n".join(codes) for name, codes in blocks()}
    codes |= {name: in_function(code) for name, code in codes.items() if "jupyter" in name}
    for documented in classes():
        matches = BLOCK.finditer(documented.__doc__ or "")
        name = f"class {documented.__module__} {documented.__name__}"
        codes[name] = "\n".join(textwrap.dedent(match[2]) for match in matches)
    codes |= {f"example {path.stem}": path.read_text() for path in ROOT.glob("examples/*.py")}
    codes |= {"constructor calls": constructor_calls(), "accepted values": accepted_values()}
    names = [component.__name__ for component in COMPONENTS]
    imports = [line for line in accepted_values().splitlines() if line.endswith(tuple(names))]
    codes["refused"] = "\n".join([*imports, *refused_values()])
    for name, code in codes.items():
        (directory / f"{re.sub(r'[^a-zA-Z0-9]', '_', name)}.py").write_text(code + "\n")
    return directory


def check(errors: list[tuple[str, int, str]]) -> None:
    """Assert that the errors are those of the refused lines, one or more for each."""
    assert [error for error in errors if error[0] != "refused.py"] == []
    number_of_imports = len(COMPONENTS)
    lines = {line - number_of_imports for name, line, _ in errors if name == "refused.py"}
    assert lines == set(range(1, len(refused_values()) + 1))


@pytest.mark.slow
def test_mypy_accepts_the_documents(programs: Path) -> None:
    """Mypy in strict mode reports the refused lines, and nothing else."""
    (programs / "mypy.ini").write_text(
        f"[mypy]\nstrict = true\nnamespace_packages = true\nexplicit_package_bases = true\n"
        f"python_version = {PYTHON}\n"
        f"scripts_are_modules = true\nmypy_path = {ROOT / 'shared'}:{ROOT}\n"
        # Most of the time is for the frameworks' types, which ``make types`` has stored.
        f"cache_dir = {ROOT / '.mypy_cache'}\n"
    )
    # Options of the configuration would apply to the frameworks too, and need a store of their own.
    # Modules that are not installed, such as dask's, are Any.
    options = (
        f"# mypy: disable-error-code={','.join(MYPY_OFF)!r}\n"
        "# mypy: no-warn-return-any, no-warn-unused-ignores\n"
    ).replace("'", '"')
    for path in programs.glob("*.py"):
        path.write_text(path.read_text().rstrip("\n") + f"\n\n{options}")
    command = [sys.executable, "-m", "mypy", "--no-error-summary", "--hide-error-context", "."]
    output = run(command, programs)
    found = re.findall(r"^(\S+\.py):(\d+): error: (.*)$", output, re.MULTILINE)
    assert found, output
    check([(name, int(line), message) for name, line, message in found])


@pytest.mark.slow
def test_pyright_accepts_the_documents(programs: Path) -> None:
    """Pyright in strict mode reports the refused lines, and nothing else."""
    settings = {
        "typeCheckingMode": "strict",
        "extraPaths": [str(ROOT / "shared"), str(ROOT)],
        **dict.fromkeys(PYRIGHT_OFF, False),
    }
    (programs / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "--pythonpath", sys.executable]
    output = run([*command, "."], programs)
    report = json.loads(output[output.index("{") :])
    check(
        [
            (Path(each["file"]).name, each["range"]["start"]["line"] + 1, each["message"])
            for each in report["generalDiagnostics"]
            if each["severity"] == "error"
        ]
    )


def run(command: list[str], directory: Path) -> str:
    """Run a type checker, which exits with 1 if it reports errors."""
    result = subprocess.run(
        command, cwd=directory, capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 1, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def signatures() -> dict[str, dict[str, list[str]]]:
    """Names of arguments and fields of each component, as a new interpreter shows them."""
    program = textwrap.dedent(f"""
        import inspect, json, langchain_xai_lowcode, llama_index_xai_lowcode
        found = {{}}
        for name in {[component.__name__ for component in COMPONENTS]}:
            package = langchain_xai_lowcode
            component = getattr(package, name, None) or getattr(llama_index_xai_lowcode, name)
            before = str(inspect.signature(component))
            names = list(inspect.signature(component).parameters)
            component(api_token="at_r0123456789abcdef")
            found[name] = {{
                "texts": [before, str(inspect.signature(component))],
                "names": names,
                "of init": list(inspect.signature(component.__init__).parameters)[1:],
                "fields": list(component.model_fields),
            }}
        print(json.dumps(found))
    """)
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    found: dict[str, dict[str, list[str]]] = json.loads(result.stdout)
    return found


@pytest.mark.parametrize("component", COMPONENTS)
def test_signatures_show_every_field(
    component: Any, signatures: dict[str, dict[str, list[str]]]
) -> None:
    """Before the first instance and after it, with the model first, as IPython reads them."""
    shown = signatures[component.__name__]
    before, after = shown["texts"]
    assert before == after
    assert shown["names"] == shown["of init"] == shown["fields"]
    first, *others = inspect.signature(component).parameters.values()
    assert first.name in {"model", "model_name"}
    assert first.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert {each.kind for each in others} == {inspect.Parameter.KEYWORD_ONLY}
    model = component("grok-x", api_token="at_r0123456789abcdef")
    assert getattr(model, first.name) == "grok-x"


@pytest.mark.parametrize("component", COMPONENTS)
def test_one_positional_argument(component: Any) -> None:
    """Others need their names; the model is not passed twice."""
    name = "model" if "model" in component.model_fields else "model_name"
    with pytest.raises(UsageError, match=name):
        component("grok-x", 0.5, api_token="at_r0123456789abcdef")
    with pytest.raises(UsageError, match=name):
        component("grok-x", **{name: "grok-y"}, api_token="at_r0123456789abcdef")
