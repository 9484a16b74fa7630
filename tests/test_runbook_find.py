"""Finding a section by what people call it, and showing what was read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from drillbook.errors import UsageError
from drillbook.runbook import Runbook, find_section, parse_text
from drillbook.runbook.outline import as_json, as_text

TEXT = """\
# Shop

## 1. System Down - Outage

**NOW (< 5 minutes)**

- Call Ada

```bash
# If it is down, restart it
systemctl restart shop   # gently
for i in 1 2; do
  date
done
```

### Rollback

## 2. Database Recovery

### Rollback
"""


@pytest.fixture
def runbook() -> Runbook:
    return parse_text(TEXT, Path("shop.md"))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("Shop / 1. System Down - Outage", 3),
        ("1. System Down - Outage", 3),
        ("system down - outage", 3),
        ("  System   Down - Outage ", 3),
        ("#1-system-down---outage", 3),
        ("1-system-down---outage", 3),
        ("2. Database Recovery / Rollback", 21),
        ("shop / 1. system down - outage / rollback", 17),
        ("rollback-1", 21),
        ("#rollback", 17),
        ("Database Recovery", 19),
        ("Shop", 1),
    ],
)
def test_finds_one(runbook: Runbook, words: str, line: int) -> None:
    assert find_section(runbook, words).line == line


def test_several_are_named(runbook: Runbook) -> None:
    with pytest.raises(UsageError, match="names 2 sections") as error:
        find_section(runbook, "Rollback")
    assert "Shop / 1. System Down - Outage / Rollback" in str(error.value)
    assert "#rollback-1, line 21" in str(error.value)


def test_a_slip_gets_the_nearest_name(runbook: Runbook) -> None:
    with pytest.raises(UsageError, match=r"shop\.md: no section 'Databse Recovry'\n  mend: did you mean '2\. Database"):
        find_section(runbook, "Databse Recovry")


def test_nothing_near_lists_all(runbook: Runbook) -> None:
    with pytest.raises(UsageError, match="its sections are: 'Shop'; "):
        find_section(runbook, "zzzz")


def test_nothing_at_all() -> None:
    with pytest.raises(UsageError, match="none at all"):
        find_section(parse_text("", Path("empty.md")), "x")


def test_outline_as_json(runbook: Runbook) -> None:
    section = json.loads(json.dumps(as_json(runbook)))["sections"][1]
    assert section == {
        "title": "1. System Down - Outage",
        "path": "Shop / 1. System Down - Outage",
        "line": 3,
        "targets": [{"seconds": 300, "text": "< 5 minutes", "line": 5}],
        "steps": [
            {"title": "Call Ada", "kind": "manual", "line": 7, "commands": []},
            {
                "title": "If it is down, restart it",
                "kind": "decision",
                "line": 10,
                "commands": [
                    {"text": "systemctl restart shop", "language": "bash", "line": 11},
                    {"text": "for i in 1 2; do\n  date\ndone", "language": "bash", "line": 12},
                ],
            },
        ],
    }


def test_outline_as_text(runbook: Runbook) -> None:
    lines = as_text(runbook).splitlines()
    assert lines[0] == "shop.md: Shop"
    assert "  1. System Down - Outage  (line 3)" in lines
    assert "    target 300 s: '< 5 minutes'  (line 5)" in lines
    assert "    [decision] If it is down, restart it  (line 10)" in lines
    assert "        11 bash: systemctl restart shop  # gently" in lines
    assert "               date" in lines
