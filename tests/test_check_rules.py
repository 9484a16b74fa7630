"""Every rule by its own examples: what is marked in a bad one is found, there and nowhere else; a good one is silent."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from drillbook.check import Example, Finding, Options, Place, Repository, Rule, Severity, check_text
from drillbook.check.edits import edited
from drillbook.check.groups import GROUPS
from drillbook.check.registry import all_rules

RULES = all_rules()
FILE = Path("runbook.md")
# ShellCheck's rules and those that need features or runs are tested where their tools are.
TESTED = [rule for rule in RULES if not rule.code.startswith(("CO", "SC"))]


def _cases(which: int) -> list[ParameterSet]:
    return [
        pytest.param(rule, example, id=f"{rule.code}-{number}")
        for rule in TESTED
        for number, example in enumerate(rule.examples[which], 1)
    ]


@pytest.mark.parametrize(("rule", "example"), _cases(0))
def test_a_bad_example_is_found_at_its_marks(rule: Rule, example: Example) -> None:
    text, marked = _unmarked(example.text)
    found = [f for f in _check(text, example) if f.code == rule.code]
    assert [(f.start, f.end) for f in found] == marked, [f"{f.line}:{f.column} {f.message}" for f in found]
    assert all(f.message and f.mend for f in found)


@pytest.mark.parametrize(("rule", "example"), _cases(1))
def test_a_good_example_has_no_finding_of_any_rule(rule: Rule, example: Example) -> None:
    assert "⟦" not in example.text, "nothing is marked in a good example"
    found = [f for f in _check(example.text, example) if f.code == rule.code or f.severity is not Severity.HINT]
    assert [f"{f.code} {f.line}:{f.column} {f.message}" for f in found] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_rule_is_explained(rule: Rule) -> None:
    assert re.fullmatch(r"[A-Z]{2}\d{3}", rule.code)
    assert rule.code[:2] in {group.letters for group in GROUPS}
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule.name)
    assert rule.summary.endswith(".")
    assert "\n" not in rule.summary
    assert rule.explanation
    assert rule.silent
    if rule in TESTED:
        assert rule.bad
        assert rule.good


def test_codes_and_names_are_given_once() -> None:
    codes, names = [rule.code for rule in RULES], [rule.name for rule in RULES]
    assert [code for code in codes if codes.count(code) > 1] == []
    assert [name for name in names if names.count(name) > 1] == []


@pytest.mark.parametrize(("rule", "example"), [*_cases(0), *_cases(1)])
def test_fixes_take_their_finding_away(rule: Rule, example: Example) -> None:
    text, _ = _unmarked(example.text)
    fixable = [f for f in _check(text, example) if f.code == rule.code and f.fix]
    if not fixable:
        return
    fixed = edited(text, (f.fix for f in fixable))
    assert [f.fix for f in _check(fixed, example) if f.code == rule.code and f.fix] == []


def _check(text: str, example: Example) -> tuple[Finding, ...]:
    repository = None if example.files is None else Repository(Path("repository"), frozenset(example.files))
    return check_text(text, FILE, RULES, Options(repository))


def _unmarked(text: str) -> tuple[str, list[tuple[Place, Place]]]:
    """Take the marks out of an example; give the places that they enclose."""
    plain, marks, opened = "", [], None
    for char in text:
        here = Place(plain.count("\n") + 1, len(plain) - (plain.rfind("\n") + 1) + 1)
        if char == "⟦":
            opened = here
        elif char == "⟧":
            assert opened is not None
            marks.append((opened, here))
            opened = None
        else:
            plain += char
    assert opened is None
    return plain, sorted(marks)
