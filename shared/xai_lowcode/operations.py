"""The endpoints of the gateway, one value each.

A new endpoint is a new row here. Clients, retries, URL forms and envelopes read the row and know
nothing of endpoints.
"""

from typing import Any

from xai_lowcode.chats import CREATE_CHAT_COMPLETION, CREATE_MESSAGE, CREATE_RESPONSE
from xai_lowcode.errors import UnreadableAnswerError
from xai_lowcode.images import read_images
from xai_lowcode.operation import Operation, object_with
from xai_lowcode.records import (
    ApiKey,
    BatchUpload,
    Deletion,
    Embeddings,
    FilePage,
    FileRecord,
    LegacyCompletion,
    Model,
    TextCompletion,
    TextToken,
    UploadTicket,
    many,
    one,
)


def _shape_of_upload(body: Any) -> FileRecord:
    """The record after a piece was sent; the gateway may have asked another endpoint for it."""
    if isinstance(body, dict) and "size_bytes" not in body and "bytes" not in body:
        raise UnreadableAnswerError(
            "The answer to Upload File Chunk looks like that of Initialize File Upload.",
            hint="This gateway sends all colon endpoints to one of them; nothing was uploaded.",
            body=body,
        )
    return one(FileRecord)(body)


def _shape_of_ticket(body: Any) -> UploadTicket:
    """The ticket of an upload; a record with a size is the answer of another endpoint."""
    if isinstance(body, dict) and "upload_status" in body:
        raise UnreadableAnswerError(
            "The answer to Initialize File Upload looks like that of Upload File Chunk.",
            hint="This gateway sends all colon endpoints to one of them; nothing was begun.",
            body=body,
        )
    return one(UploadTicket)(body)


def _completion_or_nothing(body: Any) -> dict[str, Any] | None:
    return None if body is None else object_with("choices")(body)


def _content(body: Any) -> Any:
    return body


LIST_MODELS = Operation(
    "List Models", "GET", "/v1/models", many(Model, "data"), idempotent=True, own_data=True
)
RETRIEVE_MODEL = Operation(
    "Retrieve Model", "GET", "/v1/models/{model_id}", one(Model), idempotent=True
)
RETRIEVE_RESPONSE = Operation(
    "Retrieve Previous Response",
    "GET",
    "/v1/responses/{response_id}",
    object_with("id"),
    idempotent=True,
)
DELETE_RESPONSE = Operation(
    "Delete Previous Response",
    "DELETE",
    "/v1/responses/{response_id}",
    one(Deletion),
    idempotent=True,
)
CREATE_IMAGE_GENERATION = Operation(
    "Create Image Generation", "POST", "/v1/images/generations", read_images, own_data=True
)
GET_API_KEY = Operation("Get API Key", "GET", "/v1/api-key", one(ApiKey), idempotent=True)
LIST_LANGUAGE_MODELS = Operation(
    "List Language Models", "GET", "/v1/language-models", many(Model, "models"), idempotent=True
)
GET_LANGUAGE_MODEL = Operation(
    "Get Language Model", "GET", "/v1/language-models/{model_id}", one(Model), idempotent=True
)
LIST_IMAGE_MODELS = Operation(
    "List Image Generation Models",
    "GET",
    "/v1/image-generation-models",
    many(Model, "models"),
    idempotent=True,
)
GET_IMAGE_MODEL = Operation(
    "Get Image Generation Model",
    "GET",
    "/v1/image-generation-models/{model_id}",
    one(Model),
    idempotent=True,
)
TOKENIZE_TEXT = Operation(
    "Tokenize Text", "POST", "/v1/tokenize-text", many(TextToken, "token_ids"), idempotent=True
)
GET_DEFERRED_COMPLETION = Operation(
    "Get Deferred Chat Completion",
    "GET",
    "/v1/chat/deferred-completion/{request_id}",
    _completion_or_nothing,
    # The result can be fetched once: a second request after a lost answer would find nothing.
    idempotent=False,
    reads="pending",
    once=True,
)
CREATE_COMPLETION = Operation("Create Completion", "POST", "/v1/completions", one(TextCompletion))
CREATE_LEGACY_COMPLETION = Operation(
    "Create Completion (Anthropic Compatible)", "POST", "/v1/complete", one(LegacyCompletion)
)
LIST_FILES = Operation(
    "List Files", "GET", "/v1/files", one(FilePage), idempotent=True, own_data=True
)
GET_FILE = Operation(
    "Get File Metadata", "GET", "/v1/files/{file_id}", one(FileRecord), idempotent=True
)
DELETE_FILE = Operation(
    "Delete File", "DELETE", "/v1/files/{file_id}", one(Deletion), idempotent=True
)
DOWNLOAD_FILE = Operation(
    "Download File",
    "GET",
    "/v1/files/{file_id}/content",
    _content,
    idempotent=True,
    reads="bytes",
)
UPDATE_FILE = Operation("Update File", "PATCH", "/v1/files/{file_id}", one(FileRecord))
INITIALIZE_UPLOAD = Operation(
    "Initialize File Upload", "POST", "/v1/files:initialize", _shape_of_ticket
)
UPLOAD_CHUNK = Operation(
    "Upload File Chunk", "POST", "/v1/files:uploadChunks", _shape_of_upload, once=True
)
BATCH_UPLOAD = Operation("Batch Upload Files", "POST", "/v1/files/batch_upload", one(BatchUpload))
COMPLETE_BATCH_UPLOAD = Operation(
    "Complete Batch Upload",
    "POST",
    "/v1/files/batch_upload/{batch_job_id}:complete",
    one(BatchUpload),
    # The new form is cut wrongly by the published gateway; the old one reaches the right place.
    prefers="old",
)

GATEWAY_OPERATIONS: tuple[Operation[Any], ...] = (
    CREATE_CHAT_COMPLETION,
    LIST_MODELS,
    RETRIEVE_MODEL,
    CREATE_MESSAGE,
    CREATE_RESPONSE,
    RETRIEVE_RESPONSE,
    DELETE_RESPONSE,
    CREATE_IMAGE_GENERATION,
    GET_API_KEY,
    LIST_LANGUAGE_MODELS,
    GET_LANGUAGE_MODEL,
    LIST_IMAGE_MODELS,
    GET_IMAGE_MODEL,
    TOKENIZE_TEXT,
    GET_DEFERRED_COMPLETION,
    CREATE_COMPLETION,
    CREATE_LEGACY_COMPLETION,
    LIST_FILES,
    GET_FILE,
    DELETE_FILE,
    DOWNLOAD_FILE,
    UPDATE_FILE,
    INITIALIZE_UPLOAD,
    UPLOAD_CHUNK,
    BATCH_UPLOAD,
    COMPLETE_BATCH_UPLOAD,
)
"""The gateway's own list of endpoints, in its order."""

CREATE_EMBEDDINGS = Operation(
    "Create Embeddings", "POST", "/v1/embeddings", one(Embeddings), idempotent=True, own_data=True
)
"""In xAI's specification, not in the gateway's list: expect that there is no such route."""

GET_DEFINITION = Operation(
    "Get Definition", "GET", "/definition", object_with("paths"), idempotent=True, host="backend"
)
GET_OPENAPI = Operation(
    "Get OpenAPI", "GET", "/openapi", object_with("paths"), idempotent=True, host="backend"
)
