"""Handler of the API key information."""

from xai_lowcode.emulator.handler_types import HandlerRequest, HandlerResult

OWNER = "59fbe5f2-0000-4000-8000-325868bb8f23"
TEAM = "5ea6f6bd-0000-4000-8000-28b2d7ba6722"
KEY = "ae1e1841-0000-4000-8000-8a1a7237db11"


async def retrieve_api_key(request: HandlerRequest) -> HandlerResult:
    """Return the description of the account's xAI API key."""
    del request
    return HandlerResult(
        {
            "redacted_api_key": "xai-...b14o",
            "user_id": OWNER,
            "name": "emulated key",
            "create_time": "2026-01-05T12:55:18.139305Z",
            "modify_time": "2026-02-10T17:20:12.343321Z",
            "modified_by": OWNER,
            "team_id": TEAM,
            "acls": ["api-key:model:*", "api-key:endpoint:*"],
            "api_key_id": KEY,
            "team_blocked": False,
            "api_key_blocked": False,
            "api_key_disabled": False,
        }
    )
