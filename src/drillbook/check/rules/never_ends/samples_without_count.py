"""NE112: a tool that samples until somebody stops it."""

from __future__ import annotations

from collections.abc import Iterator

from drillbook.check import Document, Found, Role, Rule, Severity, SimpleCommand

_SAMPLERS = (
    "ping",
    "ping6",
    "vmstat",
    "iostat",
    "mpstat",
    "pidstat",
    "docker",
    "redis-cli",
    "mongostat",
    "mongotop",
    "mtr",
)
_ELSEWHERE = frozenset({Role.BACKGROUND, Role.FUNCTION})


def _check(document: Document) -> Iterator[Found]:
    for command in document.commands(*_SAMPLERS):
        if command.language != "bash" or command.outer is not None or "timeout" in command.wrappers:
            continue
        if _ELSEWHERE.intersection(command.roles) or not command.is_last_in_pipeline:
            continue
        block = document.block_at(command.line)
        below = block is not None and any(other.span.start > command.span.end for other in block.script.commands)
        mend = _mend(command)
        if below and mend:
            yield Found(
                command.words[0].span, f"{command.name} samples until it is stopped: what stands below never runs", mend
            )


def _mend(command: SimpleCommand) -> str:
    """Give how the command is bounded, "" if it is."""
    operands = [word.text for word in command.operands()]
    name = command.name
    if name in ("ping", "ping6"):
        endless, mend = bool(operands) and not command.has("-c", "-w", "-h", "-V"), f"{name} -c 3 -W 2 HOST"
    elif name in ("vmstat", "iostat", "mpstat", "pidstat"):
        endless, mend = len(operands) == 1 and operands[0].isdigit(), f"{name} {' '.join(operands)} 5"
    elif name == "docker":
        endless, mend = operands[:1] == ["stats"] and not command.has("--no-stream"), "docker stats --no-stream"
    elif name == "redis-cli":
        endless = [text.lower() for text in operands[-1:]] == ["monitor"] or command.has("--stat")
        mend = "timeout 10 redis-cli …"
    elif name == "mtr":
        bounds = ("-r", "-w", "-c", "--report", "--report-wide", "--report-cycles")
        endless, mend = bool(operands) and not command.has(*bounds), "mtr --report HOST"
    else:
        endless, mend = not command.has("-n", "--rowcount", "--help") and not operands, f"{name} --rowcount 5"
    return mend if endless else ""


RULE = Rule(
    code="NE112",
    name="samples-without-count",
    severity=Severity.WARNING,
    summary="`ping`, `vmstat 1`, `docker stats` and the like sample until somebody stops them, with commands below.",
    explanation=(
        "On Linux `ping` without `-c` goes on for ever, as does `vmstat 1` without a count. Pasted as a block, the commands "
        "below it are never run; typed one by one, nothing says how long to look."
    ),
    silent=(
        "It is the last command of its fence, has a count, runs in the background, under `timeout` or through a pipe, or the "
        "fence is PowerShell (the `ping` of Windows stops after four)."
    ),
    check=_check,
    bad=(
        "# Look at the network\n\n```bash\n⟦ping⟧ db.example\ndig +short db.example\n```\n",
        "# Look at the load\n\n```bash\n⟦vmstat⟧ 1\nuptime\n```\n",
    ),
    good=(
        "# Look at the network\n\n```bash\nping -c 3 -W 2 db.example\ndig +short db.example\n```\n",
        "# Look at the load\n\n```bash\nvmstat 1 5\nvmstat -s\nuptime\n```\n",
        "# Look at the load\n\n```bash\nuptime\nvmstat 1\n```\n",
        "# Look at the network\n\n```powershell\nping db.example\nnslookup db.example\n```\n",
    ),
    url="https://man7.org/linux/man-pages/man8/ping.8.html",
)
