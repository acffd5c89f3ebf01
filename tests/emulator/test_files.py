"""Files: upload, pagination, rename, delete and download."""

import base64
from typing import Any

import httpx
import pytest

from tests.cases import for_each
from xai_lowcode.emulator import Emulator


def result(response: httpx.Response) -> Any:
    """Return the result of a success."""
    assert response.status_code == 200, response.text
    return response.json()["result"]


def upload(http: httpx.Client, name: str, *chunks: bytes) -> str:
    """Upload a file and return its id."""
    started = result(
        http.post("/v1/files:initialize", json={"name": name, "content_type": "text/plain"})
    )
    for chunk in chunks:
        encoded = base64.b64encode(chunk).decode()
        body = {"file_id": started["file_id"], "chunk": encoded}
        assert result(http.post("/v1/files:uploadChunks", json=body))["name"] == name
    return str(started["file_id"])


def test_upload(http: httpx.Client) -> None:
    """Chunks are concatenated; the size is a string in the upload response, else a number."""
    name = upload(http, "a.txt", b"one ")
    body = {"file_id": name, "chunk": base64.b64encode(b"two").decode()}
    old = result(http.post("/v1/files:uploadChunks", json=body))
    assert (old["size_bytes"], old["upload_status"]) == ("7", "Complete")
    new = result(http.get(f"/v1/files/{name}"))
    assert (new["bytes"], new["filename"], new["id"]) == (7, "a.txt", name)
    assert http.get(f"/v1/files/{name}/content").text == "one two"


def test_an_upload_without_chunks_is_incomplete(http: httpx.Client) -> None:
    """A file without chunks is incomplete."""
    body = {"name": "a", "content_type": "b"}
    started = result(http.post("/v1/files:initialize", json=body))
    assert started["metadata"]["upload_status"] == "Initializing"


@for_each(
    ("path", "body", "status"),
    [
        ("/v1/files:initialize", {"name": "a"}, 422),
        ("/v1/files:initialize", {"name": " ", "content_type": "b"}, 400),
        ("/v1/files:uploadChunks", {"file_id": "nope", "chunk": ""}, 404),
        ("/v1/files:uploadChunks", {"file_id": "nope"}, 422),
        ("/v1/files/batch_upload", {"files": [{}]}, 422),
        ("/v1/files/batch_upload/nope:complete", {}, 404),
    ],
)
def test_upload_refusals(http: httpx.Client, path: str, body: Any, status: int) -> None:
    """Invalid uploads get an error of the provider."""
    response = http.post(path, json=body)
    assert (response.status_code, response.json()["provider"]) == (status, "xai")


def test_chunks_are_base64(http: httpx.Client) -> None:
    """A chunk that is not base64 is refused."""
    body = {"file_id": upload(http, "a"), "chunk": "?"}
    assert http.post("/v1/files:uploadChunks", json=body).status_code == 400


def test_maximum_size(gateway: Emulator, http: httpx.Client) -> None:
    """A file larger than 50 MB is refused."""
    name = gateway.add_file("large", b" " * 50 * 1024 * 1024)
    body = {"file_id": name, "chunk": base64.b64encode(b"x").decode()}
    assert http.post("/v1/files:uploadChunks", json=body).status_code == 413


def test_update_and_delete(gateway: Emulator, http: httpx.Client) -> None:
    """A file can be renamed and deleted."""
    name = gateway.add_file("a", b"x")
    assert result(http.patch(f"/v1/files/{name}", json={"filename": "b"}))["filename"] == "b"
    assert result(http.patch(f"/v1/files/{name}", json={"name": "c"}))["filename"] == "c"
    deleted = {"deleted": True, "id": name, "object": "file"}
    assert result(http.delete(f"/v1/files/{name}")) == deleted
    for response in (
        http.get(f"/v1/files/{name}"),
        http.get(f"/v1/files/{name}/content"),
        http.delete(f"/v1/files/{name}"),
        http.patch(f"/v1/files/{name}", json={}),
    ):
        assert response.status_code == 404


@pytest.fixture
def stored_files(gateway: Emulator) -> list[str]:
    """Five files whose names descend while their sizes ascend."""
    return [
        gateway.add_file(f"{first_letter}.txt", b"x" * size, "text/plain" if size % 2 else "a/pdf")
        for size, first_letter in enumerate("edcba", 1)
    ]


