"""The throw-away CA is trusted by every tool inside, without flags, and by none outside."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.running import REPOSITORY

_PROGRAM = """
import http.server, json, os, ssl, subprocess, sys, threading
from pathlib import Path
from drillbook.sandbox import Layout, View, enter
code = enter(View.of_this_process(shown=[Path.cwd()]))
if code is not None:
    sys.exit(code)
from drillbook.sandbox.authority import Authority
layout = Layout()
layout.hosts.write_text("127.0.0.1 localhost api.metaaggregator.com elsewhere.example\\n")
issued = Authority(layout.authority).issue(layout.home, ["api.metaaggregator.com"])

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 443), Answer)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(issued.cert_file, issued.key_file)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
threading.Thread(target=server.serve_forever, daemon=True).start()

asked = {name: command for name, command in json.loads(sys.argv[1]).items()}
bare = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
def run(command, variables):
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env=variables)
    return [done.returncode, done.stdout + done.stderr]
json.dump({
    "with variables": {name: run(command, dict(os.environ)) for name, command in asked.items()},
    "bare": {name: run(command, bare) for name, command in asked.items()},
    "key mode": oct(issued.key_file.stat().st_mode & 0o777),
    "other name": run(asked["ssl"][:-1] + ["elsewhere.example"], bare),
    "certificates": layout.authority.read_text().count("BEGIN CERTIFICATE"),
}, sys.stdout)
"""
URL = "https://api.metaaggregator.com/"
_SSL = "import socket, ssl, sys; c = ssl.create_default_context(); n = sys.argv[1]"
_SSL += "; c.wrap_socket(socket.create_connection((n, 443), 5), server_hostname=n); print('trusted')"
_HTTPX = f"import httpx; print('trusted', httpx.get('{URL}', timeout=5).status_code)"
_REQUESTS = f"import requests; print('trusted', requests.get('{URL}', timeout=5).status_code)"
_CERTIFI = (
    "import certifi, sys; print('trusted' if open(certifi.where()).read() == open(sys.argv[1]).read() else 'other')"
)
_NODE = (
    f"require('https').get('{URL}', r => console.log('trusted', r.statusCode)).on('error', e => console.log(e.message))"
)
TOOLS = {
    "curl": ["curl", "-sS", "--max-time", "10", "-o", "/dev/null", "-w", "trusted %{http_code}", URL],
    "ssl": [sys.executable, "-c", _SSL, "api.metaaggregator.com"],
    "httpx": [sys.executable, "-c", _HTTPX],
    "requests": [sys.executable, "-c", _REQUESTS],
    "certifi": [sys.executable, "-c", _CERTIFI, "/tmp/drillbook/ca.pem"],
    "node": ["node", "-e", _NODE],
    "git": ["git", "ls-remote", URL + "repository"],
}
TRUSTED = {"git": "not found"}
"""What a tool says once it has trusted the server: git then misses the repository."""
BY_VARIABLE_ONLY = {"node"}
"""Tools with a list of CAs of their own, compiled in."""


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    """What each tool said, with the sandbox's variables and without any."""
    asked = {name: command for name, command in TOOLS.items() if shutil.which(command[0])}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, json.dumps(asked)],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("how", ["with variables", "bare"])
@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_trusts_the_sandbox_s_names_without_flags(seen: dict[str, Any], tool: str, how: str) -> None:
    if tool not in seen[how]:
        pytest.skip(f"there is no {TOOLS[tool][0]} here")
    said = seen[how][tool][1]
    if how == "bare" and tool in BY_VARIABLE_ONLY:
        assert "trusted" not in said, "its own list: only the variable reaches it"
    else:
        assert TRUSTED.get(tool, "trusted") in said


def test_only_the_sandbox_s_ca_is_trusted_and_only_for_the_names_on_a_certificate(seen: dict[str, Any]) -> None:
    assert seen["certificates"] == 1
    code, said = seen["other name"]
    assert code != 0
    assert "Hostname mismatch" in said
    assert seen["key mode"] == "0o600"


def test_the_machine_s_own_bundles_are_as_they_were(seen: dict[str, Any]) -> None:
    assert seen
    bundle = ssl.get_default_verify_paths().cafile
    if bundle:
        assert "Drillbook" not in Path(bundle).read_text(errors="replace")
