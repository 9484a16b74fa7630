"""The command lines of node, npx and npm, reduced to one spelling each, so that one binding fits every way to say the
same.

`node --trace-warnings ./scripts/x.js` runs the same script as `node scripts/x.js`, `npx --yes hardhat@2 run a.js` the
same task as `npx hardhat run a.js`. Options in front are the runner's, words behind the script are the script's and
stay as they are. Sources: node(1), npx(1), npm-run-script(1). Light: each shim imports it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

Words = tuple[str, ...]

# fmt: off
NODE_WITH_VALUE = frozenset([
    "-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions", "--env-file", "--title",
    "--env-file-if-exists", "--input-type", "--watch-path", "--icu-data-dir", "--openssl-config", "--diagnostic-dir",
    "--redirect-warnings", "--inspect-port",
])
# With one of these node runs no script, or does not run it but looks at it.
NODE_OTHER = frozenset([
    "-e", "--eval", "-p", "--print", "-pe", "-c", "--check", "-i", "--interactive", "-h", "--help", "-v", "--version",
    "--test", "--run", "--v8-options", "-",
])
# fmt: on
NPX_WITH_VALUE = frozenset(
    ["-p", "--package", "--prefix", "-w", "--workspace", "--cache", "--userconfig", "--loglevel"]
)
NPX_OTHER = frozenset(["-c", "--call", "-h", "--help", "-v", "--version"])
NPM_WITH_VALUE = frozenset(["-C", "--prefix", "-w", "--workspace", "--loglevel", "--cache", "--userconfig"])
NPM_OTHER = frozenset(["-h", "--help", "-v", "--version"])
NPM_ALIASES = {"run-script": "run", "rum": "run", "urn": "run", "t": "test", "tst": "test", "i": "install"}
NPM_LIFECYCLE = frozenset(["test", "start", "stop", "restart"])


def canonical(argv: Sequence[str], directory: str) -> Words:
    """Give the one spelling of a command line; unchanged where its program's grammar makes it nothing to run.

    `directory` is the absolute path of the working directory, to which scripts are made relative.
    """
    reduce = {"node": _node, "npx": _npx, "npm": _npm}.get(argv[0])
    return (reduce(argv[1:], directory) if reduce else None) or tuple(argv)


def _node(args: Sequence[str], directory: str) -> Words | None:
    rest = _past_options(args, NODE_WITH_VALUE, NODE_OTHER)
    if not rest:
        return None
    script = _relative(rest[0], directory)
    # What node itself tries for a name without an extension first.
    return ("node", script if posixpath.splitext(script)[1] or "*" in script else f"{script}.js", *rest[1:])


def _npx(args: Sequence[str], directory: str) -> Words | None:
    rest = _past_options(args, NPX_WITH_VALUE, NPX_OTHER)
    if not rest:
        return None
    # The first @ belongs to a scope: @scope/name@version.
    at = rest[0].find("@", 1)
    program = rest[0] if at < 0 else rest[0][:at]
    return (
        "npx",
        program,
        *(_relative(word, directory) if word.startswith(("./", "/")) else word for word in rest[1:]),
    )


def _npm(args: Sequence[str], _: str) -> Words | None:
    rest = _past_options(args, NPM_WITH_VALUE, NPM_OTHER)
    if not rest:
        return None
    verb, words = NPM_ALIASES.get(rest[0], rest[0]), tuple(rest[1:])
    if verb == "run":
        words = tuple(_past_options(words, NPM_WITH_VALUE, NPM_OTHER) or ())
        if words and words[0] in NPM_LIFECYCLE:
            verb, words = words[0], words[1:]
    # `--` ends npm's own options; what follows is the script's.
    if "--" in words:
        cut = words.index("--")
        words = words[:cut] + words[cut + 1 :]
    return ("npm", verb, *words)


def _past_options(args: Sequence[str], with_value: frozenset[str], other: frozenset[str]) -> Sequence[str] | None:
    """Give what follows the options in front; None if one of them means that there is nothing to run."""
    at = 0
    while at < len(args) and args[at].startswith("-"):
        if args[at] == "--":
            return args[at + 1 :]
        if args[at].partition("=")[0] in other:
            return None
        at += 2 if args[at] in with_value else 1
    return args[at:]


def _relative(path: str, directory: str) -> str:
    plain = posixpath.normpath(path)
    inside = directory.rstrip("/") + "/"
    return plain[len(inside) :] if plain.startswith(inside) else plain
