"""TI101: time that an installation takes in an emergency."""

from __future__ import annotations

from collections.abc import Iterator

from drillbook.check import Document, Found, Kind, Rule, Severity

_INSTALLS = {
    "npm": ("install", "i", "ci"), "yarn": ("install", "add"), "pnpm": ("install", "add"), "pip": ("install",),
    "pip3": ("install",),
    "apt": ("install", "upgrade"), "apt-get": ("install", "upgrade"), "yum": ("install",), "dnf": ("install",),
    "brew": ("install",),
    "cargo": ("build", "install"), "go": ("build", "install"), "mvn": ("package", "install"),
}  # fmt: skip


def _check(document: Document) -> Iterator[Found]:
    for command in document.commands(*_INSTALLS, "npx"):
        if Kind.EMERGENCY not in document.kinds_at(command.line):
            continue
        words = [word.text for word in command.operands()]
        if command.name == "npx":
            if words[:2] == ["hardhat", "run"] and not command.has("--no-compile"):
                yield Found(
                    command.words[0].span,
                    "hardhat compiles before it runs this, and fails offline",
                    "hardhat run --no-compile …",
                )
        elif words and words[0] in _INSTALLS[command.name]:
            yield Found(
                command.span,
                f"{command.name} {words[0]} takes minutes and needs the network, in an emergency",
                "install and build before, and name here what must be there",
            )


RULE = Rule(
    code="TI101",
    name="install-in-an-emergency",
    severity=Severity.WARNING,
    summary="A section for emergencies installs or compiles something.",
    explanation=(
        "Registries are slow or down at the wrong moment, and what is newest today is not what was rehearsed. "
        "Minutes of the target time go by before the first command that helps."
    ),
    silent=("The section and those above it are not about an emergency; hardhat is told `--no-compile`."),
    check=_check,
    bad=(
        ("# Outage\n\n```bash\n⟦npm install⟧\n```\n"),
        ("# Incident\n\n```bash\n⟦npx⟧ hardhat run scripts/pause.js --network mainnet\n```\n"),
    ),
    good=(
        ("# Set up\n\n```bash\nnpm install\n```\n"),
        ("# Incident\n\n```bash\nnpx hardhat run --no-compile scripts/pause.js --network mainnet\n```\n"),
    ),
)
