"""Run ordinary queries through the search of the built site: `python docs/searching.py site`.

A headless Chromium or Chrome types each query into the search field of the site. Each query must
find its page among the first three.
"""

import functools
import http.server
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

PLACES = 3
SECONDS = 20
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
# Pages, by their paths on the site ("./": the home page), and queries; each must find one of them.
QUERIES = {
    "how-to/tool-calling/ how-to/llama-index-agents/": ["FunctionAgent"],
    "how-to/tool-calling/ how-to/token-usage/": ["stream an agent", "stream_mode", "cost of a run"],
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
        "partial objects",
        "nested lists",
        "stream structured output",
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
        "corporate proxy",
        "REQUESTS_CA_BUNDLE",
    ],
    "how-to/batches/": ["resume", "jsonl", "cost limit"],
    "how-to/testing/": [
        "testing",
        "pytest",
        "fixture",
        "emulator",
        "mock",
        "fake model",
        "fault injection",
        "async test",
    ],
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
FIELD = "[data-md-component=search-query]"
STATUS = ".md-search-result__meta"
RESULTS = ".md-search-result__item > .md-search-result__link"
# The field's own script searches at each input event.
TYPE = """
const [field, text] = arguments;
field.focus();
field.value = text;
field.dispatchEvent(new Event("input", {bubbles: true}));
field.dispatchEvent(new Event("keyup", {bubbles: true}));
"""


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files without a log."""

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def serve(site: Path) -> Iterator[str]:
    """Serve the site on a free port of this machine; yield its URL."""
    handler = functools.partial(QuietHandler, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextmanager
def open_browser() -> Iterator[webdriver.Chrome]:
    """Start a headless browser that is on the path."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        sys.exit("Install Chromium and chromedriver: the search is tested in a browser.")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in ("headless", "no-sandbox", "disable-gpu", "disable-background-networking"):
        options.add_argument(f"--{argument}")
    chrome = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        yield chrome
    finally:
        chrome.quit()


def find(chrome: webdriver.Chrome, query: str) -> list[str]:
    """Type a query into the search field; return the paths of the pages found, best first."""
    field = chrome.find_element(By.CSS_SELECTOR, FIELD)
    wait = WebDriverWait(chrome, SECONDS, poll_frequency=0.02)

    def read_status(_: object = None) -> str:
        return chrome.find_element(By.CSS_SELECTOR, STATUS).get_attribute("textContent") or ""

    chrome.execute_script(TYPE, field, "")
    wait.until(lambda _: "Type to start" in read_status())
    chrome.execute_script(TYPE, field, query)
    wait.until(lambda _: "matching document" in read_status())
    links = chrome.execute_script(
        "return [...document.querySelectorAll(arguments[0])].map(link => link.href)", RESULTS
    )
    # A page has a link for itself and one for each section.
    return list(dict.fromkeys(urlsplit(link).path.lstrip("/") or "./" for link in links))


def main(site: Path) -> int:
    """Run the queries, print those that miss their page, and return their number."""
    with serve(site) as url, open_browser() as chrome:
        chrome.get(url)
        found = {
            (wanted, query): find(chrome, query)
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