def listed(http: httpx.Client, **query: Any) -> list[str]:
    """Return the first letters of the names."""
    return [file["filename"][0] for file in result(http.get("/v1/files", params=query))["data"]]


@pytest.mark.usefixtures("stored_files")
@for_each(
    ("query", "names"),
    [
        ({}, "abcde"),
        ({"order": "asc"}, "edcba"),
        ({"sort_by": "filename"}, "edcba"),
        ({"sort_by": "filename", "order": "asc"}, "abcde"),
        ({"sort_by": "size", "order": "asc", "limit": 2}, "ed"),
    ],
)
def test_listing(http: httpx.Client, query: Any, names: str) -> None:
    """`order`, `sort_by` and `limit` are applied."""
    assert listed(http, **query) == list(names)


@pytest.mark.usefixtures("stored_files")
def test_pages(http: httpx.Client) -> None:
    """Every page has a pagination token, the last one too; together they have all files."""
    found: list[str] = []
    token: str | None = None
    sizes: list[int] = []
    while not sizes or sizes[-1] == 2:
        query = {"limit": "2", **({"pagination_token": token} if token else {})}
        page = result(http.get("/v1/files", params=query))
        token = page["pagination_token"]
        assert token
        sizes.append(len(page["data"]))
        found += [file["filename"][0] for file in page["data"]]
    assert (found, sizes) == (list("abcde"), [2, 2, 1])
    behind = result(http.get("/v1/files", params={"pagination_token": token}))
    assert behind == {"data": [], "pagination_token": token}


def test_empty_list(http: httpx.Client) -> None:
    """An empty list is an object with both keys."""
    assert result(http.get("/v1/files")) == {"data": [], "pagination_token": ""}


@for_each(
    "query",
    [
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "x"},
        {"order": "up"},
        {"sort_by": "colour"},
        {"pagination_token": "nope"},
        {"filter": "size_bytes > 1"},
    ],
)
def test_listing_refusals(http: httpx.Client, query: Any) -> None:
    """An invalid query parameter, and `filter` whatever its value, gets a 400."""
    assert http.get("/v1/files", params=query).status_code == 400


def test_batch(http: httpx.Client) -> None:
    """A batch upload creates its files and can be completed."""
    files = [{"name": "a", "content_type": "b"}]
    job = result(http.post("/v1/files/batch_upload", json={"files": files}))
    assert listed(http) == ["a"]
    done = result(http.post(f"/v1/files/batch_upload/{job['batch_job_id']}:complete"))
    assert (job["status"], done["status"]) == ("in_progress", "completed")


BINARY = bytes(range(256))


def content(gateway: Emulator, http: httpx.Client, body: bytes, kind: str) -> httpx.Response:
    """Download a file."""
    return http.get(f"/v1/files/{gateway.add_file('a', body, kind)}/content")


@pytest.mark.parametrize(
    ("body", "kind", "status", "seen"),
    [
        ("täxt".encode(), "text/plain", 200, "täxt".encode()),
        (BINARY, "application/pdf", 200, BINARY.decode("utf-8", "replace").encode()),
        (b'{"a": 1}\n', "text/plain", 200, b'{"a":1}'),
        (b"[1.0, true]", "application/x-thing", 200, b"[1,true]"),
        (b'"a text"', "text/plain", 200, b"a text"),
        (b"404", "text/plain", 404, b"Not Found"),
        (b"299", "text/plain", 299, b"299"),
        (b"null", "text/plain", 200, b""),
        (b"", "text/plain", 200, b""),
    ],
)
def test_download(
    gateway: Emulator, http: httpx.Client, body: bytes, kind: str, status: int, seen: bytes
) -> None:
    """The gateway decodes every file as UTF-8, and as JSON if possible."""
    response = content(gateway, http, body, kind)
    assert (response.status_code, response.content) == (status, seen)
    assert response.headers["content-type"] == f"{kind}; charset=utf-8"


@pytest.mark.parametrize("kind", ["application/json", "text/xml", "application/json;v=1"])
def test_download_of_json(gateway: Emulator, http: httpx.Client, kind: str) -> None:
    """A JSON file is wrapped in the envelope."""
    assert content(gateway, http, b'{"a": 1.0}', kind).json()["result"] == {"a": 1}


