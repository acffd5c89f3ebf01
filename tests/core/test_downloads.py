"""Law: what is downloaded is the file, or an error that holds what came."""

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

both = pytest.mark.parametrize("kind", GATEWAY_CLIENTS)


EVERY_BYTE = bytes(range(256))
INTACT: list[tuple[str, bytes, str]] = [
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


@both
def test_what_survives_is_given(emulator: Emulator, kind: type[Any]) -> None:
    """A file that the gateway does not change is returned unchanged, in every envelope."""
    with open_client(kind, emulator_settings(emulator)) as gateway:
        for file, envelope, downloads in product(INTACT, ENVELOPES, DOWNLOADS):
            emulator.envelope, emulator.downloads = envelope, downloads
            name, content, content_type = file
            file_id = emulator.add_file(name, content, content_type)
            found = gateway.call_method("download_file", file_id)
            context = (file, envelope, downloads)
            assert found.content == content, context
            assert (found.record.id, found.record.name) == (file_id, name), context
            assert repr(content) not in repr(found), context


DAMAGED: list[tuple[str, bytes, str]] = [
    ("a.bin", EVERY_BYTE, "application/octet-stream"),
    ("a.pdf", b"%PDF-1.7\n\xe2\xe3\xcf\xd3", "application/pdf"),
    ("three.bin", b"ok\xf0\x9f\x98ok", "application/octet-stream"),  # replaced without a byte more
    ("latin.txt", "é".encode("latin-1"), "text/plain"),
    ("spaced.json", b'{"a": 1}\n', "application/octet-stream"),
    ("spaced.json", b'{"a": 1}\n', "application/json"),
    ("float.json", b'{"a":1.0}', "application/json"),
    ("escaped.json", b'{"a":"\\u00e9"}', "application/json"),
    ("twice.json", b'{"a":1,"a":2}', "application/json"),
    ("null.txt", b"null", "application/octet-stream"),
    ("number.txt", b"200", "application/octet-stream"),
]


@both
@pytest.mark.parametrize("how", ENVELOPES)
@pytest.mark.parametrize(("name", "content", "content_type"), DAMAGED)
def test_what_is_damaged_is_told(
    emulator: Emulator,
    kind: type[Any],
    how: Any,
    name: str,
    content: bytes,
    content_type: str,
) -> None:
    """A file that the gateway changes is an error with what came; unchanged it is given."""
    emulator.envelope = how
    file_id = emulator.add_file(name, content, content_type)
    with open_client(kind, emulator_settings(emulator)) as gateway:
        with pytest.raises(CorruptedDownloadError) as raised:
            gateway.call_method("download_file", file_id)
        assert raised.value.content != content
        assert name in str(raised.value)
        assert raised.value.source == "gateway"
        again = pickle.loads(pickle.dumps(raised.value))  # noqa: S301 - just written
        assert again.content == raised.value.content
        emulator.downloads = "intact"
        assert gateway.call_method("download_file", file_id).content == content


@both
def test_the_same_document_of_the_same_length_passes(emulator: Emulator, kind: type[Any]) -> None:
    """JSON that was written anew and kept its length is given: nothing tells the two apart."""
    file_id = emulator.add_file("a.json", b'{"a":1e2}', "application/octet-stream")
    with open_client(kind, emulator_settings(emulator)) as gateway:
        content = gateway.call_method("download_file", file_id).content
    assert json.loads(content) == {"a": 100}


@both
@pytest.mark.parametrize("record", [{"id": "f"}, {"id": "f", "filename": "a.txt"}])
def test_without_a_size_bytes_are_looked_at(
    gateway: FakeServer, kind: type[Any], record: dict[str, Any]
) -> None:
    """Where the record has no size, replaced bytes still tell, unless the file is a text."""
    broken = "\N{REPLACEMENT CHARACTER}".encode()
    with open_client(kind, server_settings(gateway)) as client:
        gateway.script([json_reply(record), Reply(b"fine", content_type="text/plain")])
        assert client.call_method("download_file", "f").content == b"fine"
        gateway.script([json_reply(record), Reply(broken, content_type="text/plain")])
        if "filename" in record:
            assert client.call_method("download_file", "f").content == broken
        else:
            with pytest.raises(CorruptedDownloadError):
                client.call_method("download_file", "f")


@both
def test_the_text_of_a_file(emulator: Emulator, kind: type[Any]) -> None:
    """The text that xAI made of a file is asked for, and not measured by the file's length."""
    file_id = emulator.add_file("a.pdf", EVERY_BYTE, "application/pdf")
    with open_client(kind, emulator_settings(emulator)) as gateway:
        found = gateway.call_method("download_file", file_id, as_text=True)
    assert "0123456789" in found.content.decode()
    assert emulator.requests[-1].query["format"] == "text"
    assert "format" not in emulator.requests[0].query


@both
@pytest.mark.parametrize("text", [b'{"data":{"a":1}}', b'"quoted"', b'{"result":1}', b"{"])
@pytest.mark.parametrize("size", [1, 6, 7, None])
def test_a_text_is_not_taken_for_an_envelope(
    gateway: FakeServer, kind: type[Any], text: bytes, size: int | None
) -> None:
    """Whatever the file's length, a text that merely looks wrapped is given as it came."""
    record = json_reply({"id": "f", "filename": "a.txt", "bytes": size})
    with open_client(kind, server_settings(gateway)) as client:
        gateway.script([record, Reply(text, content_type="text/plain")])
        assert client.call_method("download_file", "f", as_text=True).content == text
        wrapped_text = {"result": text.decode(), "provider": "xai"}
        gateway.script([record, json_reply(wrapped_text)])
        assert client.call_method("download_file", "f", as_text=True).content == text


@both
def test_a_download_that_fails(emulator: Emulator, delays: Delays, kind: type[Any]) -> None:
    """A missing file is a 404; a cut download is made again, for reading does no harm."""
    file_id = emulator.add_file("a.txt", b"text of a file", "text/plain")
    with open_client(kind, emulator_settings(emulator)) as gateway:
        with pytest.raises(NotFoundError):
            gateway.call_method("download_file", "file_none")
        emulator.requests.clear()
        emulator.inject(emulation.CloseAfter(), emulation.CutBytes(4))
        assert gateway.call_method("download_file", file_id).content == b"text of a file"
        assert len(emulator.requests) == 3
    assert len(delays) == 1


@both
def test_a_file_is_saved(emulator: Emulator, tmp_path: Path, kind: type[Any]) -> None:
    """What was fetched is written as it is, and the path comes back."""
    emulator.downloads = "intact"
    file_id = emulator.add_file("a.bin", EVERY_BYTE)
    with open_client(kind, emulator_settings(emulator)) as gateway:
        found: FileContent = gateway.call_method("download_file", file_id)
    place = found.save(str(tmp_path / "there.bin"))
    assert place == tmp_path / "there.bin"
    assert place.read_bytes() == EVERY_BYTE


@given(st.binary(max_size=40), st.sampled_from(["a.bin", "a.txt", "a.json"]))
def test_nothing_damaged_is_given_as_good(content: bytes, name: str) -> None:
    """Whatever a gateway makes of the bytes: of another length, or replaced, they are an error."""
    mangled = content.decode("utf-8", "replace").encode()
    record = FileRecord.model_validate({"id": "f", "filename": name, "bytes": len(content)})
    found = files._without_envelope(mangled, record.size)
    reason = files._find_corruption(found, record)
    if mangled == content:
        assert found == content
        assert reason is None or "\N{REPLACEMENT CHARACTER}".encode() in content
    elif len(mangled) != len(content) or name == "a.bin":
        assert reason is not None
