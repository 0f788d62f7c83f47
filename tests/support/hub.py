"""A stand-in of the Hugging Face hub: one model, served from a folder at the addresses that the hub library asks."""

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """Serves the files below `folder` as those of the model `model` (owner/name) at COMMIT.

    asked: the paths of all requests, in their order. altered: bytes to send instead of a file's own, by name.
    """

    def __init__(self, model: str, folder: Path):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.model, self.folder = model, folder
        self.asked: list[str] = []
        self.altered: dict[str, bytes] = {}

    @property
    def endpoint(self) -> str:
        """The value for HF_ENDPOINT."""
        return f"http://127.0.0.1:{self.server_port}"

    def sent(self) -> set[str]:
        """Names of the files whose content was asked for."""
        start = f"GET /{self.model}/resolve/{COMMIT}/"
        return {path.removeprefix(start) for path in self.asked if path.startswith(start)}

    def tree(self) -> list[dict]:
        """The hub's listing of the model: weights are in large file storage, known by their SHA-256."""
        entries = []
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder).as_posix()
            if path.is_dir():
                entries.append({"type": "directory", "path": name, "oid": "0" * 40, "size": 0})
                continue
            content = path.read_bytes()
            entry = {"type": "file", "path": name, "oid": hashlib.sha1(content).hexdigest(), "size": len(content)}
            if path.suffix in (".safetensors", ".bin", ".ckpt"):
                digest = hashlib.sha256(content).hexdigest()
                entry["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 130}
            entries.append(entry)
        return entries


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append(f"{self.command} {path}")
        tree = f"/api/models/{self.server.model}/tree/{COMMIT}"
        resolve = f"/{self.server.model}/resolve/{COMMIT}/"
        if path == tree:
            self._send(json.dumps(self.server.tree()).encode(), {"Content-Type": "application/json"})
        elif path.startswith(resolve) and (self.server.folder / path.removeprefix(resolve)).is_file():
            name = path.removeprefix(resolve)
            content = self.server.altered.get(name, (self.server.folder / name).read_bytes())
            self._send(content, {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": COMMIT})
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RevisionNotFound" if self.server.model in path else "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def _send(self, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Keep requests out of the output of the tests."""


@contextlib.contextmanager
def serve_hub(model: str, folder: Path) -> Iterator[Hub]:
    """A hub that holds one model while the context is open."""
    with Hub(model, folder) as hub:
        thread = threading.Thread(target=hub.serve_forever, daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()
