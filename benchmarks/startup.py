"""New processes: import time, construction, first response, memory, and memory growth."""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from statistics import median
from typing import NamedTuple

from benchmarks.inputs import TOKEN


class Program(NamedTuple):
    """The statements of a process. URLs and the token are placeholders."""

    imports: str
    construct: str
    call: str


@dataclass(frozen=True)
class Startup:
    """Measurements of a new process.

    Attributes:
        import_time: CPU time of the imports in milliseconds.
        modules: Number of imported modules.
        memory: Resident memory after the imports in MB.
        first_response: CPU time from the imports to the first response in milliseconds.
        peak_memory: Largest resident memory up to the first response in MB.
        construction: Wall time of constructing a client once more in milliseconds.
    """

    import_time: float
    modules: float
    memory: float
    first_response: float
    peak_memory: float
    construction: float


# CPU time is measured in the process, after the imports of the measurement itself.
_STARTUP_SCRIPT = """
import json, sys, time
def cpu_time(): return time.process_time_ns() / 1e6
def memory(key):
    # getrusage() would report the maximum of the parent process if that is larger.
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith(key))
start = cpu_time()
{imports}
import_time, modules = cpu_time() - start, len(sys.modules)
memory_after_import = memory("VmRSS")
{construct}
{call}
first_response = cpu_time() - start
peak_memory = memory("VmHWM")
def construct():
    start = time.perf_counter_ns()
    {construct}
    return (time.perf_counter_ns() - start) / 1e6
construction = sorted(construct() for _ in range(25))[12]
print(json.dumps({{
    "import_time": import_time, "modules": modules, "memory": memory_after_import,
    "first_response": first_response, "peak_memory": peak_memory, "construction": construction,
}}))
"""
_MEMORY_SCRIPT = """
import resource
{imports}
{construct}
def memory():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1024
for _ in range(500): {call}
before = memory()
for _ in range({calls}): {call}
print((memory() - before) / {calls})
"""
_BODY = "{{'model': 'm', 'messages': [{{'role': 'user', 'content': 'x'}}]}}"
_HTTPX_CONSTRUCT = "client = httpx.Client()"
_HTTPX_CALL = f"json.loads(client.post('{{url}}/chat/completions', json={_BODY}).content)"
_LLAMA_INDEX_CALL = "llm.chat([ChatMessage(role='user', content='x')])"
_LLAMA_INDEX_IMPORT = "from llama_index.core.base.llms.types import ChatMessage"
_LANGCHAIN_BASE = "from langchain_core.language_models import chat_models; import httpx"
_LLAMA_INDEX_BASE = (
    "from llama_index.core.llms.function_calling import FunctionCallingLLM; import httpx"
)
_MINIMAL_IMPORT = (
    "from benchmarks.backends import HttpxBackend; from benchmarks.inputs import ClientConfig"
)
_MINIMAL_BACKEND = "HttpxBackend(ClientConfig('{scenario_url}', 'chat_completions'))"
_PROGRAMS = {
    "LangChain + httpx": Program(_LANGCHAIN_BASE, _HTTPX_CONSTRUCT, _HTTPX_CALL),
    "minimal model, LangChain": Program(
        f"{_LANGCHAIN_BASE}; {_MINIMAL_IMPORT};"
        " from benchmarks.baselines import build_langchain_model",
        f"llm = build_langchain_model({_MINIMAL_BACKEND})",
        "llm.invoke('x')",
    ),
    "xai-lowcode, LangChain": Program(
        "from langchain_xai_lowcode import ChatXAILowCode",
        "llm = ChatXAILowCode(api_token='{token}', base_url='{gateway_url}')",
        "llm.invoke('x')",
    ),
    "langchain-openai": Program(
        "from langchain_openai import ChatOpenAI",
        "llm = ChatOpenAI(model='m', api_key='{token}', base_url='{url}')",
        "llm.invoke('x')",
    ),
    "langchain-xai": Program(
        "from langchain_xai import ChatXAI",
        "llm = ChatXAI(model='m', api_key='{token}', xai_api_base='{url}/')",
        "llm.invoke('x')",
    ),
    "LlamaIndex + httpx": Program(_LLAMA_INDEX_BASE, _HTTPX_CONSTRUCT, _HTTPX_CALL),
    "minimal model, LlamaIndex": Program(
        f"{_LLAMA_INDEX_BASE}; {_LLAMA_INDEX_IMPORT}; {_MINIMAL_IMPORT};"
        " from benchmarks.baselines import build_llama_index_model",
        f"llm = build_llama_index_model({_MINIMAL_BACKEND})",
        _LLAMA_INDEX_CALL,
    ),
    "xai-lowcode, LlamaIndex": Program(
        f"from llama_index_xai_lowcode import XAILowCode; {_LLAMA_INDEX_IMPORT}",
        "llm = XAILowCode(api_token='{token}', base_url='{gateway_url}')",
        _LLAMA_INDEX_CALL,
    ),
    "llama-index OpenAILike": Program(
        f"from llama_index.llms.openai_like import OpenAILike; {_LLAMA_INDEX_IMPORT}",
        "llm = OpenAILike(model='m', api_key='{token}', api_base='{url}', is_chat_model=True)",
        _LLAMA_INDEX_CALL,
    ),
}


def measure_startup(server_url: str, runs: int) -> dict[str, Startup]:
    """Measure new processes.

    The first run is not counted: it compiles the modules, as pip does.

    Args:
        server_url: URL of the server.
        runs: Number of counted processes for each program.

    Returns:
        Medians by the name of the program.
    """
    samples: dict[str, list[Startup]] = {name: [] for name in _PROGRAMS}
    for run in range(runs + 1):
        for name, program in _PROGRAMS.items():
            output = _run_script(_STARTUP_SCRIPT, program, server_url)
            if run:
                samples[name].append(Startup(**json.loads(output)))
    return {name: _medians(processes) for name, processes in samples.items()}


def measure_memory_growth(server_url: str, calls: int) -> dict[str, float]:
    """Measure how memory of this package grows, in KB per call, after 500 calls.

    Args:
        server_url: URL of the server.
        calls: Number of calls over which the growth is measured.
    """
    return {
        name: float(_run_script(_MEMORY_SCRIPT, program, server_url, calls=calls))
        for name, program in _PROGRAMS.items()
        if name.startswith("xai-lowcode")
    }


def _medians(processes: list[Startup]) -> Startup:
    rows = [asdict(process) for process in processes]
    return Startup(**{field: median(row[field] for row in rows) for field in rows[0]})


def _run_script(script: str, program: Program, server_url: str, **values: int) -> str:
    """Run a script in a new process and return its output."""
    scenario_url = f"{server_url}/short"
    urls = {
        "scenario_url": scenario_url,
        "url": f"{scenario_url}/v1",
        "gateway_url": f"{scenario_url}/xai",
    }
    code = script.format(
        imports=program.imports,
        construct=program.construct.format(**urls, token=TOKEN),
        call=program.call.format(**urls, token=TOKEN),
        **values,
    )
    # With this variable, every process would compile the modules that it imports.
    env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.run(  # noqa: S603 - a script of this module
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env
    )
    return process.stdout
