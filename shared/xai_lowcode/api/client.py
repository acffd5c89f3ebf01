"""Sync and async clients with a method for each endpoint; ``methods`` implements them once."""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import closing
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from xai_lowcode.api import embeddings, files, methods
from xai_lowcode.protocol.call_flow import CallContext
from xai_lowcode.protocol.steps import Flow
from xai_lowcode.transport.async_client import AsyncAPIClient
from xai_lowcode.transport.sync_client import SyncAPIClient
from xai_lowcode.types.resources import FilePage, FileRecord

P = ParamSpec("P")
T = TypeVar("T")


def _sync_method(
    method: Callable[Concatenate[CallContext, P], Flow[T]],
) -> Callable[Concatenate[SyncAPIClient, P], T]:
    @wraps(method)
    def call(client: SyncAPIClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        # Closing the flow on an interruption closes its progress bar at once.
        with closing(method(client.context, *args, **kwargs)) as flow:
            return client.execute(flow)

    return call


def _async_method(
    method: Callable[Concatenate[CallContext, P], Flow[T]],
) -> Callable[Concatenate[AsyncAPIClient, P], Coroutine[Any, Any, T]]:
    @wraps(method)
    async def call(client: AsyncAPIClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with closing(method(client.context, *args, **kwargs)) as flow:
            return await client.execute(flow)

    return call


class Gateway(SyncAPIClient):
    """Client of the LowCodeAPI gateway for xAI, with a method for each endpoint.

    ``Gateway()`` uses ``LOWCODEAPI_API_TOKEN`` and ``LOWCODEAPI_BASE_URL``, and
    ``Gateway(api_token=…, timeout=…)`` takes the arguments of ``Settings.create``.

    Example:
        >>> from xai_lowcode import Gateway
        >>> with Gateway() as gateway:  # doctest: +SKIP
        ...     print(len(gateway.tokenize("Hello world!", model="grok-4.7")))
        3
    """

    list_models = _sync_method(methods.list_models)
    retrieve_model = _sync_method(methods.retrieve_model)
    list_language_models = _sync_method(methods.list_language_models)
    get_language_model = _sync_method(methods.get_language_model)
    list_image_models = _sync_method(methods.list_image_models)
    get_image_model = _sync_method(methods.get_image_model)
    get_api_key = _sync_method(methods.get_api_key)
    tokenize = _sync_method(methods.tokenize)
    create_chat_completion = _sync_method(methods.create_chat_completion)
    get_deferred_completion = _sync_method(methods.get_deferred_completion)
    poll_deferred_completion = _sync_method(methods.poll_deferred_completion)
    create_message = _sync_method(methods.create_message)
    create_response = _sync_method(methods.create_response)
    retrieve_response = _sync_method(methods.retrieve_response)
    delete_response = _sync_method(methods.delete_response)
    create_images = _sync_method(methods.create_images)
    create_completion = _sync_method(methods.create_completion)
    create_legacy_completion = _sync_method(methods.create_legacy_completion)
    create_embeddings = _sync_method(methods.create_embeddings)
    embed = _sync_method(embeddings.embed_batches)
    list_files = _sync_method(methods.list_files)
    get_file = _sync_method(methods.get_file)
    update_file = _sync_method(methods.update_file)
    delete_file = _sync_method(methods.delete_file)
    batch_upload = _sync_method(methods.batch_upload)
    complete_batch_upload = _sync_method(methods.complete_batch_upload)
    upload_file = _sync_method(files.upload)
    download_file = _sync_method(files.download)
    get_definition = _sync_method(methods.get_definition)
    get_openapi = _sync_method(methods.get_openapi)

    def iterate_files(self, *, limit: int = 100, **query: str) -> Iterator[FileRecord]:
        """Iterate over all files, page by page."""
        cursor: str | None = None
        while True:
            page = self.list_files(limit=limit, pagination_token=cursor, **query)
            yield from page.data
            cursor = _next_page_cursor(page, cursor, limit)
            if cursor is None:
                return


class AsyncGateway(AsyncAPIClient):
    """Async client of the LowCodeAPI gateway for xAI; see ``Gateway``."""

    list_models = _async_method(methods.list_models)
    retrieve_model = _async_method(methods.retrieve_model)
    list_language_models = _async_method(methods.list_language_models)
    get_language_model = _async_method(methods.get_language_model)
    list_image_models = _async_method(methods.list_image_models)
    get_image_model = _async_method(methods.get_image_model)
    get_api_key = _async_method(methods.get_api_key)
    tokenize = _async_method(methods.tokenize)
    create_chat_completion = _async_method(methods.create_chat_completion)
    get_deferred_completion = _async_method(methods.get_deferred_completion)
    poll_deferred_completion = _async_method(methods.poll_deferred_completion)
    create_message = _async_method(methods.create_message)
    create_response = _async_method(methods.create_response)
    retrieve_response = _async_method(methods.retrieve_response)
    delete_response = _async_method(methods.delete_response)
    create_images = _async_method(methods.create_images)
    create_completion = _async_method(methods.create_completion)
    create_legacy_completion = _async_method(methods.create_legacy_completion)
    create_embeddings = _async_method(methods.create_embeddings)
    embed = _async_method(embeddings.embed_batches)
    list_files = _async_method(methods.list_files)
    get_file = _async_method(methods.get_file)
    update_file = _async_method(methods.update_file)
    delete_file = _async_method(methods.delete_file)
    batch_upload = _async_method(methods.batch_upload)
    complete_batch_upload = _async_method(methods.complete_batch_upload)
    upload_file = _async_method(files.upload)
    download_file = _async_method(files.download)
    get_definition = _async_method(methods.get_definition)
    get_openapi = _async_method(methods.get_openapi)

    async def iterate_files(self, *, limit: int = 100, **query: str) -> AsyncIterator[FileRecord]:
        """Iterate over all files, page by page."""
        cursor: str | None = None
        while True:
            page = await self.list_files(limit=limit, pagination_token=cursor, **query)
            for record in page.data:
                yield record
            cursor = _next_page_cursor(page, cursor, limit)
            if cursor is None:
                return


def _next_page_cursor(page: FilePage, cursor: str | None, limit: int) -> str | None:
    # The last page has a token too, so its length shows that it is the last.
    has_more = len(page.data) >= limit and page.pagination_token != cursor
    return page.pagination_token or None if has_more else None
