"""The steps of the cleaning, one after the other."""

from collections.abc import Mapping
from typing import Any

from xai_lowcode.schemas.refusals import Account
from xai_lowcode.schemas.roots import settle_root
from xai_lowcode.schemas.rules import Node
from xai_lowcode.schemas.walking import walk
from xai_lowcode.schemas.widening import widen


def cleaned(schema: Mapping[str, Any], *, field: str, name: str) -> Node:
    """A clean copy of a schema; see ``clean_schema``."""
    account = Account(field, name)
    if not isinstance(schema, Mapping):
        raise account.refusal(f"is {schema!r}, which is no object", "Give a JSON schema.")
    walked = walk(schema, account)
    widen(walked, account)
    clean = settle_root(walked, account)
    account.warn()
    return clean
