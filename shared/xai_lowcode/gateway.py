"""The gateway with a method for each endpoint, sync and async: ``endpoints`` as methods."""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import closing
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from xai_lowcode import embeddings, endpoints, files
from xai_lowcode.exchange import Session
from xai_lowcode.records import FilePage, FileRecord
from xai_lowcode.steps import Flow
from xai_lowcode.transport.async_client import AsyncClient
from xai_lowcode.transport.sync_client import Client

P = ParamSpec("P")
T = TypeVar("T")


def _method(
    word: Callable[Concatenate[Session, P], Flow[T]],
) -> Callable[Concatenate[Client, P], T]:
    @wraps(word)
    def speak(client: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        # An interruption ends the flow at once, and with it what it shows.
        with closing(word(client.session, *args, **kwargs)) as flow:
            return client.run(flow)

    return speak


def _coroutine(
    word: Callable[Concatenate[Session, P], Flow[T]],
) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]:
    @wraps(word)
    async def speak(client: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with closing(word(client.session, *args, **kwargs)) as flow:
            return await client.run(flow)

    return speak


class Gateway(Client):
    """Everything the gateway offers for xAI.

    Example:
        >>> from xai_lowcode import Gateway, Settings
        >>> with Gateway(Settings.create()) as gateway:  # doctest: +SKIP
        ...     print(len(gateway.tokenize("Hello world!", model="grok-4.7")))
        3
    """

    list_models = _method(endpoints.list_models)
    retrieve_model = _method(endpoints.retrieve_model)
    list_language_models = _method(endpoints.list_language_models)
    get_language_model = _method(endpoints.get_language_model)
    list_image_models = _method(endpoints.list_image_models)
    get_image_model = _method(endpoints.get_image_model)
    get_api_key = _method(endpoints.get_api_key)
    tokenize = _method(endpoints.tokenize)
    create_chat_completion = _method(endpoints.create_chat_completion)
    get_deferred_completion = _method(endpoints.get_deferred_completion)
    collect_deferred_completion = _method(endpoints.collect_deferred_completion)
    create_message = _method(endpoints.create_message)
    create_response = _method(endpoints.create_response)
    retrieve_response = _method(endpoints.retrieve_response)
    delete_response = _method(endpoints.delete_response)
    create_images = _method(endpoints.create_images)
    create_completion = _method(endpoints.create_completion)
    create_legacy_completion = _method(endpoints.create_legacy_completion)
    create_embeddings = _method(endpoints.create_embeddings)
    embed = _method(embeddings.embed)
    list_files = _method(endpoints.list_files)
    get_file = _method(endpoints.get_file)
    update_file = _method(endpoints.update_file)
    delete_file = _method(endpoints.delete_file)
    batch_upload = _method(endpoints.batch_upload)
    complete_batch_upload = _method(endpoints.complete_batch_upload)
    upload_file = _method(files.upload)
    download_file = _method(files.download)
    get_definition = _method(endpoints.get_definition)
    get_openapi = _method(endpoints.get_openapi)
    learn_url_forms = _method(endpoints.learn_url_forms)

    def iterate_files(self, *, limit: int = 100, **query: str) -> Iterator[FileRecord]:
        """All files, page after page."""
        token: str | None = None
        while True:
            page = self.list_files(limit=limit, pagination_token=token, **query)
            yield from page.data
            token = _next_page(page, token, limit)
            if token is None:
                return


class AsyncGateway(AsyncClient):
    """Everything the gateway offers for xAI, from coroutines; see ``Gateway``."""

    list_models = _coroutine(endpoints.list_models)
    retrieve_model = _coroutine(endpoints.retrieve_model)
    list_language_models = _coroutine(endpoints.list_language_models)
    get_language_model = _coroutine(endpoints.get_language_model)
    list_image_models = _coroutine(endpoints.list_image_models)
    get_image_model = _coroutine(endpoints.get_image_model)
    get_api_key = _coroutine(endpoints.get_api_key)
    tokenize = _coroutine(endpoints.tokenize)
    create_chat_completion = _coroutine(endpoints.create_chat_completion)
    get_deferred_completion = _coroutine(endpoints.get_deferred_completion)
    collect_deferred_completion = _coroutine(endpoints.collect_deferred_completion)
    create_message = _coroutine(endpoints.create_message)
    create_response = _coroutine(endpoints.create_response)
    retrieve_response = _coroutine(endpoints.retrieve_response)
    delete_response = _coroutine(endpoints.delete_response)
    create_images = _coroutine(endpoints.create_images)
    create_completion = _coroutine(endpoints.create_completion)
    create_legacy_completion = _coroutine(endpoints.create_legacy_completion)
    create_embeddings = _coroutine(endpoints.create_embeddings)
    embed = _coroutine(embeddings.embed)
    list_files = _coroutine(endpoints.list_files)
    get_file = _coroutine(endpoints.get_file)
    update_file = _coroutine(endpoints.update_file)
    delete_file = _coroutine(endpoints.delete_file)
    batch_upload = _coroutine(endpoints.batch_upload)
    complete_batch_upload = _coroutine(endpoints.complete_batch_upload)
    upload_file = _coroutine(files.upload)
    download_file = _coroutine(files.download)
    get_definition = _coroutine(endpoints.get_definition)
    get_openapi = _coroutine(endpoints.get_openapi)
    learn_url_forms = _coroutine(endpoints.learn_url_forms)

    async def iterate_files(self, *, limit: int = 100, **query: str) -> AsyncIterator[FileRecord]:
        """All files, page after page."""
        token: str | None = None
        while True:
            page = await self.list_files(limit=limit, pagination_token=token, **query)
            for record in page.data:
                yield record
            token = _next_page(page, token, limit)
            if token is None:
                return


def _next_page(page: FilePage, token: str | None, limit: int) -> str | None:
    """The token of the next page; the last page has one too, so the end is told by its length."""
    more = len(page.data) >= limit and page.pagination_token != token
    return page.pagination_token or None if more else None
