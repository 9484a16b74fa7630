"""The rules that there are: one file each below `rules/`, found by looking, so that adding one changes no other file.

Only the groups that are asked for are imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pathlib import Path

from drillbook.check.core_rules import CORE
from drillbook.check.groups import GROUPS, Group
from drillbook.check.rule import Rule
from drillbook.errors import UsageError

_FOLDER = Path(__file__).parent / "rules"
_SHELLCHECK = "SC"


def group_of(code: str) -> Group:
    """Give the group of a rule's code."""
    return next(group for group in GROUPS if code.startswith(group.letters))


def rules_of(group: Group) -> tuple[Rule, ...]:
    """Give a group's rules, by their code."""
    own = [rule for rule in CORE if rule.code.startswith(group.letters)]
    return tuple(sorted((*own, *_imported(group.folder)), key=lambda rule: rule.code))


@cache
def all_rules() -> tuple[Rule, ...]:
    """Give every rule, group by group."""
    return tuple(rule for group in GROUPS for rule in rules_of(group))


def find_rule(code: str) -> Rule:
    """Give the rule of a code or a name, whatever its case. Raises UsageError with the nearest ones if there is none."""
    wanted = code.strip().casefold()
    rules = all_rules()
    for rule in rules:
        if wanted in (rule.code.casefold(), rule.name):
            return rule
    near = get_close_matches(wanted, [name for rule in rules for name in (rule.code.casefold(), rule.name)], n=3)
    named = [f"{rule.code} ({rule.name})" for rule in rules if rule.code.casefold() in near or rule.name in near]
    mend = f"did you mean {' or '.join(named)}?" if named else "`drillbook rule --all` lists the rules"
    raise UsageError(f"there is no rule {code!r}", mend=mend)


@cache
def selected(select: tuple[str, ...] = (), ignore: tuple[str, ...] = ()) -> tuple[Rule, ...]:
    """Give the rules whose code begins with one of `select` (all, if empty) and with none of `ignore`.

    Raises UsageError for a selector that names no rule.
    """
    for selector in (*select, *ignore):
        _refuse_unknown(selector)
    groups = [group for group in GROUPS if not select or any(_touches(group, selector) for selector in select)]
    return tuple(rule for group in groups for rule in rules_of(group) if is_selected(rule.code, select, ignore))


def is_selected(code: str, select: Sequence[str], ignore: Sequence[str]) -> bool:
    """Tell whether selectors take a code; the longer of two that fit decides, and `ignore` if they are as long."""
    wanted = max((len(one) for one in select if code.startswith(one.upper())), default=-1 if select else 0)
    unwanted = max((len(one) for one in ignore if code.startswith(one.upper())), default=-1)
    return wanted > unwanted


def _touches(group: Group, selector: str) -> bool:
    selector = selector.upper()
    return group.letters.startswith(selector) or selector.startswith(group.letters)


def _refuse_unknown(selector: str) -> None:
    groups = [group for group in GROUPS if _touches(group, selector)]
    if selector.upper() in {group.letters for group in GROUPS} or (groups and selector.upper().startswith(_SHELLCHECK)):
        return
    known = (rule.code for group in groups for rule in rules_of(group))
    if not selector or not any(code.startswith(selector.upper()) for code in known):
        letters = ", ".join(f"{group.letters} ({group.title.lower()})" for group in GROUPS)
        raise UsageError(f"no rule's code begins with {selector!r}", mend=f"the groups are {letters}")


@cache
def _imported(folder: str) -> tuple[Rule, ...]:
    return tuple(_modules(folder)) if folder else ()


def _modules(folder: str) -> Iterator[Rule]:
    for file in sorted((_FOLDER / folder).glob("[!_]*.py")):
        rule = import_module(f"drillbook.check.rules.{folder}.{file.stem}").RULE
        if not isinstance(rule, Rule):
            raise TypeError(f"{file}: RULE is not a Rule")
        yield rule
