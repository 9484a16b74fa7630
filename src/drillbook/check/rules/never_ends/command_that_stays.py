"""NE102: a command that stays in the foreground, with others below it."""

from __future__ import annotations

from collections.abc import Iterator

from drillbook.check import Document, Found, Role, Rule, Severity, SimpleCommand

_SERVERS = frozenset({"dev", "serve", "watch"})


def _check(document: Document) -> Iterator[Found]:
    for block in document.blocks:
        commands = [command for command in block.script.commands if command.outer is None]
        last = commands[-1].line if commands else 0
        for command in commands:
            if command.line < last and _stays(command):
                yield Found(
                    command.span,
                    f"{command.name} does not return: what stands below never runs",
                    "run it in the background and stop it at the end, bound it by timeout, or put it last",
                )


def _stays(command: SimpleCommand) -> bool:
    if "timeout" in command.wrappers or (not command.is_last_in_pipeline and command.name != "tail"):
        return False
    if {Role.BACKGROUND, Role.SUBSTITUTION, Role.FUNCTION}.intersection(command.roles):
        return False
    words = [word.text for word in command.operands()]
    first = words[0] if words else ""
    return {
        "watch": True,
        "htop": True,
        "top": not command.has("-n", "-b", "-l"),
        "tail": command.has("-f", "-F", "--follow"),
        "journalctl": command.has("-f", "--follow"),
        "docker": first == "logs" and command.has("-f", "--follow"),
        "kubectl": first in ("port-forward", "proxy")
        or (first == "logs" and command.has("-f", "--follow"))
        or (first == "get" and command.has("-w", "--watch")),
        "npm": first in _SERVERS or (first == "run" and len(words) > 1 and words[1] in _SERVERS),
        "npx": "hardhat" in words and words[-1] == "node",
    }.get(command.name, False)


RULE = Rule(
    code="NE102",
    name="command-that-stays",
    severity=Severity.ERROR,
    summary="A command that never returns stands above others.",
    explanation=(
        "A dev server, `watch`, `tail -f` or `kubectl port-forward` keeps the shell. Pasted as a block, the lines"
        " below wait for ever; typed by hand, the operator must know to open a second terminal."
    ),
    silent=("It is the last command of its fence, runs in the background with `&`, or under `timeout`."),
    check=_check,
    bad=(
        ("# Set up\n\n```bash\n⟦npm run dev⟧\nnode scripts/seed.js\n```\n"),
        ("# Logs\n\n```bash\n⟦kubectl logs -f deploy/shop⟧\ndate\n```\n"),
    ),
    good=(
        ("# Set up\n\n```bash\nnpm run dev > dev.log 2>&1 &\nnode scripts/seed.js\n```\n"),
        ("# Logs\n\n```bash\ndate\nkubectl logs -f deploy/shop\n```\n"),
        ("# Logs\n\n```bash\ntimeout 30 kubectl logs -f deploy/shop\ndate\n```\n"),
    ),
)
