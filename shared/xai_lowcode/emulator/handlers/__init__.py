"""The provider's routes and their handlers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from xai_lowcode.emulator.handler_types import BinaryResult, HandlerRequest, HandlerResult
from xai_lowcode.emulator.handlers import (
    account,
    chat,
    completions,
    embeddings,
    files,
    images,
    messages,
    models,
    responses,
    tokenize,
)
from xai_lowcode.emulator.schemas.chat import CHAT_REQUEST
from xai_lowcode.emulator.schemas.messages import MESSAGE_REQUEST
from xai_lowcode.emulator.schemas.responses import MODEL_REQUEST
from xai_lowcode.emulator.validation import ANYTHING, Validator


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint; its name and category are those of the gateway's documentation.

    Attributes:
        path: The path with parameter names in braces.
        validator: The type of the request body.
        option: The option of the emulator that enables the route; None if it is always enabled.
    """

    name: str
    category: str
    method: str
    path: str
    handler: Callable[[HandlerRequest], Awaitable[HandlerResult | BinaryResult]]
    validator: Validator = ANYTHING
    option: str | None = None


ROUTES = (
    Route("Create Chat Completion", "Chat", "POST", "/v1/chat/completions",
          chat.create, CHAT_REQUEST),
    Route("Get Deferred Chat Completion", "Chat",
          "GET", "/v1/chat/deferred-completion/{request_id}", chat.retrieve_deferred),
    Route("Create a Message", "Message", "POST", "/v1/messages",
          messages.create, MESSAGE_REQUEST),
    Route("Create New Response", "Responses", "POST", "/v1/responses",
          responses.create, MODEL_REQUEST),
    Route("Retrieve Previous Response", "Responses", "GET", "/v1/responses/{response_id}",
          responses.retrieve),
    Route("Delete Previous Response", "Responses", "DELETE", "/v1/responses/{response_id}",
          responses.delete),
    Route("List Models", "Models", "GET", "/v1/models", models.list_all),
    Route("Retrieve Model", "Models", "GET", "/v1/models/{model_id}", models.retrieve),
    Route("List Language Models", "Models", "GET", "/v1/language-models",
          models.list_language_models),
    Route("Get Language Model", "Models", "GET", "/v1/language-models/{model_id}",
          models.retrieve_language_model),
    Route("List Image Generation Models", "Models", "GET", "/v1/image-generation-models",
          models.list_image_models),
    Route("Get Image Generation Model", "Models", "GET", "/v1/image-generation-models/{model_id}",
          models.retrieve_image_model),
    Route("Create Image Generation", "Images", "POST", "/v1/images/generations",
          images.generate, images.GENERATE_REQUEST),
    Route("Get API Key", "API Key", "GET", "/v1/api-key", account.retrieve_api_key),
    Route("Tokenize Text", "Text", "POST", "/v1/tokenize-text",
          tokenize.tokenize, tokenize.TOKENIZE_REQUEST),
    Route("List Files", "Files", "GET", "/v1/files", files.list_files),
    Route("Get File Metadata", "Files", "GET", "/v1/files/{file_id}", files.retrieve),
    Route("Delete File", "Files", "DELETE", "/v1/files/{file_id}", files.delete),
    Route("Update File", "Files", "PATCH", "/v1/files/{file_id}",
          files.update, files.UPDATE_REQUEST),
    Route("Download File", "Files", "GET", "/v1/files/{file_id}/content", files.download),
    Route("Initialize File Upload", "Files", "POST", "/v1/files:initialize",
          files.initialize_upload, files.INITIALIZE_REQUEST),
    Route("Upload File Chunk", "Files", "POST", "/v1/files:uploadChunks",
          files.upload_chunk, files.CHUNK_REQUEST),
    Route("Batch Upload Files", "Files", "POST", "/v1/files/batch_upload",
          files.create_batch, files.BATCH_REQUEST),
    Route("Complete Batch Upload", "Files",
          "POST", "/v1/files/batch_upload/{batch_job_id}:complete", files.complete_batch),
    Route("Create Completion", "Completions", "POST", "/v1/completions",
          completions.create, completions.SAMPLE_REQUEST),
    Route("Create Completion (Anthropic Compatible)", "Completions", "POST", "/v1/complete",
          completions.create_anthropic, completions.COMPLETE_REQUEST),
    Route("Create Embeddings", "Embeddings", "POST", "/v1/embeddings",
          embeddings.create, embeddings.EMBEDDING_REQUEST, "embeddings"),
)  # fmt: skip
