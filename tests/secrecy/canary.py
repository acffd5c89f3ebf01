"""The token that is looked for, and the ways in which it may be written."""

from urllib.parse import quote

# It begins as the gateway wants it, and goes on so that nothing but knowing it can blank it.
CANARY = "at_-canary-of=the&mine"
SPELLINGS = (CANARY, quote(CANARY, safe=""), repr(CANARY)[1:-1])
