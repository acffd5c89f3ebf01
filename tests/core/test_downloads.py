"""Downloads return the unchanged file, or raise an error with the received content."""

import json
import pickle
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.clients import GATEWAY_CLIENTS, emulator_settings, server_settings
from tests.core.fake_server import FakeServer, Reply, json_reply
from tests.core.sync_async import Delays, open_client
from tests.core.wire import ENVELOPES
from xai_lowcode import emulator as emulation
from xai_lowcode.api import files
from xai_lowcode.emulator import Emulator
from xai_lowcode.errors import CorruptedDownloadError, NotFoundError
from xai_lowcode.types.resources import FileRecord

if TYPE_CHECKING:
    from xai_lowcode.api.files import FileContent

both_clients = pytest.mark.parametrize("kind", GATEWAY_CLIENTS)


EVERY_BYTE = bytes(range(256))
UNCHANGED: list[tuple[str, bytes, str]] = [
    ("a.txt", "Zeile é 中 \U0001f600\n".encode(), "text/plain"),
    ("a.csv", b"a,b\r\n1,2\r\n", "text/csv"),
    ("replaced.txt", "a \N{REPLACEMENT CHARACTER} of its own".encode(), "text/plain"),
    ("a.bin", b"plain ASCII in a binary", "application/octet-stream"),
    ("a.json", b'{"a":1,"b":[true,null,"\xc3\xa9"]}', "application/json"),
    ("a.json", b'{"a":1}', "application/octet-stream"),
    ("list.json", b"[1,2,3]", "application/octet-stream"),
    ("data.json", b'{"data":{"a":1}}', "application/json"),
    ("data.json", b'{"data":[1]}', "application/json"),
    ("result.json", b'{"result":{"a":1},"provider":"xai"}', "application/json"),
    ("error.json", b'{"error":"the content of a file"}', "application/json"),
    ("a.xml", b"<a>\xc3\xa9</a>", "application/xml"),
    ("not.json", b"{this is none", "application/json"),
    ("empty object.json", b"{}", "application/json"),
]

DOWNLOADS: list[Any] = ["intact", "as_gateway"]


@both_clients
def test_unchanged_files(emulator: Emulator, kind: type[Any]) -> None:
    """A file that the gateway does not change is returned in every envelope."""
    with open_client(kind, emulator_settings(emulator)) as gateway:
        for file, envelope, downloads in product(UNCHANGED, ENVELOPES, DOWNLOADS):
            emulator.envelope, emulator.downloads = envelope, downloads
            name, content, content_type = file
            file_id = emulator.add_file(name, content, content_type)
            download = gateway.call_method("download_file", file_id)
            context = (file, envelope, downloads)
            assert download.content == content, context
            assert (download.record.id, download.record.name) == (file_id, name), context
            assert repr(content) not in repr(download), context


CORRUPTED: list[tuple[str, bytes, str]] = [
    ("a.bin", EVERY_BYTE, "application/octet-stream"),
    ("a.pdf", b"%PDF-1.7\n\xe2\xe3\xcf\xd3", "application/pdf"),
    (
        "three.bin",
        b"ok\xf0\x9f\x98ok",
        "application/octet-stream",
    ),  # the replacement has the same length
    ("latin.txt", "é".encode("latin-1"), "text/plain"),
    ("spaced.json", b'{"a": 1}\n', "application/octet-stream"),
    ("spaced.json", b'{"a": 1}\n', "application/json"),
    ("float.json", b'{"a":1.0}', "application/json"),
    ("escaped.json", b'{"a":"\\u00e9"}', "application/json"),
    ("twice.json", b'{"a":1,"a":2}', "application/json"),
    ("null.txt", b"null", "application/octet-stream"),
    ("number.txt", b"200", "application/octet-stream"),
]


@both_clients
@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize(("name", "content", "content_type"), CORRUPTED)
def test_corrupted_files_raise(
    emulator: Emulator,
    kind: type[Any],
    envelope: Any,
    name: str,
    content: bytes,
    content_type: str,
) -> None:
    """A file that the gateway changes raises an error with the received content."""
    emulator.envelope = envelope
    file_id = emulator.add_file(name, content, content_type)
    with open_client(kind, emulator_settings(emulator)) as gateway:
        with pytest.raises(CorruptedDownloadError) as raised:
            gateway.call_method("download_file", file_id)
        assert raised.value.content != content
        assert name in str(raised.value)
        assert raised.value.source == "gateway"
        unpickled = pickle.loads(pickle.dumps(raised.value))  # noqa: S301 - just written
        assert unpickled.content == raised.value.content
        emulator.downloads = "intact"
        assert gateway.call_method("download_file", file_id).content == content


