"""Tools that xAI runs itself, as typed requests: one function for each, checked when it is called.

Asking for one chooses the responses form. What these functions do not know goes as a ``ServerTool``
with options of its own. Names and limits are those of xAI's API specification of 2026-06-08.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from xai_lowcode.errors import UsageError
from xai_lowcode.types.requests import ServerTool

_MOST_DOMAINS = 5
# The specification says 10, xAI's newer documents say 20.
_MOST_HANDLES = 20
_MOST_COLLECTIONS = 10


def web_search(
    *,
    allowed_domains: Sequence[str] = (),
    excluded_domains: Sequence[str] = (),
    enable_image_search: bool | None = None,
    enable_image_understanding: bool | None = None,
) -> ServerTool:
    """Lets the model search the web and read pages; the answer cites them.

    Args:
        allowed_domains: Only these, at most 5, for instance ``["wikipedia.org"]``.
        excluded_domains: All but these, at most 5; not together with ``allowed_domains``.
        enable_image_search: Whether it may search for pictures too.
        enable_image_understanding: Whether it may look at pictures it finds.

    Raises:
        UsageError: Too many domains, or both lists.

    Example:
        >>> web_search(allowed_domains=["x.ai"]).options
        {'allowed_domains': ['x.ai']}
    """
    return ServerTool(
        "web_search",
        {
            **_check_choice("domains", allowed_domains, excluded_domains, _MOST_DOMAINS),
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
    """Lets the model search posts, people and threads of X.

    Args:
        allowed_x_handles: Only posts of these people, at most 20; a leading ``@`` is left out.
        excluded_x_handles: No posts of these; not together with ``allowed_x_handles``.
        from_date: First day, a date or ``"YYYY-MM-DD"``.
        to_date: Last day, likewise.
        enable_image_understanding: Whether it may look at pictures in posts.
        enable_video_understanding: Whether it may look at videos in posts.

    Raises:
        UsageError: Too many handles, both lists, or days that are none or end before they begin.

    Example:
        >>> x_search(allowed_x_handles=["@xai"], from_date="2026-11-01").options
        {'allowed_x_handles': ['xai'], 'from_date': '2026-11-01'}
    """
    first, last = _check_date("from_date", from_date), _check_date("to_date", to_date)
    if first and last and first > last:
        raise UsageError(f"from_date: {first} is after to_date, {last}.", field="from_date")
    allowed, excluded = (
        [handle.removeprefix("@") for handle in handles]
        for handles in (allowed_x_handles, excluded_x_handles)
    )
    return ServerTool(
        "x_search",
        {
            **_check_choice("x_handles", allowed, excluded, _MOST_HANDLES),
            **_drop_none(
                from_date=first,
                to_date=last,
                enable_image_understanding=enable_image_understanding,
                enable_video_understanding=enable_video_understanding,
            ),
        },
    )


def code_execution() -> ServerTool:
    """Lets the model run Python in a sandbox at xAI; on the wire it is ``code_interpreter``.

    Example:
        >>> code_execution()
        ServerTool(type='code_interpreter')
    """
    return ServerTool("code_interpreter")


def file_search(collection_ids: Sequence[str], *, max_num_results: int | None = None) -> ServerTool:
    """Lets the model search documents in xAI's collections.

    Args:
        collection_ids: The collections, 1 to 10; on the wire they are ``vector_store_ids``.
        max_num_results: At most so many passages.

    Raises:
        UsageError: No collections, or too many.

    Example:
        >>> file_search(["collection_1"]).options
        {'vector_store_ids': ['collection_1']}
    """
    ids = _check_strings("collection_ids", collection_ids, _MOST_COLLECTIONS)
    if not ids:
        raise UsageError("collection_ids: at least one is needed.", field="collection_ids")
    if max_num_results is not None and max_num_results < 1:
        raise UsageError("max_num_results: at least 1 is needed.", field="max_num_results")
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
    """Lets the model use the tools of a remote MCP server, which xAI calls.

    Args:
        server_url: Its address; xAI must be able to reach it.
        server_label: A short name, by which its calls are told apart.
        server_description: What it is for.
        allowed_tools: Only these of its tools.
        authorization: A token for that server. It is not in the repr, but in the request's body,
            so in what a tracer keeps of it.
        headers: Further headers for that server.

    Raises:
        UsageError: The address is none, or the label is empty.

    Example:
        >>> mcp("https://mcp.example.com", "notes")
        ServerTool(type='mcp')
    """
    if not server_url.startswith(("https://", "http://")):
        raise UsageError(f"server_url: {server_url!r} is no http address.", field="server_url")
    if not server_label:
        raise UsageError("server_label: a name is needed.", field="server_label")
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
    """Lets the model draw; the pictures are parts of its answer.

    Args:
        action: What to do, for instance ``"generate"`` or ``"edit"``; default: the model decides.

    Example:
        >>> image_generation()
        ServerTool(type='image_generation')
    """
    return ServerTool("image_generation", _drop_none(action=action))


def _drop_none(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _check_choice(
    what: str, allowed: Sequence[str], excluded: Sequence[str], most: int
) -> dict[str, list[str]]:
    if allowed and excluded:
        raise UsageError(
            f"allowed_{what}: xAI takes them or excluded_{what}, not both.",
            field=f"allowed_{what}",
        )
    lists = {f"allowed_{what}": allowed, f"excluded_{what}": excluded}
    return {name: _check_strings(name, values, most) for name, values in lists.items() if values}


def _check_strings(field: str, values: Sequence[str], most: int) -> list[str]:
    if isinstance(values, str) or not all(isinstance(value, str) and value for value in values):
        raise UsageError(f"{field}: a list of texts that are not empty is needed.", field=field)
    if len(values) > most:
        raise UsageError(f"{field}: {len(values)} are given, xAI takes {most}.", field=field)
    return list(values)


def _check_date(field: str, value: date | str | None) -> str | None:
    if value is None:
        return None
    try:
        return (value if isinstance(value, date) else date.fromisoformat(value)).strftime(
            "%Y-%m-%d"
        )
    except ValueError:
        raise UsageError(f"{field}: {value!r} is no day as YYYY-MM-DD.", field=field) from None
