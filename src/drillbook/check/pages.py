"""A rule's page, made of the rule alone: `drillbook rule` prints it, `docs/rules/` holds it."""

from __future__ import annotations

from pathlib import Path

from drillbook.check.groups import GROUPS
from drillbook.check.registry import group_of, rules_of
from drillbook.check.rule import Example, Rule

_MARKS = str.maketrans("", "", "⟦⟧")


def page(rule: Rule) -> str:
    """Give a rule's page as Markdown."""
    facts = f"{group_of(rule.code).title} · {rule.severity}"
    parts = [
        f"# {rule.code} {rule.name}",
        rule.summary,
        facts,
        rule.explanation,
        "## When it keeps silent",
        rule.silent,
    ]
    parts += ["## Found", *(_shown(example, marks=True) for example in rule.examples[0])] if rule.bad else []
    parts += ["## Not found", *(_shown(example) for example in rule.examples[1])] if rule.good else []
    parts += [f"See also <{rule.url}>."] if rule.url else []
    return "\n\n".join(parts) + "\n"


def index() -> str:
    """Give the table of all rules as Markdown, group by group."""
    parts = [
        "# Rules",
        "Made from the rules themselves by `drillbook rule --all --write docs/rules`; not edited by hand.",
    ]
    for group in GROUPS:
        rules = rules_of(group)
        parts += [f"## {group.letters}: {group.title}", group.summary]
        if rules:
            rows = (
                f"| [{rule.code}]({rule.code}.md) | {rule.name} | {rule.severity} | {_cell(rule)} |" for rule in rules
            )
            parts.append("\n".join(["| code | name | severity | finds |", "|---|---|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def write(folder: Path) -> int:
    """Write every page and the table into a folder, take pages of rules that are gone away; give how many rules."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {f"{rule.code}.md": page(rule) for group in GROUPS for rule in rules_of(group)}
    for old in folder.glob("[A-Z][A-Z][0-9]*.md"):
        if old.name not in pages:
            old.unlink()
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "README.md").write_text(index(), encoding="utf-8")
    return len(pages)


def _cell(rule: Rule) -> str:
    return rule.summary.replace("|", "\\|")


def _shown(example: Example, *, marks: bool = False) -> str:
    text = example.text if marks else example.text.translate(_MARKS)
    fence = "````" if "```" in text else "```"
    files = ", ".join(f"`{name}`" for name in example.files or ())
    beside = f"In a repository with {files or 'no such file'}:\n\n" if example.files is not None else ""
    return f"{beside}{fence}markdown\n{text.rstrip()}\n{fence}"
