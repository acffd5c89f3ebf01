"""Uploaded files: those in the emulator, and a fake files API for the fake server."""

import base64

from tests.core.fake_server import Action, Request, json_reply
from xai_lowcode.emulator import Emulator


def get_file_content(emulator: Emulator) -> bytes:
    """Return the content of the only file in the emulator."""
    (file,) = emulator.store.files.values()
    return bytes(file.content)


class FakeFiles:
    """Respond to the requests of an upload, and join the chunks received.

    Attributes:
        content: The content received so far.
        endpoints: The last path segment of each request.
        actions: Actions in place of the next responses; None responds normally. A chunk is kept
            in any case.
    """

    def __init__(self) -> None:
        self.content = b""
        self.endpoints: list[str] = []
        self.actions: list[Action | None] = []

    def __call__(self, request: Request) -> Action:
        """Return the action for a request."""
        endpoint = request.target.partition("?")[0].rpartition("/")[2]
        self.endpoints.append(endpoint)
        if endpoint == "files:initialize":
            return json_reply({"file_id": "file_1"})
        if endpoint == "files:uploadChunks":
            self.content += base64.b64decode(request.json["chunk"])
        action = self.actions.pop(0) if self.actions and endpoint != "file_1" else None
        return action or json_reply(
            {"file_id": "file_1", "name": "n", "size_bytes": str(len(self.content))}
        )

    @property
    def chunk_count(self) -> int:
        """Number of chunks received."""
        return self.endpoints.count("files:uploadChunks")
