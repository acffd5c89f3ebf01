"""The token that no channel may show, and its spellings."""

from urllib.parse import quote

# The prefix is valid; the rest matches no pattern of a token, so that only its value is redacted.
CANARY = "at_-canary-of=the&mine"
SPELLINGS = (CANARY, quote(CANARY, safe=""), repr(CANARY)[1:-1])