@both_clients
def test_json_of_the_same_length_is_returned(emulator: Emulator, kind: type[Any]) -> None:
    """JSON that the gateway encoded again with the same length is not recognized as changed."""
    file_id = emulator.add_file("a.json", b'{"a":1e2}', "application/octet-stream")
    with open_client(kind, emulator_settings(emulator)) as gateway:
        content = gateway.call_method("download_file", file_id).content
    assert json.loads(content) == {"a": 100}


@both_clients
@pytest.mark.parametrize("record", [{"id": "f"}, {"id": "f", "filename": "a.txt"}])
def test_without_a_size_replaced_bytes_raise(
    gateway: FakeServer, kind: type[Any], record: dict[str, Any]
) -> None:
    """Replacement characters raise if the record has no size, unless the file is text."""
    corrupted = "\N{REPLACEMENT CHARACTER}".encode()
    with open_client(kind, server_settings(gateway)) as client:
        gateway.script([json_reply(record), Reply(b"fine", content_type="text/plain")])
        assert client.call_method("download_file", "f").content == b"fine"
        gateway.script([json_reply(record), Reply(corrupted, content_type="text/plain")])
        if "filename" in record:
            assert client.call_method("download_file", "f").content == corrupted
        else:
            with pytest.raises(CorruptedDownloadError):
                client.call_method("download_file", "f")


@both_clients
def test_the_text_of_a_file(emulator: Emulator, kind: type[Any]) -> None:
    """``as_text`` requests the extracted text, whose length is not checked."""
    file_id = emulator.add_file("a.pdf", EVERY_BYTE, "application/pdf")
    with open_client(kind, emulator_settings(emulator)) as gateway:
        download = gateway.call_method("download_file", file_id, as_text=True)
    assert "0123456789" in download.content.decode()
    assert emulator.requests[-1].query["format"] == "text"
    assert "format" not in emulator.requests[0].query


@both_clients
@pytest.mark.parametrize("text", [b'{"data":{"a":1}}', b'"quoted"', b'{"result":1}', b"{"])
@pytest.mark.parametrize("size", [1, 6, 7, None])
def test_text_that_resembles_an_envelope_is_unchanged(
    gateway: FakeServer, kind: type[Any], text: bytes, size: int | None
) -> None:
    """Extracted text that resembles an envelope is returned unchanged, for any size of the file."""
    record = json_reply({"id": "f", "filename": "a.txt", "bytes": size})
    with open_client(kind, server_settings(gateway)) as client:
        gateway.script([record, Reply(text, content_type="text/plain")])
        assert client.call_method("download_file", "f", as_text=True).content == text
        wrapped_text = {"result": text.decode(), "provider": "xai"}
        gateway.script([record, json_reply(wrapped_text)])
        assert client.call_method("download_file", "f", as_text=True).content == text


@both_clients
def test_failed_downloads(emulator: Emulator, delays: Delays, kind: type[Any]) -> None:
    """A missing file raises `NotFoundError`; a truncated download is retried."""
    file_id = emulator.add_file("a.txt", b"text of a file", "text/plain")
    with open_client(kind, emulator_settings(emulator)) as gateway:
        with pytest.raises(NotFoundError):
            gateway.call_method("download_file", "file_none")
        emulator.requests.clear()
        emulator.inject(emulation.CloseAfter(), emulation.CutBytes(4))
        assert gateway.call_method("download_file", file_id).content == b"text of a file"
        assert len(emulator.requests) == 3
    assert len(delays) == 1


@both_clients
def test_a_file_is_saved(emulator: Emulator, tmp_path: Path, kind: type[Any]) -> None:
    """``save`` writes the content and returns the path."""
    emulator.downloads = "intact"
    file_id = emulator.add_file("a.bin", EVERY_BYTE)
    with open_client(kind, emulator_settings(emulator)) as gateway:
        download: FileContent = gateway.call_method("download_file", file_id)
    path = download.save(str(tmp_path / "there.bin"))
    assert path == tmp_path / "there.bin"
    assert path.read_bytes() == EVERY_BYTE


@given(st.binary(max_size=40), st.sampled_from(["a.bin", "a.txt", "a.json"]))
def test_any_corruption_is_recognized(content: bytes, name: str) -> None:
    """Bytes of another length, and replaced bytes of a binary file, are an error."""
    received = content.decode("utf-8", "replace").encode()
    record = FileRecord.model_validate({"id": "f", "filename": name, "bytes": len(content)})
    download = files._without_envelope(received, record.size)
    reason = files._find_corruption(download, record)
    if received == content:
        assert download == content
        assert reason is None or "\N{REPLACEMENT CHARACTER}".encode() in content
    elif len(received) != len(content) or name == "a.bin":
        assert reason is not None
