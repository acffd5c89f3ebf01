"""What was uploaded, as it lies where it arrived: in the emulator, or on a tiny xAI by hand."""

import base64

from tests.core.loopback import Move, Request, json_reply
from xai_lowcode.emulator import Emulator


def stored(emulator: Emulator) -> bytes:
    """The one file that is there."""
    (file,) = emulator.store.files.values()
    return bytes(file.content)


class Shelf:
    """A tiny xAI by hand: it keeps pieces, and answers each as the test says."""

    def __init__(self) -> None:
        self.content = b""
        self.asked: list[str] = []
        self.next: list[Move | None] = []

    def __call__(self, request: Request) -> Move:
        """Takes a request; None in ``next`` is a proper answer, anything else comes in its place.

        A piece has arrived in any case.
        """
        what = request.target.partition("?")[0].rpartition("/")[2]
        self.asked.append(what)
        if what == "files:initialize":
            return json_reply({"file_id": "file_1"})
        if what == "files:uploadChunks":
            self.content += base64.b64decode(request.json["chunk"])
        instead = self.next.pop(0) if self.next and what != "file_1" else None
        return instead or json_reply(
            {"file_id": "file_1", "name": "n", "size_bytes": str(len(self.content))}
        )

    @property
    def pieces(self) -> int:
        """How many pieces came."""
        return self.asked.count("files:uploadChunks")
