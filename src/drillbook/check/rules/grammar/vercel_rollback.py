"""GR101: a rollback that is a deployment."""

from __future__ import annotations

from collections.abc import Iterator

from drillbook.check import Document, Found, Rule, Severity

_COMMANDS = frozenset({"rollback", "promote", "redeploy", "inspect", "logs", "ls", "list", "rm", "remove", "alias"})


def _check(document: Document) -> Iterator[Found]:
    for command in document.commands("vercel", "vc"):
        words = command.words
        if len(words) > 2 and words[1].text == "--prod" and words[2].value in _COMMANDS:
            name = words[2].value
            yield Found(
                document.between(words[1].span, words[2].span),
                f"`vercel --prod {name}` deploys a folder named {name}; it is no {name}",
                "vercel rollback DEPLOYMENT-URL --yes, then vercel rollback status"
                if name == "rollback"
                else f"vercel {name} …",
            )


RULE = Rule(
    code="GR101",
    name="vercel-rollback",
    severity=Severity.ERROR,
    summary="`vercel --prod rollback` deploys a folder, it rolls nothing back.",
    explanation=(
        "With `--prod` first, the CLI takes the next word for the path to deploy (tried with 43.1.0): without a "
        "folder of that name it fails, with one it goes live."
    ),
    silent=("The subcommand comes first."),
    check=_check,
    bad=(
        ("# Roll back\n\n```bash\nvercel ⟦--prod rollback⟧\n```\n"),
        ("# Roll back\n\n```powershell\nvercel ⟦--prod rollback⟧\n```\n"),
    ),
    good=(
        (
            "# Roll back\n\n```bash\nvercel rollback https://shop-1a2b3c.vercel.example --yes\n"
            "vercel rollback status\n```\n"
        ),
    ),
)