@pytest.mark.parametrize("body", [b"12345", b"7"])
def test_download_of_a_number(gateway: Emulator, http: httpx.Client, body: bytes) -> None:
    """A file with a number that is not a status closes the connection."""
    with pytest.raises(httpx.RemoteProtocolError):
        content(gateway, http, body, "text/plain")


def test_download_without_a_response(gateway: Emulator, http: httpx.Client) -> None:
    """A JSON file with null gets no response."""
    http.timeout = httpx.Timeout(0.2)
    with pytest.raises(httpx.ReadTimeout):
        content(gateway, http, b"null", "application/json")


@pytest.mark.parametrize("body", [BINARY, b"404", b'{"a": 1}\n', b"12345"])
def test_intact_downloads(gateway: Emulator, http: httpx.Client, body: bytes) -> None:
    """With `downloads="intact"` a file is not changed."""
    gateway.downloads = "intact"
    response = content(gateway, http, body, "application/json")
    assert (response.content, response.headers["content-type"]) == (body, "application/json")


def test_format(gateway: Emulator, http: httpx.Client) -> None:
    """A file can be downloaded as text; unknown formats are refused."""
    name = gateway.add_file("a", b"x", "application/pdf")
    response = http.get(f"/v1/files/{name}/content", params={"format": "text"})
    assert response.headers["content-type"].startswith("text/plain")
    query = {"format": "x"}
    assert http.get(f"/v1/files/{name}/content", params=query).status_code == 400


def test_first_wins_breaks_chunks(gateway: Emulator, http: httpx.Client) -> None:
    """With `first_wins` a chunk reaches the first route with a colon and is refused there."""
    gateway.colon_routes = "first_wins"
    for colon in (":", "%3A"):
        body = {"file_id": "x", "chunk": ""}
        response = http.post(f"/v1/files{colon}uploadChunks", json=body)
        assert (response.status_code, "missing field `name`" in response.text) == (422, True)
        seen = gateway.requests[-1]
        assert seen.upstream == "/v1/files:initialize?initialize=%3AuploadChunks"
    upload(http, "a")


@pytest.mark.parametrize(("url_formats", "status"), [("new", 404), ("old", 200)])
def test_first_wins_truncates_batch_ids(
    gateway: Emulator, http: httpx.Client, url_formats: Any, status: int
) -> None:
    """With `first_wins` the new URL format truncates the batch id, the old one does not."""
    job = result(http.post("/v1/files/batch_upload", json={}))["batch_job_id"]
    gateway.colon_routes, gateway.url_forms = "first_wins", url_formats
    old = url_formats == "old"
    name, query = ("batch_job_id", {"batch_job_id": job}) if old else (job, {})
    response = http.post(f"/v1/files/batch_upload/{name}:complete", params=query)
    assert response.status_code == status
    cut = f"/v1/files/batch_upload/b:complete?batch_job_id=b&complete={job[1:]}%3Acomplete"
    whole = f"/v1/files/batch_upload/{job}:complete?batch_job_id={job}&complete=%3Acomplete"
    assert gateway.requests[-1].upstream == {"new": cut, "old": whole}[url_formats]


def test_quoted_colon(http: httpx.Client) -> None:
    """A colon may be percent-encoded."""
    body = {"name": "a", "content_type": "b"}
    assert http.post("/v1/files%3Ainitialize", json=body).status_code == 200
    assert http.post("/v1/files:nothing", json=body).json() == {"message": "Not Found"}


@pytest.mark.parametrize("path", ["/v1/files/a%2Fcontent", "/v1/files/..%2Fapi-key"])
def test_both_routes_are_recorded(gateway: Emulator, http: httpx.Client, path: str) -> None:
    """An id with encoded characters reaches another endpoint; both routes are recorded."""
    http.get(path)
    seen = gateway.requests[-1]
    assert seen.route == "/v1/files/{file_id}"
    assert seen.upstream_route in {"/v1/files/{file_id}/content", "/v1/api-key"}
    http.get("/v1/files/a")
    assert gateway.requests[-1].route == gateway.requests[-1].upstream_route
