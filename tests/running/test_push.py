"""`push=OWNER/NAME`: an export goes to the hub when it is asked for, and at no other time."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from huggingface_hub import constants

from bench.errors import UserError
from bench.running.push import check_push, push


class Hub(BaseHTTPRequestHandler):
    """The part of the hub's HTTP interface that a commit of small files takes."""

    def do_GET(self):
        self.seen("GET", b"")
        self.answer(404, {"error": "not here"})

    def do_HEAD(self):
        """What `bench.system.hub` asks, to know whether there is a hub."""
        self.answer(200, {})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.seen("POST", body)
        if self.headers.get("Authorization") != "Bearer secret":
            return self.answer(401, {"error": "Invalid credentials"})
        if self.path == "/api/repos/create":
            return self.create(json.loads(body))
        if self.path == "/api/validate-yaml":
            return self.answer(200, {"errors": [], "warnings": []})
        if self.path == "/api/models/me/adapter/preupload/main":
            files = [{"path": file["path"], "uploadMode": "regular", "shouldIgnore": False, "oid": None}
                     for file in json.loads(body)["files"]]  # fmt: skip
            return self.answer(200, {"files": files})
        if self.path == "/api/models/me/adapter/commit/main":
            return self.commit([json.loads(line) for line in body.splitlines()])
        return self.answer(404, {"error": f"nothing at {self.path}"})

    def create(self, asked):
        if asked.get("organization") == "others":
            return self.answer(403, {"error": "You don't have the rights to create a model under this namespace"})
        self.server.created.append(asked)
        return self.answer(200, {"url": f"{self.server.address}/me/adapter"})

    def commit(self, lines):
        self.server.message = next(line["value"]["summary"] for line in lines if line["key"] == "header")
        for line in lines:
            if line["key"] == "file":
                self.server.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        self.answer(200, {"commitUrl": f"{self.server.address}/me/adapter/commit/1", "commitOid": "1"})

    def seen(self, verb, body):
        self.server.requests.append(f"{verb} {self.path}")

    def answer(self, status, content):
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        if "error" in content:
            self.send_header("X-Error-Message", content["error"])
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def log_message(self, *_):
        """Nothing on the tests' output."""


@pytest.fixture
def hub(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.address = f"http://127.0.0.1:{server.server_port}"
    server.requests, server.created, server.files, server.message = [], [], {}, None
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    monkeypatch.setattr(constants, "ENDPOINT", server.address)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "secret")
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "exported"
    (made / "trained").mkdir(parents=True)
    (made / "README.md").write_text("---\nlibrary_name: peft\n---\n# An adapter\n")
    (made / "trained/state.safetensors").write_bytes(bytes(range(256)))
    return made


def test_every_file_is_in_one_commit_of_a_private_repository(hub, folder):
    assert push(folder, "me/adapter", "what it is") == f"{hub.address}/me/adapter/commit/1"
    assert hub.files == {"README.md": (folder / "README.md").read_bytes(),
                         "trained/state.safetensors": bytes(range(256))}  # fmt: skip
    assert hub.message == "what it is"
    assert [made["visibility"] for made in hub.created] == ["private"]


def test_it_is_public_where_that_is_said(hub, folder):
    push(folder, "me/adapter", "x", private=False)
    assert [made["visibility"] for made in hub.created] == ["public"]


def test_what_the_hub_refuses_is_told_in_its_words_and_the_folder_stays(hub, folder, monkeypatch):
    with pytest.raises(UserError, match="You don't have the rights to create a model") as refused:
        push(folder, "others/adapter", "x")
    assert "\n" not in " ".join(str(refused.value).split())
    monkeypatch.setenv("HF_TOKEN", "wrong")
    with pytest.raises(UserError, match="Invalid credentials"):
        push(folder, "me/adapter", "x")
    assert (folder / "README.md").exists()


def test_a_hub_that_is_not_there_is_told_at_once(hub, folder, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"cannot reach http://127\.0\.0\.1:9"):
        push(folder, "me/adapter", "x")


@pytest.mark.parametrize("name", ["adapter", "me/", "/adapter", "me/a/b", "me/what is it", ""])
def test_a_name_that_is_none_is_refused_before_anything_is_asked(hub, name):
    with pytest.raises(UserError, match="OWNER/NAME"):
        check_push(name)
    assert not hub.requests


def test_without_network_or_login_it_is_refused_before_anything_is_written(hub, monkeypatch):
    check_push("me/adapter")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"cannot reach http://127\.0\.0\.1:9"):
        check_push("me/adapter")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", "/nowhere/token")
    with pytest.raises(UserError, match="nobody is logged in"):
        check_push("me/adapter")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="HF_HUB_OFFLINE is set"):
        check_push("me/adapter")
    assert not hub.requests


def test_an_export_is_pushed_when_it_is_asked_for_and_at_no_other_time(bench, trained, hub, tmp_path):
    words = (f"cell={trained['lora']}", "device=cpu")
    assert bench("export", *words, "out=one").returncode == 0
    assert not hub.requests
    result = bench("export", *words, "out=two", "push=me/adapter")
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == f"pushed: {hub.address}/me/adapter/commit/1"
    assert sorted(hub.files) == ["README.md", "adapter_config.json", "adapter_model.safetensors"]
    assert hub.files["adapter_model.safetensors"] == (tmp_path / "two/adapter_model.safetensors").read_bytes()
    refused = bench("export", *words, "out=three", "push=me/adapter", "private=yes")
    assert "private=yes must be true or false" in refused.stderr
    assert not (tmp_path / "three").exists()
