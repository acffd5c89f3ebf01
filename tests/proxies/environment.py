"""Environment variables for proxies and certificates, without those of the user."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from unittest import mock

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
# With REQUEST_METHOD a program is a CGI script, in which HTTP_PROXY could be a client's header.
_OTHERS = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE", "REQUEST_METHOD")
_OWN = ("LOWCODEAPI_API_TOKEN", "LOWCODEAPI_BASE_URL", "XAI_LOWCODE_DEBUG")
CLEARED = (*_PROXIES, *(name.lower() for name in _PROXIES), *_OTHERS, *_OWN)


def clean_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of this process with these variables, and no others of their kind."""
    unrelated = {name: value for name, value in os.environ.items() if name not in CLEARED}
    return {**unrelated, **variables}


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables, and no others of their kind, for the block."""
    with mock.patch.dict(os.environ, clean_environment(variables), clear=True):
        yield
