"""Assertions about requests on both sides of a proxy."""

from tests.proxies.interfaces import QUOTED_TOKEN
from tests.proxies.servers import Head

CONNECT = "CONNECT gateway.example:443 HTTP/1.1"


def assert_origin_form(head: Head, path: str = "") -> None:
    """Check that a request has a path and the token as its target, and no header for proxies."""
    method, target, version = head.line.split(" ")
    assert method in {"GET", "POST"}
    assert target.startswith(path or "/xai/v1/files")
    assert target.count(f"api_token={QUOTED_TOKEN}") == 1
    if path:
        assert target == f"{path}?api_token={QUOTED_TOKEN}"
    assert version == "HTTP/1.1"
    assert len(head.all("host")) == 1
    assert [name for name, _ in head.headers if name.startswith("proxy-")] == []
