"""The endpoints of the provider, one room each; a new endpoint is a new room and a row here."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from xai_lowcode.emulator.handler_types import Answer, Ask, Blob
from xai_lowcode.emulator.handlers import (
    account,
    chat,
    completions,
    deferred,
    embeddings,
    files,
    images,
    messages,
    models,
    responses,
)
from xai_lowcode.emulator.handlers import files as uploads
from xai_lowcode.emulator.handlers import tokenize as text
from xai_lowcode.emulator.validation import ANYTHING, Shape


@dataclass(frozen=True, slots=True)
class Room:
    """One endpoint: what it is called, where it is, who answers, and what its body must look like.

    A room with a `switch` is there only while that switch of the emulator is on.
    """

    name: str
    category: str
    method: str
    path: str
    reply: Callable[[Ask], Awaitable[Answer | Blob]]
    shape: Shape = ANYTHING
    switch: str | None = None


ROOMS = (
    Room(
        "Create Chat Completion", "Chat",
        "POST", "/v1/chat/completions", chat.complete, chat.SHAPE,
    ),
    Room(
        "Get Deferred Chat Completion", "Chat",
        "GET", "/v1/chat/deferred-completion/{request_id}", deferred.fetch,
    ),
    Room(
        "Create a Message", "Message",
        "POST", "/v1/messages", messages.create, messages.SHAPE,
    ),
    Room(
        "Create New Response", "Responses",
        "POST", "/v1/responses", responses.create, responses.SHAPE,
    ),
    Room(
        "Retrieve Previous Response", "Responses",
        "GET", "/v1/responses/{response_id}", responses.retrieve,
    ),
    Room(
        "Delete Previous Response", "Responses",
        "DELETE", "/v1/responses/{response_id}", responses.delete,
    ),
    Room("List Models", "Models", "GET", "/v1/models", models.listing),
    Room("Retrieve Model", "Models", "GET", "/v1/models/{model_id}", models.one),
    Room(
        "List Language Models", "Models",
        "GET", "/v1/language-models", models.language_listing,
    ),
    Room(
        "Get Language Model", "Models",
        "GET", "/v1/language-models/{model_id}", models.language_one,
    ),
    Room(
        "List Image Generation Models", "Models",
        "GET", "/v1/image-generation-models", models.image_listing,
    ),
    Room(
        "Get Image Generation Model", "Models",
        "GET", "/v1/image-generation-models/{model_id}", models.image_one,
    ),
    Room(
        "Create Image Generation", "Images",
        "POST", "/v1/images/generations", images.generate, images.SHAPE,
    ),
    Room("Get API Key", "API Key", "GET", "/v1/api-key", account.api_key),
    Room("Tokenize Text", "Text", "POST", "/v1/tokenize-text", text.tokenize, text.SHAPE),
    Room("List Files", "Files", "GET", "/v1/files", files.listing),
    Room("Get File Metadata", "Files", "GET", "/v1/files/{file_id}", files.one),
    Room("Delete File", "Files", "DELETE", "/v1/files/{file_id}", files.delete),
    Room("Update File", "Files", "PATCH", "/v1/files/{file_id}", files.update, files.UPDATE),
    Room("Download File", "Files", "GET", "/v1/files/{file_id}/content", files.content),
    Room(
        "Initialize File Upload", "Files",
        "POST", "/v1/files:initialize", uploads.initialize, uploads.INITIALIZE,
    ),
    Room(
        "Upload File Chunk", "Files",
        "POST", "/v1/files:uploadChunks", uploads.chunk, uploads.CHUNK,
    ),
    Room(
        "Batch Upload Files", "Files",
        "POST", "/v1/files/batch_upload", uploads.batch, uploads.BATCH,
    ),
    Room(
        "Complete Batch Upload", "Files",
        "POST", "/v1/files/batch_upload/{batch_job_id}:complete", uploads.complete,
    ),
    Room(
        "Create Completion", "Completions",
        "POST", "/v1/completions", completions.sample, completions.SAMPLE,
    ),
    Room(
        "Create Completion (Anthropic Compatible)", "Completions",
        "POST", "/v1/complete", completions.complete, completions.COMPLETE,
    ),
    Room(
        "Create Embeddings", "Embeddings",
        "POST", "/v1/embeddings", embeddings.embed, embeddings.SHAPE, "embeddings",
    ),
)  # fmt: skip
