"""Run ordinary queries through the search of the built site: `python docs/searching.py site`.

The site's own search worker runs in V8. Each query must find its page among the first three.
"""

import json
import sys
from pathlib import Path

from py_mini_racer import MiniRacer

PLACES = 3
# Pages, by their paths on the site ("./": the home page), and queries; each must find one of them.
QUERIES = {
    "how-to/tool-calling/ how-to/llama-index-agents/": ["FunctionAgent"],
    "./": ["install", "pip install", "pypi"],
    "how-to/web-servers/": [
        "fastapi",
        "docker",
        "kubernetes",
        "client disconnect",
        "graceful shutdown",
        "health check",
    ],
    "how-to/observability/": ["langsmith", "opentelemetry", "logging", "tracing"],
    "how-to/caching/": [
        "prompt cache",
        "caching price",
        "price of cached input",
        "cached_input_usd_per_million",
    ],
    "tutorial/langchain/": ["langchain quickstart", "langchain tutorial"],
    "tutorial/llama-index/": ["llamaindex quickstart", "llamaindex tutorial"],
    "how-to/streaming/": [
        "streaming",
        "stream tokens",
        "stop sequences",
        "chunk",
        "end-of-stream marker",
        "interrupted stream",
        "stop",
        "astream",
        "async streaming",
    ],
    "how-to/structured-output/": [
        "structured output",
        "json schema",
        "pydantic",
        "with_structured_output",
        "json mode",
    ],
    "how-to/reasoning/": [
        "reasoning",
        "reasoning_effort",
        "reasoning effort",
        "set the effort",
        "effort levels",
        "thinking",
        "encrypted reasoning",
        "reasoning tokens",
    ],
    "how-to/conversation-state/": [
        "conversation state",
        "previous_response_id",
        "chat history",
        "server-side conversation state",
        "memory",
    ],
    "scaling/": ["scaling", "million prompts", "cost estimate"],
    "how-to/deferred-completions/": ["deferred completions", "polling", "background"],
    "how-to/token-usage/": [
        "token usage",
        "token usage and cost",
        "cost",
        "price per call",
        "count tokens",
        "cached tokens",
        "budget",
    ],
    "how-to/tool-calling/": [
        "tool calling",
        "function calling",
        "agents",
        "bind_tools",
        "create_agent",
        "langgraph",
        "human in the loop",
        "human-in-the-loop",
        "tool_choice",
        "parallel tool calls",
    ],
    "how-to/server-side-tools/": [
        "server-side tools",
        "web search",
        "live search",
        "citations",
        "sources",
        "code interpreter",
        "mcp",
    ],
    "how-to/images/": [
        "image generation",
        "generate images",
        "edit image",
        "aspect ratio",
        "image tool",
    ],
    "how-to/image-input/": [
        "image input",
        "vision",
        "pdf",
        "send a pdf",
        "multimodal",
        "upload documents",
    ],
    "how-to/retrieval/": ["rag", "retrieval", "embeddings", "vector store", "query engine"],
    "how-to/errors/": ["errors", "retry", "retries", "max_retries", "fallback", "exceptions"],
    "concurrency/": [
        "max_concurrency",
        "rate limit",
        "rate_limiter",
        "concurrency",
        "concurrent requests",
        "429",
        "abatch",
    ],
    "how-to/production/": [
        "production",
        "proxy",
        "timeout",
        "timeouts",
        "ssl certificate",
        "ca bundle",
    ],
    "how-to/testing/": ["testing", "pytest", "fixture", "emulator", "mock", "fault injection"],
    "how-to/vcr-cassettes/": ["vcr", "cassettes", "record responses"],
    "gateway/": ["gateway endpoints", "upload file", "list models", "tokenize"],
    "command-line/": ["command line", "cli", "doctor"],
    "coming-from-langchain/": ["ChatXAI", "chatopenai", "migrate from langchain-xai"],
    "coming-from-llama-index/": ["OpenAILike", "openailike", "migrate from OpenAILike"],
    "troubleshooting/": [
        "troubleshooting",
        "invalid api token",
        "base url",
        "LOWCODEAPI_API_TOKEN",
        "moved to model_kwargs",
        "unresolvable $ref",
        "certificate verify failed",
        "not supported by chat_completions",
        "unknown parameter",
        "connection refused",
        "Incorrect API key provided",
        "content policy",
        "context length",
    ],
    "feature-comparison/": ["feature comparison", "alternatives", "comparison with ChatXAI"],
    "architecture/": ["architecture", "design"],
    "apis/": ["responses api", "messages api", "supported options"],
    "explanation/url-formats/": ["url format", "envelope"],
    "explanation/token-accounting/": ["token accounting"],
    "performance/": ["performance", "benchmarks", "overhead", "import time"],
    "security/": ["security", "token leak", "vulnerability report"],
    "changelog/": ["changelog", "release notes"],
}
PRELUDE = """
var self = globalThis, handlers = [], sent = [];
var console = {warn() {}};
var addEventListener = (type, handler) => handlers.push(handler);
var postMessage = message => sent.push(message);
var send = (type, data) => { sent.length = 0; handlers[0]({data: {type, data}}); };
"""


def find(worker: MiniRacer, query: str) -> list[str]:
    """Return the paths of the pages that a query finds, best first."""
    worker.eval(f"send(2, {json.dumps(query)})")
    found = worker.eval("JSON.stringify(sent[0].data.items.map(sections => sections[0].location))")
    return [location.partition("#")[0] or "./" for location in json.loads(str(found))]


def main(site: Path) -> int:
    """Run the queries, print those that miss their page, and return their number."""
    index = json.loads((site / "search" / "search_index.json").read_text("utf-8"))
    (script,) = site.glob("assets/javascripts/workers/search.*.min.js")
    with MiniRacer() as worker:
        worker.eval(PRELUDE + script.read_text("utf-8"))
        worker.eval(f"send(0, {json.dumps({**index, 'options': {}})})")
        found = {
            (wanted, query): find(worker, query)
            for wanted, queries in QUERIES.items()
            for query in queries
        }
    missed = 0
    for (wanted, query), pages in found.items():
        if not set(wanted.split()) & set(pages[:PLACES]):
            missed += 1
            print(f"{query!r} does not find {wanted} but {', '.join(pages[:PLACES]) or 'nothing'}")
    print(f"{len(found) - missed} of {len(found)} queries find their page")
    return missed


if __name__ == "__main__":
    sys.exit(min(main(Path(sys.argv[1])), 1))
