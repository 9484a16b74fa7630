"""DE101: an address that its owner has switched off."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drillbook.check import Document, Found, Rule, Severity

_RETIRED = (
    (
        "api.0x.org/swap/v1",
        "switched off in April 2025",
        "/swap/allowance-holder/ or /swap/permit2/ with a key and 0x-version: v2",
    ),
    ("k8s.gcr.io", "frozen since April 2023", "registry.k8s.io"),
    ("apt.kubernetes.io", "gone since March 2024", "pkgs.k8s.io"),
    ("packages.cloud.google.com/apt/doc/apt-key.gpg", "of a repository that is gone", "pkgs.k8s.io"),
    ("charts.helm.sh/stable", "without updates since November 2020", "the chart's own repository"),
    ("kubernetes-charts.storage.googleapis.com", "gone since November 2020", "the chart's own repository"),
    ("git.io/", "read-only since April 2022", "the address that it leads to"),
    ("hub.docker.com/v1", "switched off", "hub.docker.com/v2"),
    ("rinkeby.infura.io", "a network that ended in 2023", "sepolia"),
    ("ropsten.infura.io", "a network that ended in 2022", "sepolia"),
    ("goerli.infura.io", "a network that ended in 2024", "sepolia"),
)


def _check(document: Document) -> Iterator[Found]:
    for address, why, instead in (
        *_RETIRED,
        *((url, "on your list of dead addresses", "") for url in document.options.dead_urls),
    ):
        if address not in document.text:
            continue
        for match in re.finditer(rf"(?<![\w.-]){re.escape(address)}", document.text):
            if document.block_at(document.line_of(match.start())) is not None:
                yield Found(
                    document.span(match), f"{address}: {why}", f"use {instead}" if instead else "use what replaced it"
                )


RULE = Rule(
    code="DE101",
    name="retired-address",
    severity=Severity.ERROR,
    summary="A command calls an address that was retired.",
    explanation=(
        "The answer is a 404 or nothing at all, whatever the state of the system: the check says down for ever, "
        "or the download ends the recovery."
    ),
    silent=("It stands in prose and not in a code block. A team adds its own addresses by `dead-urls`."),
    check=_check,
    bad=(("# Dependencies\n\n```bash\ncurl -fsS --max-time 10 https://⟦api.0x.org/swap/v1⟧/quote\n```\n"),),
    good=(("# Dependencies\n\n`api.0x.org/swap/v1` was switched off.\n"),),
)
