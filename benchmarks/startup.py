"""Fresh processes: importing, making a model, the first answer, memory and its slope."""

import json
import os
import subprocess
import sys
from statistics import median

# Everything is timed from inside the process, in CPU time; what is imported is named first.
_MEASURE = """
import json, sys, time
def cpu(): return time.process_time_ns() / 1e6
def megabytes(what):
    # Not getrusage's: that maximum is handed down by the process which began this one.
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith(what))
begun = cpu()
{imports}
imported, modules = cpu() - begun, len(sys.modules)
rss = megabytes("VmRSS")
{made}
{answered}
first = cpu() - begun
peak = megabytes("VmHWM")
def once():
    begun = time.perf_counter_ns()
    {made}
    return (time.perf_counter_ns() - begun) / 1e6
made = sorted(once() for _ in range(25))[12]
print(json.dumps({{
    "import": imported, "modules": modules, "rss": rss, "first": first, "peak": peak, "made": made
}}))
"""
_BARE_LANGCHAIN = "from langchain_core.language_models import chat_models"
_BARE_LLAMA = "from llama_index.core.llms.function_calling import FunctionCallingLLM"
_QUESTION = "{{'model': 'm', 'messages': [{{'role': 'user', 'content': 'x'}}]}}"
_BY_HAND = (
    "client = httpx.Client()",
    f"json.loads(client.post('{{bare}}/chat/completions', json={_QUESTION}).content)",
)
_CHAT = "llm.chat([ChatMessage(role='user', content='x')])"
_MESSAGE = "from llama_index.core.base.llms.types import ChatMessage"
# Name: what is imported, how the model is made, how it is asked.
PROCESSES: dict[str, tuple[str, str, str]] = {
    "LangChain + httpx": (f"{_BARE_LANGCHAIN}; import httpx", *_BY_HAND),
    "xai-lowcode, LangChain": (
        "from langchain_xai_lowcode import ChatXAILowCode",
        "llm = ChatXAILowCode(api_token='{token}', base_url='{wrapped}')",
        "llm.invoke('x')",
    ),
    "langchain-openai": (
        "from langchain_openai import ChatOpenAI",
        "llm = ChatOpenAI(model='m', api_key='{token}', base_url='{bare}')",
        "llm.invoke('x')",
    ),
    "langchain-xai": (
        "from langchain_xai import ChatXAI",
        "llm = ChatXAI(model='m', api_key='{token}', xai_api_base='{bare}/')",
        "llm.invoke('x')",
    ),
    "LlamaIndex + httpx": (f"{_BARE_LLAMA}; import httpx", *_BY_HAND),
    "xai-lowcode, LlamaIndex": (
        f"from llama_index_xai_lowcode import XAILowCode; {_MESSAGE}",
        "llm = XAILowCode(api_token='{token}', base_url='{wrapped}')",
        _CHAT,
    ),
    "llama-index OpenAILike": (
        f"from llama_index.llms.openai_like import OpenAILike; {_MESSAGE}",
        "llm = OpenAILike(model='m', api_key='{token}', api_base='{bare}', is_chat_model=True)",
        _CHAT,
    ),
}
_LOOP = """
import resource, sys
{imports}
{made}
def used():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1024
for _ in range(500): {answered}
before = used()
for _ in range({calls}): {answered}
print((used() - before) / {calls})
"""


def started(address: str, token: str, runs: int) -> dict[str, dict[str, float]]:
    """Milliseconds, modules and megabytes of fresh processes, in turns; medians.

    Everybody has a first run that is not counted, which leaves the modules compiled, as pip does.
    """
    places = {"bare": f"{address}/short/v1", "wrapped": f"{address}/short/xai", "token": token}
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in PROCESSES}
    for turn in range(runs + 1):
        for name, (imports, made, answered) in PROCESSES.items():
            script = _MEASURE.format(
                imports=imports, made=made.format(**places), answered=answered.format(**places)
            )
            found = json.loads(_run(script))
            if turn:
                taken[name].append(found)
    return {
        name: {key: median(one[key] for one in found) for key in found[0]}
        for name, found in taken.items()
    }


def slope(address: str, token: str, calls: int) -> dict[str, float]:
    """Kilobytes of memory a call, over so many calls after the first 500."""
    places = {"bare": f"{address}/short/v1", "wrapped": f"{address}/short/xai", "token": token}
    return {
        name: float(
            _run(
                _LOOP.format(
                    imports=imports,
                    made=made.format(**places),
                    answered=answered.format(**places),
                    calls=calls,
                )
            )
        )
        for name, (imports, made, answered) in PROCESSES.items()
        if name.startswith("xai-lowcode")
    }


def _run(script: str) -> str:
    # Where nothing compiled may be kept, every process would compile what it imports.
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=env
    )
    return done.stdout
