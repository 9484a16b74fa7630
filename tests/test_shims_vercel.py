"""The vercel shim as a program: the real command's grammar, and real rollbacks behind it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.platform_server import HOST, PlatformServer, platform_server


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformServer]:
    with platform_server(tmp_path_factory.mktemp("platform"), replicas=1) as server:
        yield server


@pytest.fixture
def platform(shared: PlatformServer) -> PlatformServer:
    shared.client.reset()
    return shared


def vercel(platform: PlatformServer, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the shim without a terminal, in the platform's folder."""
    environment = {
        "PATH": os.environ["PATH"],
        "SSL_CERT_FILE": str(platform.ca_file),
        "DRILLBOOK_VERCEL_URL": f"https://{HOST}:{platform.admin}",
        **variables,
    }
    return subprocess.run(
        [sys.executable, "-m", "drillbook.shims.vercel", *arguments],
        env=environment,
        cwd=platform.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def previous_url(platform: PlatformServer) -> str:
    """Find the URL of the release before the live one, as an operator would: second in the list."""
    return vercel(platform, "ls").stdout.split()[1]


@pytest.mark.parametrize("spelling", ["url", "host", "id"])
def test_rollback_recovers_from_a_bad_release(platform: PlatformServer, spelling: str) -> None:
    platform.client.release("greeter", "answers-500")
    target = platform.app().releases[1]
    word = {"url": target.url, "host": target.url.removeprefix("https://"), "id": target.id}[spelling]
    done = vercel(platform, "rollback", word, "--yes", "--timeout", "2m")
    assert done.returncode == 0
    assert f"> Success! greeting was rolled back to {target.url.removeprefix('https://')}" in done.stderr
    assert platform.app().current == 2
    assert platform.ask().json()["release"] == 2


def test_list_gives_the_urls_newest_first(platform: PlatformServer) -> None:
    platform.client.release("greeter", "answers-500")
    assert vercel(platform, "list").stdout.split() == [release.url for release in platform.app().releases[::-1]]
    assert vercel(platform, "rollback", previous_url(platform), "-y").returncode == 0
    assert platform.app().current == 2


def test_an_option_before_the_command_makes_it_a_deployment(platform: PlatformServer) -> None:
    platform.client.release("greeter", "answers-500")
    done = vercel(platform, "--prod", "rollback")
    assert (done.returncode, done.stdout) == (1, "")
    assert f'Error: Could not find "{platform.folder}/rollback"' in done.stderr
    assert platform.app().current == 3


def test_a_global_option_before_the_command_does_not(platform: PlatformServer) -> None:
    target = platform.app().releases[0].url
    done = vercel(platform, "--token", "secret", "--scope=team", "rollback", target, "--yes")
    assert done.returncode == 0
    assert platform.app().current == 1


def test_rollback_without_a_deployment_asks_for_the_status_and_changes_nothing(platform: PlatformServer) -> None:
    platform.client.release("greeter", "answers-500")
    for words in (("rollback",), ("rollback", "status"), ("rollback", "--yes")):
        done = vercel(platform, *words)
        assert (done.returncode, platform.app().current) == (0, 3)
        assert "No deployment rollback in progress" in done.stderr
    platform.client.rollback("greeter")
    assert "was rolled back to" in vercel(platform, "rollback", "status").stderr


def test_without_yes_and_without_a_terminal_it_refuses(platform: PlatformServer) -> None:
    done = vercel(platform, "rollback", previous_url(platform))
    assert done.returncode == 1
    assert 'requires confirmation. Use option "--yes" to confirm.' in done.stderr
    assert platform.app().current == 2


def test_promote_and_redeploy(platform: PlatformServer) -> None:
    first, second = platform.app().releases
    platform.client.rollback("greeter")
    assert "was promoted to" in vercel(platform, "promote", second.url, "--yes").stderr
    assert platform.app().current == 2
    done = vercel(platform, "redeploy", first.id)
    assert done.stdout.strip() == platform.app().releases[-1].url
    assert platform.app().current == 3


def test_inspect_names_the_release(platform: PlatformServer) -> None:
    release = platform.app().releases[0]
    assert release.id in vercel(platform, "inspect", release.url).stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("rollback", "dpl_nowhere", "--yes"), 'Can\'t find the deployment "dpl_nowhere" under the context'),
        (("rollback", "status", "--timeout", "soon"), 'Invalid timeout "soon"'),
        (("rollback", "--wings"), "unknown or unexpected option: --wings"),
        (("ls", "--project", "nothing"), 'Project "nothing" was not found'),
        (("rollback", "--cwd", "nowhere"), "does not exist"),
        (("rollback", "--timeout"), "option requires argument: --timeout"),
        (("inspect",), "expects one argument"),
        ((), "Cannot deploy"),
    ],
)
def test_what_is_wrong_is_said_and_exits_1(platform: PlatformServer, words: tuple[str, ...], message: str) -> None:
    done = vercel(platform, *words)
    assert done.returncode == 1
    assert message in done.stderr
    assert platform.app().current == 2


def test_the_version_is_printed_alone(platform: PlatformServer) -> None:
    assert vercel(platform, "--version").stdout == "43.1.0\n"


def test_a_server_that_is_away_is_an_error(platform: PlatformServer) -> None:
    done = vercel(platform, "ls", DRILLBOOK_VERCEL_URL=f"https://{HOST}:1")
    assert done.returncode == 1
    assert "while reaching the API" in done.stderr


def test_a_rollback_that_does_not_end_is_given_up_at_its_deadline(platform: PlatformServer) -> None:
    platform.client.build("greeter", "stalls")
    platform.client.release("greeter", "answers-500")
    stalled, before = vercel(platform, "ls").stdout.split()[1:3]
    done = vercel(platform, "rollback", stalled, "--yes", "--timeout=500ms")
    assert done.returncode == 1
    assert "The rollback exceeded its deadline" in done.stderr
    assert platform.app().current == 4
    under_way = vercel(platform, "rollback", "status", "--timeout=300ms")
    assert (under_way.returncode, "exceeded its deadline" in under_way.stderr) == (1, True)
    assert vercel(platform, "rollback", before, "--yes", "--timeout=10s").returncode == 0
    assert platform.app().current == 2
    assert vercel(platform, "rollback", "status").returncode == 0
