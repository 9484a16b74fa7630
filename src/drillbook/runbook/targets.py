"""The times that a runbook promises, told from all the other times that it mentions.

A target is a bound ("< 5 minutes", "within 2 min", "no more than an hour") or a named objective ("RTO: 1h"). Ages,
retentions, intervals, time-outs and latencies have bounds as well, but nobody promises a recovery by them.
"""

from __future__ import annotations

import re

from drillbook.runbook.model import TargetTime

_WORDS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "fifteen": 15, "twenty": 20, "thirty": 30, "forty-five": 45, "sixty": 60, "ninety": 90,
}  # fmt: skip
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_UNIT = r"(?:s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:(?:ou)?rs?)?|d(?:ays?)?)"
_NUMBER = rf"(?:\d+(?:\.\d+)?|(?:{'|'.join(_WORDS)})\b)"
_PIECE = re.compile(rf"\b(?P<number>{_NUMBER})[\s-]*(?P<unit>{_UNIT})(?![A-Za-z])", re.IGNORECASE)
_AMOUNT = rf"{_NUMBER}[\s-]*{_UNIT}"
# "5-10 minutes" promises its upper end; "1h30m" and "1 h 30 min" are sums.
_DURATION = (
    rf"(?:\d+(?:\.\d+)?\s*(?:-|–|to)\s*)?"
    rf"(?P<duration>\b{_AMOUNT}(?:(?:,?\s*(?:and\s+)?)?(?<![A-Za-z-])\d+\s*{_UNIT}|\d+\s*{_UNIT})*)(?![A-Za-z\d])"
)
_BOUND = (
    r"(?:[<≤⩽]=?|\b(?:within|inside|in\s+under|under|below|(?:in\s+)?(?:less|fewer)\s+than|(?:in\s+)?at\s+most"
    r"|(?:in\s+)?(?:no|not)\s+(?:more|longer|later)\s+than|(?:must\s+|may\s+)?not\s+(?:to\s+)?exceed|not\s+exceeding"
    r"|max(?:imum)?(?:\s+of|\.)?)\b\.?)"
    r"\s*(?:the\s+)?(?:first\s+|next\s+)?(?:[<≤]\s*)?"
)
_NAME = (
    r"\b(?:RTO|MTTR|MTTA|TTR|SLA|SLO|deadline|time[\s-]?box|recovery\s+time(?:\s+(?:objective|target))?"
    r"|(?:target|response|restore|resolution)\s+time|target)"
)
_NAMED = rf"{_NAME}\b(?:\s*\([^()\n]{{0,40}}\))?\s*(?:[:=–—|-]|\bof\b|\bis\b)?\s*(?:[<≤]=?\s*|{_BOUND})?"
_BEFORE = re.compile(rf"(?:{_NAMED}|{_BOUND}){_DURATION}", re.IGNORECASE)
_AFTER = re.compile(
    rf"{_DURATION}\s*-?\s*(?:RTO|MTTR|SLA|SLO|deadline|recovery\s+time(?:\s+(?:objective|target))?|target)\b",
    re.IGNORECASE,
)

# What stands before or after a bound that is no promise, within one clause.
_ELSE_BEFORE = re.compile(
    r"\b(?:older|newer|younger|aged?|stale|retention|retain\w*|ttl|time[\s-]?outs?|times?\s+out|timed\s+out|latenc\w+|lag"
    r"|p\d\d|percentile|expir\w+|rpo(?!\s*/\s*rto)|recovery\s+point\w*(?:\s+objective)?|interval\w*|wait\w*|sleep\w*|poll\w*"
    r"|cach\w+|uptime|frequency|data\s+loss)\b[^.;,|]{0,40}$",
    re.IGNORECASE,
)
_KEPT = re.compile(r"\b(?:keep|kept|stor\w+|hold|held|preserve\w*|archiv\w+)\b[^.;,|]{0,60}$", re.IGNORECASE)
_PERIOD_BEFORE = re.compile(r"\b(?:every|each|last|past|previous)\s*(?:the\s+)?$", re.IGNORECASE)
_ELSE_AFTER = re.compile(
    r"^\s*(?:old(?:er)?\b|ago\b|apart\b|of\s+(?:data|history|logs?|age|retention|downtime\s+a)\b|retention\b"
    r"|(?:time-?)?outs?\b|intervals?\b|timeouts?\b|(?:/|per|a|each)\s+(?:request|query|day|week|month|year)\b)",
    re.IGNORECASE,
)

# Every target has one of these; most paragraphs have none, and the patterns above are not cheap.
_HINT = re.compile(
    r"[<≤⩽]|&l[te];|&#60;|within|inside|under|below|less|fewer|most|more|longer|later|exceed|max|RTO|MTT|TTR|SLA|SLO"
    r"|deadline|time|recovery|target",
    re.IGNORECASE,
)
_CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_ENTITIES = (
    ("&lt;", "<   "),
    ("&le;", "≤   "),
    ("&nbsp;", "      "),
    ("&#60;", "<    "),
    ("\u00a0", " "),
    ("\\<", " <"),
)
_HTML = re.compile(r"<(?:/?[a-zA-Z][^<>]*|!--.*?--)>", re.DOTALL)
_DESTINATION = re.compile(r"\]\([^()]*\)")


def find_targets(markdown: str, line: int) -> tuple[TargetTime, ...]:
    """Find the target times in a paragraph, heading or table row of Markdown that begins at `line` (from 1)."""
    if not _HINT.search(markdown):
        return ()
    text = _masked(markdown)
    found: dict[int, TargetTime] = {}
    for pattern in (_BEFORE, _AFTER):
        for match in pattern.finditer(text):
            if match.start("duration") not in found and not _means_else(text, match):
                words = " ".join(match[0].split())
                at = line + text.count("\n", 0, match.start())
                found[match.start("duration")] = TargetTime(seconds(match["duration"]), words, at)
    return tuple(found[start] for start in sorted(found))


def seconds(duration: str) -> float:
    """Give a duration such as `1 h 30 min`, `90 s`, `an hour` in seconds."""
    parts = _PIECE.finditer(re.sub(r"(?<=[A-Za-z])(?=\d)", " ", duration))
    return sum((_number(part["number"]) * _UNITS[part["unit"][0].lower()] for part in parts), 0.0)


def _number(word: str) -> float:
    return float(_WORDS.get(word.lower()) or word)


def _means_else(text: str, match: re.Match[str]) -> bool:
    before = text[max(0, match.start() - 120) : match.start()].replace("\n", " ")
    clause = re.split(r"[.;,|](?:\s|$)|\bthen\b", before)[-1]
    if _ELSE_BEFORE.search(clause) or _PERIOD_BEFORE.search(clause):
        return True
    if _KEPT.search(clause) and seconds(match["duration"]) >= 86400:
        return True
    return bool(_ELSE_AFTER.match(text[match.end() :]))


def _masked(markdown: str) -> str:
    """Blank code, tags and link targets and drop emphasis, keeping every other character at its place and line."""
    text = _CODE.sub(_blank, markdown)
    text = _DESTINATION.sub(_blank, _HTML.sub(_blank, text))
    for entity, plain in _ENTITIES:
        text = text.replace(entity, plain)
    return re.sub(r"[*_~]", " ", text)


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", "\x00", match[0])
