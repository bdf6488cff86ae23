"""A registry of images that asks for a name and a password, as small as Docker needs it to pull."""

import base64
import contextlib
import hashlib
import io
import json
import subprocess
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar"


def digest_of(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def image_content(image):
    """The blobs of an image of the daemon's by their digests, and its manifest."""
    saved = subprocess.run(["docker", "save", image], check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(saved)) as archive:
        (entry,) = json.load(archive.extractfile("manifest.json"))
        config = archive.extractfile(entry["Config"]).read()
        layers = [archive.extractfile(name).read() for name in entry["Layers"]]

    def described(kind, content):
        return {"mediaType": kind, "size": len(content), "digest": digest_of(content)}

    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": described(CONFIG, config),
        "layers": [described(LAYER, layer) for layer in layers],
    }
    return {digest_of(blob): blob for blob in [config, *layers]}, json.dumps(manifest).encode()


@contextlib.contextmanager
def registry(image, username, password):
    """Serves `image` under any name; gives the host and port."""
    blobs, manifest = image_content(image)
    wanted = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            if self.headers.get("Authorization") != wanted:
                self.answer(401, b"{}", "application/json", {"WWW-Authenticate": 'Basic realm="private"'})
            elif self.path == "/v2/":
                self.answer(200, b"{}", "application/json")
            elif "/manifests/" in self.path:
                self.answer(200, manifest, MANIFEST, {"Docker-Content-Digest": digest_of(manifest)})
            else:
                blob = blobs.get(self.path.rpartition("/")[2])
                self.answer(*((200, blob) if blob is not None else (404, b"")), "application/octet-stream")

        do_HEAD = do_GET

        def answer(self, status, content, kind, more=()):
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **dict(more)}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
