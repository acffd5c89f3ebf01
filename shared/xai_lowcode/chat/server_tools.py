"""Server-side tools, which xAI executes: one function for each, which checks its arguments.

They are supported by the Responses API only, which is selected automatically. For other tools and
options, create a ``ServerTool``. Names and limits: xAI's API specification of 2026-06-08.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from xai_lowcode.errors import UsageError
from xai_lowcode.types.requests import ServerTool

_MAX_DOMAINS = 5
# 10 in the specification, 20 in xAI's newer documentation.
_MAX_HANDLES = 20
_MAX_COLLECTIONS = 10


def web_search(
    *,
    allowed_domains: Sequence[str] = (),
    excluded_domains: Sequence[str] = (),
    enable_image_search: bool | None = None,
    enable_image_understanding: bool | None = None,
) -> ServerTool:
    """Create a tool that searches the web and reads pages. The response contains citations.

    Args:
        allowed_domains: Search only these domains, at most 5, for instance ``["wikipedia.org"]``.
        excluded_domains: Do not search these domains, at most 5. Not together with
            ``allowed_domains``.
        enable_image_search: Whether to search for images, too.
        enable_image_understanding: Whether the model can view images on the pages.

    Raises:
        UsageError: There are too many domains, or both lists are set.

    Example:
        >>> web_search(allowed_domains=["x.ai"]).options
        {'allowed_domains': ['x.ai']}
    """
    return ServerTool(
        "web_search",
        {
            **_build_filter("domains", allowed_domains, excluded_domains, _MAX_DOMAINS),
            **_drop_none(
                enable_image_search=enable_image_search,
                enable_image_understanding=enable_image_understanding,
            ),
        },
    )


def x_search(
    *,
    allowed_x_handles: Sequence[str] = (),
    excluded_x_handles: Sequence[str] = (),
    from_date: date | str | None = None,
    to_date: date | str | None = None,
    enable_image_understanding: bool | None = None,
    enable_video_understanding: bool | None = None,
) -> ServerTool:
    """Create a tool that searches posts, users and threads of X.

    Args:
        allowed_x_handles: Search only posts of these users, at most 20. A leading ``@`` is removed.
        excluded_x_handles: Do not search posts of these users, at most 20. Not together with
            ``allowed_x_handles``.
        from_date: First day, a date or a string ``"YYYY-MM-DD"``.
        to_date: Last day, a date or a string ``"YYYY-MM-DD"``.
        enable_image_understanding: Whether the model can view images in posts.
        enable_video_understanding: Whether the model can view videos in posts.

    Raises:
        UsageError: There are too many handles, both lists are set, a date is invalid, or
            ``from_date`` is after ``to_date``.

    Example:
        >>> x_search(allowed_x_handles=["@xai"], from_date="2026-11-01").options
        {'allowed_x_handles': ['xai'], 'from_date': '2026-11-01'}
    """
    start, end = _parse_date("from_date", from_date), _parse_date("to_date", to_date)
    if start and end and start > end:
        raise UsageError(f"from_date: {start} is after to_date {end}.", field="from_date")
    allowed, excluded = (
        [handle.removeprefix("@") for handle in handles]
        for handles in (allowed_x_handles, excluded_x_handles)
    )
    return ServerTool(
        "x_search",
        {
            **_build_filter("x_handles", allowed, excluded, _MAX_HANDLES),
            **_drop_none(
                from_date=start,
                to_date=end,
                enable_image_understanding=enable_image_understanding,
                enable_video_understanding=enable_video_understanding,
            ),
        },
    )


def code_execution() -> ServerTool:
    """Create a tool that runs Python in a sandbox at xAI; its type is ``code_interpreter``.

    Example:
        >>> code_execution()
        ServerTool(type='code_interpreter')
    """
    return ServerTool("code_interpreter")


def file_search(collection_ids: Sequence[str], *, max_num_results: int | None = None) -> ServerTool:
    """Create a tool that searches documents in xAI's collections.

    Args:
        collection_ids: Ids of 1 to 10 collections, sent as ``vector_store_ids``.
        max_num_results: Maximum number of results, at least 1.

    Raises:
        UsageError: There are no or too many collections, or ``max_num_results`` is below 1.

    Example:
        >>> file_search(["collection_1"]).options
        {'vector_store_ids': ['collection_1']}
    """
    ids = _check_strings("collection_ids", collection_ids, _MAX_COLLECTIONS)
    if not ids:
        raise UsageError("collection_ids: must not be empty.", field="collection_ids")
    if max_num_results is not None and max_num_results < 1:
        raise UsageError(
            f"max_num_results: must be at least 1, not {max_num_results!r}.",
            field="max_num_results",
        )
    return ServerTool(
        "file_search", {"vector_store_ids": ids, **_drop_none(max_num_results=max_num_results)}
    )


def mcp(
    server_url: str,
    server_label: str,
    *,
    server_description: str | None = None,
    allowed_tools: Sequence[str] = (),
    authorization: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> ServerTool:
    """Create a tool that calls the tools of a remote MCP server.

    Args:
        server_url: URL of the server, which xAI must be able to reach.
        server_label: A short name that identifies the server in calls.
        server_description: What the server is for.
        allowed_tools: Names of the tools to allow. Default: all.
        authorization: An access token for the server. It is not in the repr, but it is in the
            request body, which tracers may record.
        headers: Additional headers for requests to the server.

    Raises:
        UsageError: ``server_url`` is not an HTTP URL, or ``server_label`` is empty.

    Example:
        >>> mcp("https://mcp.example.com", "notes")
        ServerTool(type='mcp')
    """
    if not server_url.startswith(("https://", "http://")):
        raise UsageError(
            f"server_url: must start with https:// or http://, not {server_url!r}.",
            field="server_url",
        )
    if not server_label:
        raise UsageError("server_label: must not be empty.", field="server_label")
    return ServerTool(
        "mcp",
        {
            "server_url": server_url,
            "server_label": server_label,
            **_drop_none(
                server_description=server_description,
                allowed_tools=list(allowed_tools) or None,
                authorization=authorization,
                headers=dict(headers) if headers else None,
            ),
        },
    )


def image_generation(*, action: str | None = None) -> ServerTool:
    """Create a tool that generates images, which are parts of the response.

    Args:
        action: ``"generate"``, ``"edit"`` or another action of xAI. Default: the model decides.

    Example:
        >>> image_generation()
        ServerTool(type='image_generation')
    """
    return ServerTool("image_generation", _drop_none(action=action))


def _drop_none(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _build_filter(
    name: str, allowed: Sequence[str], excluded: Sequence[str], max_length: int
) -> dict[str, list[str]]:
    if allowed and excluded:
        raise UsageError(
            f"allowed_{name}: cannot be combined with excluded_{name}.", field=f"allowed_{name}"
        )
    lists = {f"allowed_{name}": allowed, f"excluded_{name}": excluded}
    return {
        field: _check_strings(field, values, max_length)
        for field, values in lists.items()
        if values
    }


def _check_strings(field: str, values: Sequence[str], max_length: int) -> list[str]:
    if isinstance(values, str) or not all(isinstance(value, str) and value for value in values):
        raise UsageError(f"{field}: must be a list of non-empty strings.", field=field)
    if len(values) > max_length:
        raise UsageError(
            f"{field}: must have at most {max_length} entries, not {len(values)}.", field=field
        )
    return list(values)


def _parse_date(field: str, value: date | str | None) -> str | None:
    if value is None:
        return None
    try:
        day = value if isinstance(value, date) else date.fromisoformat(value)
        return day.strftime("%Y-%m-%d")
    except ValueError:
        raise UsageError(
            f"{field}: must be a date or 'YYYY-MM-DD', not {value!r}.", field=field
        ) from None
