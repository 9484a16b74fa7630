"""What the English of a runbook asks for: which words make a sentence an order to a person, a judgement, or neither.

The verbs are listed, not guessed: whoever writes a runbook can look up why a line is a step and another is not.
"""

from __future__ import annotations

import re

from drillbook.runbook.model import StepKind


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# A list item or a paragraph that begins with one of these asks a person to do something.
VERBS = _words("""
    acknowledge activate add alert announce apply approve archive arrange ask assemble assess assign attach block book
    brief call cancel capture change check choose clean clear close collect communicate compare complete configure
    confirm connect consult contact coordinate copy create deactivate declare delete deploy determine disable
    disconnect discuss document download drain email enable engage ensure escalate establish evaluate examine execute
    export failover file fix flush force forward freeze gather get give hand identify inform initiate inspect install
    investigate invite isolate join kill launch lock look mark message migrate mitigate monitor move notify obtain open
    order page pause perform phone ping place post prepare preserve press promote provide publish pull push quarantine
    raise reboot rebuild reconnect record recover redeploy reduce refund rehearse remove rename repeat replace reply
    report request rerun reset resolve restart restore resume retry review revert revoke ring roll rollback rotate run
    save scale schedule secure select send set share shut sign silence snapshot start stop submit suspend swap switch
    sync tag take tell terminate test text throttle track transfer trigger turn uninstall unlock unpause update upgrade
    upload validate verify wait warn watch write
    """)
# Acts on people: these ask a person even in a comment, where the other verbs only name the commands below.
SPEAKING = _words("""
    acknowledge alert announce approve ask brief call communicate consult contact coordinate discuss email engage
    escalate inform invite message notify page phone post ring send sign submit tell text warn
    """)
# Words before the verb that change nothing.
_FILLERS = _words("please then next now first second third also finally immediately always manually and")
# After one of these a verb is a noun: "Call tree", "Contact list".
_NOUNS = _words("chain details form format history info information list name number procedure schedule tree")
_ADDRESSEE = re.compile(
    r"\+?\d[\d\s().-]{6,}\d|(?<!\w)[#@][A-Za-z]|\S@\w|\b(?:on-?call|team|lead|leads|manager|customers?|engineers?|"
    r"hotline|support|stakeholders?|users?|slack|pager|vendor|secur\w+ officer|legal|everyone|management|people)\b",
    re.IGNORECASE,
)
_STEP_NUMBER = re.compile(r"^(?:step\s+\d+[a-z]?\s*[:.)—–-]\s*|\d+[.)]\s+)", re.IGNORECASE)
_DECISION = re.compile(r"^(?:if|when|only\s+(?:if|when)|decide|decision)\b", re.IGNORECASE)
_HEDGE = re.compile(r"\bif (?:needed|necessary|required)\b", re.IGNORECASE)
_LABEL = re.compile(r"^([A-Z][\w /-]{0,30}):\s+(?=\S)")
_NOT_AN_ORDER = re.compile(r"^(?:note|warning|tip|caution|example|mended|why|background|status)\b", re.IGNORECASE)
_PROGRAMS = _words("""
    apt apt-get aws az bash brew cargo cat cd chmod chown cp curl cypress docker docker-compose dropdb createdb echo
    export forge cast find gcloud git go grep helm jq kill kubectl ls make mkdir mv mysql node npm npx pg_dump pg_restore
    pip pnpm psql pwsh python python3 redis-cli rm rsync scp sed sh ssh sudo systemctl tar terraform vercel wget yarn
    """)
# Programs whose names are English verbs need more than their name to be taken for one.
_AMBIGUOUS = _words("cat export find kill make node go cast forge")


def step_title(text: str) -> str:
    """Give a step's title for a person: one line, without "Step 2:", a check box, or a colon at the end."""
    title = re.sub(r"^\[[ xX]\]\s+", "", " ".join(text.split()))
    return _STEP_NUMBER.sub("", title).rstrip(" :") or title


def has_step_number(text: str) -> bool:
    """Tell whether a text begins "Step 2:"."""
    return bool(re.match(r"step\s+\d+", text.strip(), re.IGNORECASE))


def is_decision(title: str) -> bool:
    """Tell whether a title asks for a judgement: "If …", "When …", "Only if …", "Decide …", or "… if needed"."""
    return bool(_DECISION.match(title) or _HEDGE.search(title))


def kind_of(title: str, *, has_commands: bool) -> StepKind:
    """Give the kind of a step by its title and by whether commands stand below it."""
    if is_decision(title):
        return StepKind.DECISION
    return StepKind.COMMAND if has_commands else StepKind.MANUAL


def is_order(text: str) -> bool:
    """Tell whether a sentence asks a person to act: it begins with a verb of `VERBS`, or a condition and then one."""
    title = step_title(text)
    if _NOT_AN_ORDER.match(title):
        return False
    if _DECISION.match(title):
        # "When the site is down, users see …" describes; "…, call …" asks.
        return title.lower().startswith("deci") or any(_begins(part, VERBS) for part in re.split(r"[,:]\s", title)[1:])
    label = _LABEL.match(title)
    return _begins(title, VERBS) or (label is not None and _begins(title[label.end() :], VERBS))


def is_message(text: str, *, addressed: bool = False) -> bool:
    """Tell whether a comment asks for an act on people, such as a call; with `addressed`, only when it says on whom."""
    title = step_title(text)
    if title.lower().startswith(("update status page", "update the status page", "document ")) and not addressed:
        return True
    return _begins(title, SPEAKING) and (not addressed or bool(_ADDRESSEE.search(title)))


def is_commented_out(text: str) -> bool:
    """Tell whether a comment is a command that somebody switched off, not words for a person."""
    words = text.split()
    if not words:
        return False
    first = words[0]
    if first.startswith(("./", "/", "$ ")) or re.fullmatch(r"[A-Z_]+=\S*", first):
        return True
    if first not in _PROGRAMS:
        return first.islower() and len(words) > 1 and words[1].startswith("--")
    return first not in _AMBIGUOUS or any(re.search(r"^-|[/$|=]|\.\w", word) for word in words[1:])


def first_sentence(text: str) -> str:
    """Give the first sentence of a paragraph, in one line."""
    line = " ".join(text.split())
    end = re.search(r"(?<=[a-z0-9)\"'”])[.!?]\s+(?=[A-Z\"“(`*])", line)
    return line[: end.start()] if end else line.rstrip(".!")


def _begins(text: str, verbs: frozenset[str]) -> bool:
    words = re.sub(r"[*_`]", "", text).split()
    while words and words[0].lower().rstrip(",") in _FILLERS:
        words = words[1:]
    if len(words) < 2 or words[0].lower() not in verbs:
        return False
    return words[1].lower().strip(".,:;") not in _NOUNS and words[1] not in ("-", "–", "—", "=", "is", "are", "was")
