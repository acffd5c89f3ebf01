"""The environment variables that say how to reach the gateway, and none of the person's own."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from unittest import mock

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
# With REQUEST_METHOD a program is a CGI script, in which HTTP_PROXY could be a visitor's header.
_OTHERS = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE", "REQUEST_METHOD")
_OURS = ("LOWCODEAPI_API_TOKEN", "LOWCODEAPI_BASE_URL", "XAI_LOWCODE_DEBUG")
CLEARED = (*_PROXIES, *(name.lower() for name in _PROXIES), *_OTHERS, *_OURS)


def cleaned(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment of this process with these variables, and without others of their kind."""
    kept = {name: value for name, value in os.environ.items() if name not in CLEARED}
    return {**kept, **variables}


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Sets variables, and no others of their kind, while the block lasts."""
    with mock.patch.dict(os.environ, cleaned(variables), clear=True):
        yield
