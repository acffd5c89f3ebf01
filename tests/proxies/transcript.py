"""Print the request lines that a proxy receives: ``python -m tests.proxies.transcript``.

There is one block for each way to configure the proxy, and ``at_***`` in place of the token.
"""

import sys
from collections.abc import Iterator

from tests.proxies.hosts import HTTP_URL, HTTPS_URL, Hosts, hosts, routes
from tests.proxies.interfaces import INTERFACES, QUOTED_TOKEN, TOKEN
from tests.proxies.proxy_settings import HTTP_WAYS, HTTPS_WAYS
from tests.proxies.raw_proxy import RawProxy
from xai_lowcode.errors import XAILowCodeError

WAYS = {"environment": "environment", "setting": "setting", "injected client": "httpx client"}
TITLES = {
    "LangChain, sync": "langchain invoke",
    "LangChain, async": "langchain ainvoke",
    "LlamaIndex, sync": "llama_index chat",
    "LlamaIndex, async": "llama_index achat",
    "LangChain image, sync": "langchain image",
    "LangChain image, async": "langchain aimage",
    "LlamaIndex image, sync": "llama_index image",
    "LlamaIndex image, async": "llama_index aimage",
}


def transcript(servers: Hosts, way: str, name: str, base_url: str = HTTPS_URL) -> list[str]:
    """Return the request lines that a proxy receives in one call.

    Args:
        servers: The servers.
        way: How the proxy is configured: a row of ``HTTPS_WAYS``.
        name: The method: a row of ``INTERFACES``.
        base_url: The gateway's base URL.

    Raises:
        XAILowCodeError: The call failed; the lines are in its notes.
    """
    ways = HTTPS_WAYS if base_url == HTTPS_URL else HTTP_WAYS
    with RawProxy(routes(servers.emulator, servers.gateway)) as proxy:
        try:
            ways[way].call(
                INTERFACES[name],
                proxy.url,
                servers.certificates,
                base_url=base_url,
                allow_insecure_http=True,
            )
        except XAILowCodeError as error:
            for line in proxy.lines:
                error.add_note(mask_token(line))
            raise
        return [mask_token(line) for line in proxy.lines]


def mask_token(line: str) -> str:
    """Return a request line without the token."""
    return line.replace(QUOTED_TOKEN, "at_***").replace(TOKEN, "at_***")


def report() -> Iterator[str]:
    """Yield the lines of the whole transcript."""
    with hosts() as servers:
        for base_url in (HTTPS_URL, HTTP_URL):
            yield f"base_url={base_url}"
            for way_title, way in WAYS.items():
                yield f"  proxy configured by: {way_title}"
                for title, name in TITLES.items():
                    try:
                        lines = transcript(servers, way, name, base_url)
                    except Exception as error:  # noqa: BLE001 - the other methods are printed
                        notes = getattr(error, "__notes__", [])
                        lines = [
                            *notes,
                            f"failed: {type(error).__name__}: {mask_token(str(error))}",
                        ]
                    yield from (f"    {title:<24}{line}" for line in lines)


def main() -> None:
    """Print the transcript."""
    for line in report():
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
