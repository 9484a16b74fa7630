"""CL111: a backup whose failure the pipe hides."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drillbook.check import Document, Found, Rule, Severity, SimpleCommand, Word

_DUMPS = frozenset({"pg_dump", "pg_dumpall", "pg_basebackup", "mysqldump", "mariadb-dump", "mongodump"})
_CARRIERS = frozenset({"docker", "podman", "kubectl", "oc", "docker-compose"})
_TAKERS = frozenset(
    {"gzip", "pigz", "zstd", "bzip2", "xz", "lz4", "split", "tee", "cat", "dd", "pv", "openssl", "gpg", "age"}
)
_TAKERS |= {"psql", "mysql", "mariadb", "aws", "gsutil", "gcloud", "rclone", "ssh"}
_LOOKS = re.compile(r"pipefail|PIPESTATUS|dump complete", re.IGNORECASE)


def _check(document: Document) -> Iterator[Found]:
    for command in document.commands(*_DUMPS, *_CARRIERS):
        if command.is_last_in_pipeline or command.pipeline.commands[-1].name not in _TAKERS:
            continue
        word = _dump(command)
        block = document.block_at(command.line)
        if word is None or block is None or _LOOKS.search(document.text, 0, block.span.end):
            continue
        last = command.pipeline.commands[-1].name
        yield Found(
            word.span,
            f"the pipeline's exit code is that of {last}: when {word.value} fails, half a backup passes for a whole one",
            "set -o pipefail before it, and stop where it fails: … || exit 1",
        )


def _dump(command: SimpleCommand) -> Word | None:
    if command.name in _DUMPS:
        return command.words[0]
    return next((word for word in command.arguments if word.value in _DUMPS), None)


RULE = Rule(
    code="CL111",
    name="dump-behind-a-pipe",
    severity=Severity.WARNING,
    summary="A dump is piped on, and the pipe hides whether it failed.",
    explanation=(
        "A pipeline ends with its last command's exit code. `pg_dump shop | gzip > shop.sql.gz` is a success when the "
        "database refuses the password: gzip has packed nothing, and packed it well. The archive even passes `gzip -t`."
    ),
    silent=(
        "`pipefail` or `PIPESTATUS` stands in the fence or above it, the dump's last line is looked for (`dump complete`), "
        "or the dump goes to something that reads it, such as `grep` or `pg_restore`."
    ),
    check=_check,
    bad=(
        "# Back up\n\n```bash\n⟦pg_dump⟧ -h db.example shop | gzip > shop.sql.gz\n```\n",
        "# Back up\n\n```bash\ndocker exec db ⟦mysqldump⟧ shop | gzip > shop.sql.gz\n```\n",
    ),
    good=(
        "# Back up\n\n```bash\nset -euo pipefail\npg_dump -h db.example shop | gzip > shop.sql.gz\n```\n",
        "# Back up\n\n```bash\npg_dump -h db.example -Fc -f shop.dump shop || exit 1\n```\n",
        "# Look\n\n```bash\npg_dump -h db.example --schema-only shop | grep 'CREATE INDEX'\n```\n",
    ),
    url="https://www.gnu.org/software/bash/manual/html_node/Pipelines.html",
)
