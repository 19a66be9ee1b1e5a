"""The server of the live page: this machine alone, nothing but looking, no file by a path of the asker's."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.cli.commands import run_command
from bench.errors import UserError
from bench.watching.server import LiveServer
from bench.watching.watch import Watch
from tests.watching.places import EXPERIMENT, fill


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    fill(folder)
    return folder


@pytest.fixture(scope="module")
def server(results: Path) -> Iterator[LiveServer]:
    def report() -> str:
        raise UserError("no records\nyet")

    with LiveServer(Watch(results), 0, report) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server
        server.shutdown()


def ask(server: LiveServer, path: str, method: str = "GET", **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in ({"Host": f"127.0.0.1:{server.server_port}"} | headers).items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


def cell_with_log(server: LiveServer) -> str:
    _, content = ask(server, f"/cells.json?experiment={EXPERIMENT}&state=failed")
    (cell,) = json.loads(content)["cells"]
    assert cell["log"]
    return cell["id"]


def test_the_page_and_its_parts(server):
    for path, kind in {"/": "text/html", "/live.js": "text/javascript", "/live.css": "text/css"}.items():
        answer, content = ask(server, path)
        assert answer.status == 200
        assert answer.getheader("Content-Type") == f"{kind}; charset=utf-8"
        assert "default-src 'none'" in answer.getheader("Content-Security-Policy")
        assert answer.getheader("X-Content-Type-Options") == "nosniff"
        assert len(content) == int(answer.getheader("Content-Length")) > 500


def test_where_cells_stand(server):
    answer, content = ask(server, "/state.json")
    (experiment,) = json.loads(content)["experiments"]
    assert (experiment["name"], experiment["cells"], experiment["failures"]["total"]) == (EXPERIMENT, 43, 2)
    again, nothing = ask(server, "/state.json", If_None_Match=answer.getheader("ETag"))
    assert (again.status, nothing) == (304, b"")
    packed, content = ask(server, "/live.js", Accept_Encoding="gzip")
    assert packed.getheader("Content-Encoding") == "gzip"
    assert content[:2] == b"\x1f\x8b"


def test_the_end_of_a_log(server):
    answer, content = ask(server, f"/log.txt?experiment={EXPERIMENT}&cell={cell_with_log(server)}")
    assert answer.getheader("Content-Type") == "text/plain; charset=utf-8"
    assert content.decode().endswith("ValueError: <b>no</b>\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
def test_nothing_can_be_changed(server, method):
    answer, _ = ask(server, "/state.json", method)
    assert (answer.status, answer.getheader("Allow")) == (405, "GET, HEAD")


def test_head_is_get_without_the_content(server):
    answer, content = ask(server, "/", "HEAD")
    assert (answer.status, content) == (200, b"")
    assert int(answer.getheader("Content-Length")) > 500


@pytest.mark.parametrize(
    "path",
    [
        "/../server.py", "/..%2f..%2fetc/passwd", "//etc/passwd", "/live.js/", "/page/live.js", "/record.json",
        f"/log.txt?experiment={EXPERIMENT}&cell=../../outside", "/log.txt?experiment=../..&cell=x", "/log.txt",
        f"/cells.json?experiment={EXPERIMENT}&start=-1", "/cells.json?experiment=no", "http://evil.example/x",
    ],
)  # fmt: skip
def test_nothing_else_can_be_had(server, path):
    answer, content = ask(server, path)
    assert answer.status == 404
    assert len(content) < 100


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "127.0.0.1:1"])
def test_no_other_name_leads_here(server, host):
    for path in ("/", "/state.json", "/nothing"):
        answer, content = ask(server, path, Host=host)
        assert answer.status == 421
        assert b"done" not in content
    assert ask(server, "/", Host=f"localhost:{server.server_port}")[0].status == 200


def test_it_listens_to_this_machine_only(server):
    assert server.socket.getsockname()[0] == "127.0.0.1"


def test_a_mistake_is_said_on_the_page(server):
    answer, content = ask(server, "/report")
    assert (answer.status, content) == (503, b"no records yet")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["results_dir=nowhere"], "cannot read the results folder nowhere: no such folder"),
        (["port=65536"], "port=65536 must be a whole number from 0 to 65535"),
        (["port=-1"], "port=-1 must be a whole number from 0 to 65535"),
        (["port=x"], "port=x must be a whole number from 0 to 65535"),
        (["out=x"], "unknown setting of report serve 'out'"),
    ],
)
def test_mistakes_are_one_line(words, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run_command(["report", "serve", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"bench: {told}")


def test_a_port_that_is_taken(tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert run_command(["report", "serve", f"results_dir={tmp_path}", f"port={port}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"bench: port={port}: Address already in use; port=0 takes one that is free"


def test_control_c_ends_it_in_silence(results):
    command = [sys.executable, "-m", "bench", "report", "serve", f"results_dir={results}", "port=0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith(f"{results} is shown at http://127.0.0.1:")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")
