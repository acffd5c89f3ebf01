"""The endpoints of the gateway as values.

To add an endpoint, add a value here. Clients, retries, URL formats and envelopes are generic.
"""

from typing import Any

from xai_lowcode.api import chat_endpoints
from xai_lowcode.api.images import parse_images
from xai_lowcode.errors import InvalidResponseError
from xai_lowcode.protocol.endpoint import Endpoint, parse_object
from xai_lowcode.types.resources import (
    ApiKey,
    BatchUpload,
    Deletion,
    Embeddings,
    FilePage,
    FileRecord,
    InitializedUpload,
    LegacyCompletion,
    Model,
    TextCompletion,
    TextToken,
    parse_resource,
    parse_resources,
)

CREATE_CHAT_COMPLETION = chat_endpoints.CREATE_CHAT_COMPLETION
CREATE_MESSAGE = chat_endpoints.CREATE_MESSAGE
CREATE_RESPONSE = chat_endpoints.CREATE_RESPONSE


def _parse_uploaded_chunk(body: Any) -> FileRecord:
    # A gateway that routes by the path before the colon may have called the other endpoint.
    if isinstance(body, dict) and "size_bytes" not in body and "bytes" not in body:
        raise InvalidResponseError(
            "The response of Upload File Chunk looks like one of Initialize File Upload.",
            hint="This gateway routes all colon endpoints to one of them; nothing was uploaded.",
            body=body,
        )
    return parse_resource(FileRecord)(body)


def _parse_initialized_upload(body: Any) -> InitializedUpload:
    if isinstance(body, dict) and "upload_status" in body:
        raise InvalidResponseError(
            "The response of Initialize File Upload looks like one of Upload File Chunk.",
            hint="This gateway routes all colon endpoints to one of them; nothing was started.",
            body=body,
        )
    return parse_resource(InitializedUpload)(body)


def _parse_deferred_completion(body: Any) -> dict[str, Any] | None:
    return None if body is None else parse_object("choices")(body)


def _parse_content(body: Any) -> Any:
    return body


LIST_MODELS = Endpoint(
    "List Models",
    "GET",
    "/v1/models",
    parse_resources(Model, "data"),
    idempotent=True,
    body_has_data_key=True,
)
RETRIEVE_MODEL = Endpoint(
    "Retrieve Model", "GET", "/v1/models/{model_id}", parse_resource(Model), idempotent=True
)
RETRIEVE_RESPONSE = Endpoint(
    "Retrieve Previous Response",
    "GET",
    "/v1/responses/{response_id}",
    parse_object("id"),
    idempotent=True,
)
DELETE_RESPONSE = Endpoint(
    "Delete Previous Response",
    "DELETE",
    "/v1/responses/{response_id}",
    parse_resource(Deletion),
    idempotent=True,
)
CREATE_IMAGE_GENERATION = Endpoint(
    "Create Image Generation",
    "POST",
    "/v1/images/generations",
    parse_images,
    body_has_data_key=True,
)
GET_API_KEY = Endpoint("Get API Key", "GET", "/v1/api-key", parse_resource(ApiKey), idempotent=True)
LIST_LANGUAGE_MODELS = Endpoint(
    "List Language Models",
    "GET",
    "/v1/language-models",
    parse_resources(Model, "models"),
    idempotent=True,
)
GET_LANGUAGE_MODEL = Endpoint(
    "Get Language Model",
    "GET",
    "/v1/language-models/{model_id}",
    parse_resource(Model),
    idempotent=True,
)
LIST_IMAGE_MODELS = Endpoint(
    "List Image Generation Models",
    "GET",
    "/v1/image-generation-models",
    parse_resources(Model, "models"),
    idempotent=True,
)
GET_IMAGE_MODEL = Endpoint(
    "Get Image Generation Model",
    "GET",
    "/v1/image-generation-models/{model_id}",
    parse_resource(Model),
    idempotent=True,
)
TOKENIZE_TEXT = Endpoint(
    "Tokenize Text",
    "POST",
    "/v1/tokenize-text",
    parse_resources(TextToken, "token_ids"),
    idempotent=True,
)
GET_DEFERRED_COMPLETION = Endpoint(
    "Get Deferred Chat Completion",
    "GET",
    "/v1/chat/deferred-completion/{request_id}",
    _parse_deferred_completion,
    # The result can be retrieved only once: a retry after a lost response would find nothing.
    idempotent=False,
    response_kind="pending",
    at_most_once=True,
)
CREATE_COMPLETION = Endpoint(
    "Create Completion", "POST", "/v1/completions", parse_resource(TextCompletion)
)
CREATE_LEGACY_COMPLETION = Endpoint(
    "Create Completion (Anthropic Compatible)",
    "POST",
    "/v1/complete",
    parse_resource(LegacyCompletion),
)
LIST_FILES = Endpoint(
    "List Files",
    "GET",
    "/v1/files",
    parse_resource(FilePage),
    idempotent=True,
    body_has_data_key=True,
)
GET_FILE = Endpoint(
    "Get File Metadata", "GET", "/v1/files/{file_id}", parse_resource(FileRecord), idempotent=True
)
DELETE_FILE = Endpoint(
    "Delete File", "DELETE", "/v1/files/{file_id}", parse_resource(Deletion), idempotent=True
)
DOWNLOAD_FILE = Endpoint(
    "Download File",
    "GET",
    "/v1/files/{file_id}/content",
    _parse_content,
    idempotent=True,
    response_kind="bytes",
)
UPDATE_FILE = Endpoint("Update File", "PATCH", "/v1/files/{file_id}", parse_resource(FileRecord))
INITIALIZE_UPLOAD = Endpoint(
    "Initialize File Upload", "POST", "/v1/files:initialize", _parse_initialized_upload
)
UPLOAD_CHUNK = Endpoint(
    "Upload File Chunk", "POST", "/v1/files:uploadChunks", _parse_uploaded_chunk, at_most_once=True
)
BATCH_UPLOAD = Endpoint(
    "Batch Upload Files", "POST", "/v1/files/batch_upload", parse_resource(BatchUpload)
)
COMPLETE_BATCH_UPLOAD = Endpoint(
    "Complete Batch Upload",
    "POST",
    "/v1/files/batch_upload/{batch_job_id}:complete",
    parse_resource(BatchUpload),
    # The published gateway misroutes the new URL format; the old format works.
    preferred_url_format="old",
)

GATEWAY_ENDPOINTS: tuple[Endpoint[Any], ...] = (
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
"""The endpoints that the gateway lists, in its order."""

CREATE_EMBEDDINGS = Endpoint(
    "Create Embeddings",
    "POST",
    "/v1/embeddings",
    parse_resource(Embeddings),
    idempotent=True,
    body_has_data_key=True,
)
"""Part of xAI's API specification, but not listed by the gateway: may be missing."""

GET_DEFINITION = Endpoint(
    "Get Definition", "GET", "/definition", parse_object("paths"), idempotent=True, host="backend"
)
GET_OPENAPI = Endpoint(
    "Get OpenAPI", "GET", "/openapi", parse_object("paths"), idempotent=True, host="backend"
)
