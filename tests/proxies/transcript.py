"""What a proxy reads of each interface: ``python -m tests.proxies.transcript`` prints it.

There is one block for each way to name the proxy, and ``at_***`` in place of the token.
"""

import sys
from collections.abc import Iterator

from tests.proxies.hosts import HTTP_URL, HTTPS_URL, Hosts, hosts, routes
from tests.proxies.interfaces import INTERFACES, QUOTED_TOKEN, TOKEN
from tests.proxies.proxy_settings import HTTP_WAYS, HTTPS_WAYS
from tests.proxies.raw_proxy import RawProxy
from xai_lowcode.errors import XAILowCodeError

WAYS = {"environment": "environment", "setting": "setting", "injected client": "httpx client"}
PRINTED = {
    "LangChain, sync": "langchain invoke",
    "LangChain, async": "langchain ainvoke",
    "LlamaIndex, sync": "llama_index chat",
    "LlamaIndex, async": "llama_index achat",
    "LangChain image, sync": "langchain image",
    "LangChain image, async": "langchain aimage",
    "LlamaIndex image, sync": "llama_index image",
    "LlamaIndex image, async": "llama_index aimage",
}


def transcript(within: Hosts, way: str, name: str, base_url: str = HTTPS_URL) -> list[str]:
    """The request lines that a proxy reads of one call.

    Args:
        within: The servers.
        way: How the proxy is named: a row of ``HTTPS_WAYS``.
        name: What is called: a row of ``INTERFACES``.
        base_url: The gateway's base URL.

    Raises:
        XAILowCodeError: The call failed; the lines are in its notes.
    """
    ways = HTTPS_WAYS if base_url == HTTPS_URL else HTTP_WAYS
    with RawProxy(routes(within.emulator, within.gateway)) as proxy:
        try:
            ways[way].call(
                INTERFACES[name],
                proxy.url,
                within.certificates,
                base_url=base_url,
                allow_insecure_http=True,
            )
        except XAILowCodeError as error:
            for line in proxy.lines:
                error.add_note(masked(line))
            raise
        return [masked(line) for line in proxy.lines]


def masked(line: str) -> str:
    """A request line without the token."""
    return line.replace(QUOTED_TOKEN, "at_***").replace(TOKEN, "at_***")


def report() -> Iterator[str]:
    """The lines of the whole transcript."""
    with hosts() as within:
        for base_url in (HTTPS_URL, HTTP_URL):
            yield f"base_url={base_url}"
            for title, way in WAYS.items():
                yield f"  proxy named by: {title}"
                for printed, name in PRINTED.items():
                    try:
                        lines = transcript(within, way, name, base_url)
                    except Exception as error:  # noqa: BLE001 - the others are printed all the same
                        notes = getattr(error, "__notes__", [])
                        lines = [*notes, f"failed: {type(error).__name__}: {masked(str(error))}"]
                    yield from (f"    {printed:<24}{line}" for line in lines)


def main() -> None:
    """Prints the transcript."""
    for line in report():
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
