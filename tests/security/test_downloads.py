"""Downloads are over https alone and known by their SHA-256: from a web server on this machine, with a certificate of its own."""

import ast
import errno
import hashlib
import re
import shutil
import socket
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest.mock import Mock

import pytest

from breakeven.data import cifar10, fashion_mnist, imdb, mnli
from breakeven.data.download import _download, official
from breakeven.store.errors import UserError
from tests.security.refusal import refusal

OPENSSL = shutil.which("openssl")
CONTENT = bytes(range(256)) * 8192  # 2 MiB
DIGEST = hashlib.sha256(CONTENT).hexdigest()
SOURCES = Path(__file__).parents[2] / "breakeven"


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Gives the content at /file, half of it at /half, another at /other, nothing elsewhere; /to?URL leads to URL."""
    if OPENSSL is None:
        pytest.skip("openssl is not installed: no server with a certificate")
    key = tmp_path / "server.pem"
    options = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", tmp_path / "certificate.pem"]
    subprocess.run([OPENSSL, *options.split(), *names], check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    monkeypatch.setenv("no_proxy", "localhost")
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            path, _, target = self.path.partition("?")
            content = {"/file": CONTENT, "/half": CONTENT, "/other": b"<html>"}.get(path)
            self.send_response(302 if target else 404 if content is None else 200)
            if target:
                self.send_header("Location", target)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if path == "/half" else content or b"")

        def log_message(self, *arguments):
            pass

    http = ThreadingHTTPServer(("localhost", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem", key)
    http.socket = context.wrap_socket(http.socket, server_side=True)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    http.address, http.asked = f"https://localhost:{http.server_port}", asked
    yield http
    http.shutdown()
    thread.join()
    http.server_close()


def fetch(path, *urls):
    official("cifar10", path, DIGEST, urls, "nothing is there", "put it there")


def test_a_file_comes_whole_and_says_how_far_it_is(server, tmp_path, capsys):
    """Also where the address leads to another one."""
    for number, path in enumerate((f"{server.address}/file", f"{server.address}/to?{server.address}/file"), start=1):
        file = tmp_path / f"new{number}" / "file.tar"
        fetch(file, path)
        assert file.read_bytes() == CONTENT
        assert list(file.parent.iterdir()) == [file]
        assert "download file.tar: 100%" in capsys.readouterr().err
        fetch(file, path)  # what is there is not asked for again
        assert server.asked.count("/file") == number


REFUSED = {
    "http://localhost/file": "it leads to http://localhost/file, which is not https",
    "file:///etc/passwd": "it leads to file:///etc/passwd, which is not https",
    "{0}/to?http://localhost:1/file": "it leads to http://localhost:1/file, which is not https",
    "{0}/to?file:///etc/passwd": "Redirection to url 'file:///etc/passwd' is not allowed",
    "{0}/other": "what came is not the official file: its SHA-256 is another",
    "{0}/half": "what came is not the official file: its SHA-256 is another",
    "{0}/nothing": "HTTP Error 404: Not Found",
    "https://localhost:1/file": "Connection refused",
}


def test_what_is_refused_is_told_in_one_sentence(server, tmp_path):
    path = tmp_path / "new" / "file.tar"
    for address, reason in REFUSED.items():
        url = address.format(server.address)
        told = refusal(lambda url=url: fetch(path, url))
        assert told.startswith(f"cifar10: nothing is there, and the download from {url} failed ("), told
        assert reason in told, told
        assert told.endswith("On a machine without internet, put it there."), told
        assert not path.parent.exists() or list(path.parent.iterdir()) == []


def test_a_certificate_that_nobody_signed_is_refused(server, tmp_path, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(UserError, match="certificate verify failed"):
        fetch(tmp_path / "file", f"{server.address}/file")
    assert server.asked == []


def test_the_second_address_where_the_first_fails(server, tmp_path):
    fetch(tmp_path / "file", f"{server.address}/nothing", f"{server.address}/file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_folder_that_cannot_be_made_is_told_before_anything_is_asked(server, tmp_path):
    (tmp_path / "a_file").touch()
    with pytest.raises(UserError, match=r"and the download from .* failed \(.*(Not a directory|File exists)"):
        fetch(tmp_path / "a_file" / "data" / "file", f"{server.address}/file")
    assert server.asked == []


def test_trouble_with_the_own_disk_is_not_the_fault_of_an_address(tmp_path, monkeypatch):
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM):
        full = Mock(side_effect=OSError(number, "trouble"))
        monkeypatch.setattr("breakeven.data.download._download", full)
        with pytest.raises(OSError, match="trouble"):
            fetch(tmp_path / "file", "https://localhost:1/file", "https://localhost:2/file")
        assert full.call_count == 1, errno.errorcode[number]


def test_what_lies_there_is_known_by_its_digest_as_well(tmp_path):
    (tmp_path / "file").write_bytes(CONTENT[:-1])
    with pytest.raises(UserError, match=r"file' is damaged or half downloaded \(its SHA-256 is wrong\): delete it$"):
        fetch(tmp_path / "file", "https://localhost:1/file")


def test_every_address_is_https_and_every_file_has_a_digest():
    """Walks all sources: an address that is asked for data begins with https, and only ``official`` downloads."""
    addresses, callers = [], []
    for path in sorted(SOURCES.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        texts = [
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        addresses += [(path.name, url) for text in texts for url in re.findall(r"\b(?:\w+)://[^\s'\"]+", text)]
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        names |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
        callers += [path.name for name in ("urlopen", "build_opener", "urlretrieve", "download_url") if name in names]
    assert {name for name, _ in addresses} >= {"cifar10.py", "fashion_mnist.py", "imdb.py", "mnli.py"}
    assert [url for _, url in addresses if not url.startswith("https://")] == []
    assert set(callers) == {"download.py"}
    digests = [cifar10.ARCHIVE_SHA256, imdb.ARCHIVE_SHA256, mnli.ARCHIVE_SHA256, *fashion_mnist.SHA256.values()]
    digests += [*cifar10.TRAIN_FILES.values(), *cifar10.TEST_FILES.values()]
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests)
    assert len(set(digests)) == len(digests) == 13


def test_each_loader_asks_only_official_addresses_for_official_digests(tmp_path, monkeypatch):
    """Mnli's is asked in its own tests: it needs a tokenizer first."""
    for loader, options in (
        (cifar10, {}),
        (fashion_mnist, {"path": None}),
        (imdb, {"path": None, "words": 9, "tokens": 6}),
    ):
        download = Mock(side_effect=OSError("no internet"))
        monkeypatch.setattr("breakeven.data.download._download", download)
        with pytest.raises(UserError, match="no internet"):
            loader.load(seed=0, train_examples=None, test_examples=None, root=str(tmp_path), **options)
        asked = [call.args for call in download.call_args_list]
        assert asked
        assert all(url.startswith("https://") and len(digest) == 64 for url, _, digest in asked)


def test_a_server_that_says_nothing_is_given_up(tmp_path, monkeypatch):
    """Torchvision's downloader waits for ever."""
    monkeypatch.setattr("breakeven.data.download.PATIENCE", 0.2)
    monkeypatch.setenv("no_proxy", "localhost")
    with socket.create_server(("localhost", 0)) as silent:
        url = f"https://localhost:{silent.getsockname()[1]}/file"
        with pytest.raises(OSError, match="timed out"):
            _download(url, tmp_path / "file", DIGEST)
