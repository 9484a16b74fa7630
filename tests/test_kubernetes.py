"""The Kubernetes API as the real kubectl and our shim see it: one contract, both programs, real processes behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from drillbook.clock import wait_until
from drillbook.platform.kubernetes import kubeconfig
from drillbook.platform.kubernetes.errors import ApiError
from drillbook.platform.kubernetes.patches import apply_patch
from drillbook.platform.kubernetes.selectors import matcher
from tests.platform_server import HOST, TOKEN, PlatformServer, platform_server

D = "deployment/meta-greeter"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformServer]:
    with platform_server(tmp_path_factory.mktemp("platform")) as server:
        (server.folder / "kubeconfig").write_text(kubeconfig(HOST, server.kubernetes, server.ca_file, TOKEN))
        yield server


@pytest.fixture
def platform(shared: PlatformServer) -> PlatformServer:
    shared.client.reset()
    return shared


class Contract:
    """What both programs do alike. A subclass says how to start its program."""

    program: Sequence[str]

    def run(self, platform: PlatformServer, line: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(home or platform.folder),
            "KUBECONFIG": str(platform.folder / "kubeconfig"),
        }
        return subprocess.run(
            [*self.program, *line.split()], env=variables, capture_output=True, text=True, timeout=30, check=False
        )

    def good(self, platform: PlatformServer, line: str) -> str:
        done = self.run(platform, line)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def bad(self, platform: PlatformServer, line: str) -> str:
        done = self.run(platform, line)
        assert done.returncode == 1, done.stdout
        return done.stderr

    def test_get_deployments_is_a_table(self, platform: PlatformServer) -> None:
        header, row = self.good(platform, "get deployments").splitlines()
        assert header.split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
        assert row.split()[:4] == ["meta-greeter", "2/2", "2", "2"]

    def test_pods_are_the_real_processes(self, platform: PlatformServer) -> None:
        items = json.loads(self.good(platform, "get pods -l app=meta-greeter -o json"))["items"]
        assert {int(item["metadata"]["annotations"]["drillbook/pid"]) for item in items} == set(platform.pids())

    def test_scale_starts_processes(self, platform: PlatformServer) -> None:
        said = self.good(platform, "scale deployment meta-greeter --replicas=3 --context production -n default")
        assert said == "deployment.apps/meta-greeter scaled\n"
        done = self.good(platform, f"rollout status {D} --timeout=15s")
        assert done.endswith('deployment "meta-greeter" successfully rolled out\n')
        assert len(platform.pids()) == 3

    def test_what_the_cluster_has_no_room_for_is_pending(self, platform: PlatformServer) -> None:
        platform.client.set_capacity(3)
        self.good(platform, "scale deployment meta-greeter --replicas=5")
        failed = self.run(platform, f"rollout status {D} --timeout=1s")
        assert failed.returncode == 1
        assert "timed out waiting for the condition" in failed.stderr
        words = [line.split() for line in self.good(platform, "get pods").splitlines()[1:]]
        assert sorted((ready, status) for _, ready, status, *_ in words) == [
            *[("0/1", "Pending")] * 2,
            *[("1/1", "Running")] * 3,
        ]
        assert self.good(platform, "get events").count("FailedScheduling") >= 2
        assert "Too many pods" in self.good(platform, "get events")
        platform.client.set_capacity(10)
        assert "successfully rolled out" in self.good(platform, f"rollout status {D} --timeout=15s")

    def test_scale_checks_the_current_replicas(self, platform: PlatformServer) -> None:
        said = self.bad(platform, "scale deployment meta-greeter --replicas=5 --current-replicas=1")
        assert said == "error: Expected replicas to be 1, was 2\n"
        assert platform.app().replicas == 2
        self.good(platform, "scale deployment meta-greeter --replicas=1 --current-replicas=2 --timeout=10s")
        assert platform.app().replicas == 1

    def test_undo_recovers_from_a_bad_release(self, platform: PlatformServer) -> None:
        platform.client.release("greeter", "hangs")
        assert self.good(platform, f"get {D} --no-headers").split()[1] == "0/2"
        assert self.good(platform, f"rollout undo {D}") == "deployment.apps/meta-greeter rolled back\n"
        self.good(platform, f"rollout status {D} --timeout=15s")
        assert platform.app().current == 2
        assert platform.ask().json()["release"] == 2

    def test_undo_to_a_revision(self, platform: PlatformServer) -> None:
        self.good(platform, f"rollout undo {D} --to-revision=1")
        self.good(platform, f"rollout status {D} --timeout=15s")
        assert platform.app().current == 1
        history = self.good(platform, f"rollout history {D}").split()
        assert [word for word in history if word.isdigit()] == ["2", "3"]
        said = self.bad(platform, f"rollout undo {D} --to-revision=9")
        assert said == "error: unable to find specified revision 9 in history\n"

    def test_undo_to_a_broken_release_never_finishes_and_the_old_pods_stay(self, platform: PlatformServer) -> None:
        platform.client.release("greeter", "exits")
        platform.client.rollback("greeter")
        self.good(platform, f"rollout undo {D}")
        said = self.bad(platform, f"rollout status {D} --timeout=1s")
        assert said == "error: timed out waiting for the condition\n"
        assert platform.ask().json()["release"] == 2

    def test_restart_makes_fresh_processes(self, platform: PlatformServer) -> None:
        before = platform.pids()
        assert self.good(platform, f"rollout restart {D}") == "deployment.apps/meta-greeter restarted\n"
        self.good(platform, f"rollout status {D} --timeout=15s")
        assert not set(before) & set(platform.pids())
        assert platform.app().current == 2

    def test_a_killed_process_is_told(self, platform: PlatformServer) -> None:
        os.kill(platform.pids()[0], signal.SIGKILL)
        assert wait_until(lambda: len(platform.pids()) == 1, 2)
        assert self.good(platform, f"get {D} --no-headers").split()[1] == "1/2"
        assert "Error" in self.good(platform, "get pods")

    def test_describe_tells_what_happened(self, platform: PlatformServer) -> None:
        self.good(platform, "scale deployment meta-greeter --replicas=3")
        said = self.good(platform, "describe deployment meta-greeter")
        assert "3 desired" in said
        assert "Scaled up replica set" in said

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("get deployment nope", 'Error from server (NotFound): deployments.apps "nope" not found'),
            (
                "scale deployment nope --replicas=2",
                'error: no objects passed to scale deployments.apps "nope" not found',
            ),
            ("get pods --context nope", "Error in configuration: context was not found for specified context: nope"),
            ("get nodes", 'error: the server doesn\'t have a resource type "nodes"'),
            ("get pods --token wrong", "error: You must be logged in to the server (Unauthorized)"),
            ("get pods --wings", "error: unknown flag: --wings"),
        ],
    )
    def test_errors_are_the_real_ones(self, platform: PlatformServer, line: str, message: str) -> None:
        assert self.bad(platform, line).splitlines()[0].replace("Error: unknown", "error: unknown") == message

    def test_a_server_that_is_away(self, platform: PlatformServer, tmp_path: Path) -> None:
        (tmp_path / "kubeconfig").write_text(kubeconfig(HOST, 1, platform.ca_file, TOKEN))
        done = self.run(platform, f"get pods --kubeconfig {tmp_path}/kubeconfig", home=tmp_path)
        assert done.returncode == 1
        assert f"The connection to the server {HOST}:1 was refused" in done.stderr


class TestShim(Contract):
    program = (sys.executable, "-m", "drillbook.shims.kubectl")

    def test_what_it_cannot_do_it_refuses(self, platform: PlatformServer) -> None:
        assert 'unknown command "apply"' in self.bad(platform, "apply -f x.yaml")


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl on this machine")
class TestRealKubectl(Contract):
    program = ("kubectl",)

    def test_set_image_makes_a_release_live(self, platform: PlatformServer) -> None:
        self.good(platform, f"set image {D} meta-greeter=meta-greeter:1")
        self.good(platform, f"rollout status {D} --timeout=15s")
        assert platform.app().current == 1

    def test_an_unknown_image_is_never_pulled_and_undo_ends_that(self, platform: PlatformServer) -> None:
        self.good(platform, f"set image {D} meta-greeter=meta-greeter:99")
        assert "ImagePullBackOff" in self.good(platform, "get pods")
        assert "timed out" in self.bad(platform, f"rollout status {D} --timeout=500ms")
        before = platform.pids()
        self.good(platform, f"rollout undo {D}")
        self.good(platform, f"rollout status {D} --timeout=5s")
        assert platform.pids() == before

    def test_pause_holds_a_change_back_until_resume(self, platform: PlatformServer) -> None:
        self.good(platform, f"rollout pause {D}")
        self.good(platform, f"set image {D} meta-greeter=meta-greeter:1")
        assert platform.app().current == 2
        self.good(platform, f"rollout resume {D}")
        self.good(platform, f"rollout status {D} --timeout=15s")
        assert platform.app().current == 1

    def test_logs_wait_top_and_a_deleted_pod(self, platform: PlatformServer) -> None:
        assert "release 2 serves" in self.good(platform, f"logs {D} --tail=5")
        assert "condition met" in self.good(platform, f"wait --for=condition=Available {D} --timeout=5s")
        assert re.search(r"\d+Mi", self.good(platform, "top pods"))
        before = platform.pids()
        self.good(platform, "delete pod -l app=meta-greeter --timeout=10s")
        self.good(platform, f"rollout status {D} --timeout=15s")
        assert not set(before) & set(platform.pids())

    def test_a_dry_run_changes_nothing(self, platform: PlatformServer) -> None:
        self.good(platform, "scale deployment meta-greeter --replicas=4 --dry-run=server")
        assert platform.app().replicas == 2

    def test_a_change_that_could_only_be_pretended_is_refused(self, platform: PlatformServer) -> None:
        assert "numbered releases" in self.bad(platform, f"set env {D} A=b")
        assert "MethodNotAllowed" in self.bad(platform, "delete deployment meta-greeter")
        assert "must be greater than or equal to 0" in self.bad(platform, f'patch {D} -p {{"spec":{{"replicas":-1}}}}')


def call(platform: PlatformServer, method: str, path: str, body: object = None, kind: str = "") -> httpx.Response:
    headers = {"Authorization": f"Bearer {TOKEN}"} | ({"Content-Type": kind} if kind else {})
    url = f"https://{HOST}:{platform.kubernetes}{path}"
    with httpx.Client(verify=platform.context, trust_env=False) as client:
        return client.request(method, url, content=json.dumps(body), headers=headers)


DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


def test_a_write_to_an_old_version_is_a_conflict(platform: PlatformServer) -> None:
    item = call(platform, "GET", f"{DEPLOYMENTS}/meta-greeter").json()
    item["metadata"]["resourceVersion"] = "1"
    answer = call(platform, "PUT", f"{DEPLOYMENTS}/meta-greeter", item, "application/json")
    assert (answer.status_code, answer.json()["reason"]) == (409, "Conflict")


def test_a_watch_from_too_long_ago_is_gone(platform: PlatformServer) -> None:
    answer = call(platform, "GET", f"{DEPLOYMENTS}?watch=true&resourceVersion=7")
    assert (answer.status_code, answer.json()["reason"]) == (410, "Expired")


def test_an_unknown_patch_format_and_path_are_refused(platform: PlatformServer) -> None:
    assert call(platform, "PATCH", f"{DEPLOYMENTS}/meta-greeter", {}, "text/plain").status_code == 415
    assert (
        call(platform, "GET", "/apis/batch/v1").json()["message"] == "the server could not find the requested resource"
    )
    assert call(platform, "GET", f"{DEPLOYMENTS}?labelSelector=a%20b").status_code == 400


def test_the_generation_rises_with_the_spec_only(platform: PlatformServer) -> None:
    def generation() -> int:
        return int(call(platform, "GET", f"{DEPLOYMENTS}/meta-greeter").json()["metadata"]["generation"])

    before = generation()
    note = {"metadata": {"annotations": {"kubernetes.io/change-cause": "a drill"}}}
    call(platform, "PATCH", f"{DEPLOYMENTS}/meta-greeter", note, "application/merge-patch+json")
    assert generation() == before
    wish = {"spec": {"replicas": 1}}
    call(platform, "PATCH", f"{DEPLOYMENTS}/meta-greeter/scale", wish, "application/merge-patch+json")
    assert generation() == before + 1


def test_reset_undoes_what_was_written_to_a_deployment(platform: PlatformServer) -> None:
    wish = {"spec": {"paused": True}, "metadata": {"annotations": {"kubernetes.io/change-cause": "a drill"}}}
    call(platform, "PATCH", f"{DEPLOYMENTS}/meta-greeter", wish, "application/merge-patch+json")
    assert call(platform, "GET", f"{DEPLOYMENTS}/meta-greeter").json()["spec"]["paused"] is True
    platform.client.reset()
    item = call(platform, "GET", f"{DEPLOYMENTS}/meta-greeter").json()
    assert "paused" not in item["spec"]
    assert item["metadata"]["annotations"] == {"deployment.kubernetes.io/revision": "2"}


def test_patches() -> None:
    document = {
        "a": [{"name": "x", "v": 1}],
        "b": {"c": 1, "d": 2},
        "containers": [{"name": "x", "image": "1", "k": 0}],
    }
    merged = apply_patch(document, {"b": {"c": None}, "a": [1]}, "application/merge-patch+json")
    assert (merged["a"], merged["b"]) == ([1], {"d": 2})
    change = {"containers": [{"name": "x", "image": "2"}, {"name": "y"}], "$setElementOrder/containers": []}
    strategic = apply_patch(document, change, "application/strategic-merge-patch+json")
    assert strategic["containers"] == [{"name": "x", "image": "2", "k": 0}, {"name": "y"}]
    operations = [{"op": "replace", "path": "/b/c", "value": 5}, {"op": "remove", "path": "/a/0"}]
    assert apply_patch(document, operations, "application/json-patch+json")["b"]["c"] == 5
    assert document["b"] == {"c": 1, "d": 2}
    with pytest.raises(ApiError, match="error in our request"):
        apply_patch(document, [{"op": "test", "path": "/b/c", "value": 9}], "application/json-patch+json")


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ("app=x", True),
        ("app!=x", False),
        ("app", True),
        ("!app", False),
        ("app in (x, y),!b", True),
        ("app notin (x)", False),
    ],
)
def test_label_selectors(selector: str, matches: bool) -> None:
    assert matcher(selector, "")({"metadata": {"labels": {"app": "x"}}}) is matches
