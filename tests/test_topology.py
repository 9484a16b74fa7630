"""Broken environment files, each a small edit of a sound one: every error must name its place and what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drillbook.errors import UsageError, UsageErrors
from drillbook.runbook.model import Step, StepKind
from drillbook.topology.load import load
from drillbook.topology.model import Topology

SOUND = """\
version: 1
name: shop
runbook: runbook.md
services:
  database:
    kind: postgres
    ports: {sql: 5432}
    database: shop
    owner: shop
    password: ${secrets.database}
    migrations: database
    image: ${IMAGE_POSTGRES:-postgres:16}
  chain:
    kind: chain
    ports: {rpc: 8545}
    chain_id: 1
  chat:
    kind: process
    python: services.chat
    ports: {https: 443}
    inbox: chat
    environment: {CONTACTS: "${people.contacts}", HISTORY: "${state}/history"}
    health: {http: {path: /health, port: https}}
  platform:
    kind: platform
    ports: {admin: 7400}
  api:
    kind: app
    python: services.api
    ports: {https: 443}
    platform: platform
    deployment: shop-api
    replicas: 2
    environment:
      DATABASE: shop@${links.api-database}/shop?password=${secrets.database}
    depends_on: [database, chain]
    health: {http: {path: /health, port: https}, within: 20s}
setup:
  - {python: ops.fill, needs: [database]}
names:
  api.shop.example: {443: api.https}
  db.shop.example: {5432: database.sql}
  chat.example: {443: chat.https}
links:
  api-database: {from: api, to: database.sql}
operator:
  variables: {PGPASSWORD: "${secrets.database}"}
bindings:
  - {command: node scripts/check.js **, python: ops.fill}
commands:
  deadline: 45s
  rules:
    - {command: npm outdated **, accept: [0, 1]}
    - {command: pg_restore **, deadline: 2 min}
probes:
  api: {http: {url: "https://api.shop.example/health", json: {status: ok}, timeout: 500ms}}
  port: {tcp: {to: "db.shop.example:5432"}}
  rows: {sql: {service: database, query: "select true"}}
  escrow: {contract: {service: chain, contract: Escrow, call: "paused()(bool)", expect: false}}
  told: {inbox: {channel: chat, contains: down}}
steady_state:
  probes: [api, port, rows]
workload: {python: load.orders, rate: 30/min}
objectives:
  "Outage": {rto: runbook, rpo: 0s}
  "Data loss": {rto: 1h30m}
people:
  contacts:
    primary: {name: On call, phone: "+1-555-0100", role: Development, acknowledges_after: 40}
  allowed:
    - {step: call primary, time: 60s}
    - {kind: decision, time: 30s}
secrets:
  database: {generate: 24}
"""

RUNBOOK = """\
# Shop

## Outage

**Recover (< 5 minutes)**

- Call primary on-call
- If the API is down, roll it back

```bash
for i in 1 2; do sudo node --trace-warnings ./scripts/check.js --all; done
```

## Data loss

```bash
pg_restore -d shop shop.dump
npm outdated --json
```
"""


@dataclass(frozen=True)
class Edit:
    """Replace `old` in the sound file by `new`: the one error points to the first `where`, and says `words`."""

    old: str
    new: str
    where: str
    words: tuple[str, ...]


EDITS = [
    Edit("kind: postgres", "kind: [postgres", ": {sql", ("not YAML",)),
    Edit("    database: shop", "\tdatabase: shop", "\tdatabase", ("not YAML",)),
    Edit("owner: shop", "owner: shop\n    owner: two", "owner: two", ("`owner`", "second time", "line 9")),
    Edit("replicas: 2", "replica: 2", "replica:", ("services.api.replica", "unknown key", "did you mean `replicas`?")),
    Edit("replicas: 2", "replicas: two", "two", ("services.api.replicas", "expected a whole number", "'two'")),
    Edit("replicas: 2", "replicas: 0", "0\n    env", ("services.api.replicas", "at least 1")),
    Edit("replicas: 2", "replicas:", "\n    environment:\n", ("services.api.replicas", "a whole number, found nothing")),
    Edit("replicas: 2", "replicas: 2.5", "2.5", ("services.api.replicas", "a whole number, found the number 2.5")),
    Edit("replicas: 2", "replicas: yes", "yes", ("services.api.replicas", "a whole number, found the text 'yes'")),
    Edit("    owner: shop\n", "", "database:\n", ("services.database", "`owner` is missing", "The role")),
    Edit("version: 1\n", "", "name: shop", ("`version` is missing",)),
    Edit("version: 1", "version: 2", "2\n", ("version", "expected 1")),
    Edit("kind: process", "kind: proces", "proces", ("no kind `proces`", "did you mean `process`?")),
    Edit("    kind: chain\n", "", "chain:\n", ("services.chain", "`kind` is missing")),
    Edit("  chain:\n", "  Chain:\n", "Chain:\n", ("services.Chain", "small letters")),
    Edit("timeout: 500ms", "timeout: soon", "soon", ("probes.api.http.timeout", "duration", "'soon'")),
    Edit("30/min", "30", "30}\nobj", ("workload.rate", "5/s")),
    Edit("{rpc: 8545}", "{rpc: 85450}", "85450", ("services.chain.ports.rpc", "1 to 65535")),
    Edit("{rpc: 8545}", "{http: 8545}", "{http: 8545", ("needs a port named rpc",)),
    Edit("{rpc: 8545}", "[8545]", "[8545]", ("services.chain.ports", "expected a mapping", "found a list")),
    Edit("{admin: 7400}", "{admin: 7400, kubernetes: 7400}", "7400}", ("already the number of port admin",)),
    Edit("{generate: 24}", "{value: hunter2}", "{value", ("secrets.database", "never stands in a file")),
    Edit("{generate: 24}", "hunter2", "hunter2", ("secrets.database", "never stands in a file")),
    Edit("{generate: 24}", "{generate: 24, env: X}", "{generate", ("exactly one of generate and env",)),
    Edit("${secrets.database}\n    mig", "hunter2\n    mig", "hunter2", ("reference to a secret",)),
    Edit("${links.api-database}", "${links.api-databse}", "${links", ("did you mean `links.api-database`?",)),
    Edit("?password=${secrets.database}", "?password=${secrets.db", "${secrets.db\n", ("closing brace",)),
    Edit("${IMAGE_POSTGRES:-postgres:16}", "${IMAGE_POSTGRES}", "${IMAGE", ("has no default",)),
    Edit("${state}/history", "${HOME:-/}/history", "${HOME", ("for image names only",)),
    Edit('"select true"', '"select ${secrets.database}"', "${secrets.database}\"}}", ("is not resolved here",)),
    Edit("HISTORY:", "STATE_DIR:", "STATE_DIR", ("Drillbook itself sets",)),
    Edit("{from: api,", "{from: chat,", "${links", ("a link that begins at chat",)),
    Edit("shop@${links.api-database}", "shop@database", "api-database: {", ("nothing in the environment of api",)),
    Edit("api, to: database.sql", "api, to: databas.sql", "databas.sql", ("no service `databas`", "`database`?")),
    Edit("{443: api.https}", "{443: api.http}", "api.http}", ("no port of api `http`", "`https`?")),
    Edit("{443: api.https}", "{443: api.https, 443: chat.https}", "443: chat", ("`443`", "second time")),
    Edit("{443: api.https}", "{0443: api.https}", "0443", ("port number from 1 to 65535",)),
    Edit("  chat.example:", "  api.shop.example:", "api.shop.example: {443: chat", ("second time",)),
    Edit("[database, chain]", "[database, chian]", "chian", ("no service `chian`", "did you mean `chain`?")),
    Edit("chain_id: 1", "chain_id: 1\n    depends_on: [platfrom]", "platfrom", ("did you mean `platform`?",)),
    Edit("platform: platform", "platform: chain", "chain\n    depl", ("kind chain; expected one of kind platform",)),
    Edit("service: database, q", "service: chain, q", "chain, query", ("expected one of kind postgres",)),
    Edit("needs: [database]", "needs: [api]", "api]}", ("api is an app",)),
    Edit("//api.shop.example/", "//www.shop.example/", "\"https://www", ("no name `www.shop.example`",)),
    Edit("//api.shop.example/", "http://api.shop.example/", "\"https:http", ("a URL such as",)),
    Edit("//api.shop.example/", "//api.shop.example:99/", "\"https:", ("nothing answers at api.shop.example:99",)),
    Edit("db.shop.example:5432\"", "db.shop.example:99\"", "\"db.shop", ("nothing answers at db.shop.example:99",)),
    Edit("channel: chat", "channel: chart", "chart", ("no inbox `chart`", "did you mean `chat`?")),
    Edit("rows: {sql: {", "rows: {tcp: {to: \"a:1\"}, sql: {", "{tcp: {to: \"a", ("exactly one of http, tcp",)),
    Edit("[api, port, rows]", "[api, prot, rows]", "prot", ("no probe `prot`", "did you mean `port`?")),
    Edit("[api, port, rows]", "[api, port, api]", "api]\nwork", ("a second time",)),
    Edit("services.chat\n", "services.chatter\n", "services.chatter", ("no module", "services/chatter.py")),
    Edit("load.orders", "load.order", "load.order", ("no module load.order",)),
    Edit("migrations: database", "migrations: migrations", "migrations\n", ("no folder",)),
    Edit("runbook: runbook.md", "runbook: book.md", "book.md", ("there is no file",)),
    Edit("node scripts/check.js **", "node scripts/chek.js", "node", ("no command of runbook.md can match",)),
    Edit("node scripts/check.js **", "node ** check.js", "node", ("only be the last word",)),
    Edit("{command: pg_restore **", "{command: pg_restor **", "pg_restor **", ("is meant by `pg_restor **`",)),
    Edit("\"Data loss\"", "\"Data los\"", "\"Data los", ("no section 'Data los'", "Data loss")),
    Edit("{rto: 1h30m}", "{rto: runbook}", "runbook}\npeople", ("names no target time",)),
    Edit("step: call primary", "step: call secondary", "{step", ("no step of runbook.md",)),
    Edit("{kind: decision, time", "{time", "{time", ("step, kind or both",)),
    Edit("name: shop", "name: !!binary shop", "!!binary", ("tags such as",)),
    Edit("name: shop", "name: &a [*a]", "*a", ("anchored",)),
    Edit("name: shop", "name: shop\n---", "---", ("second document",)),
    Edit("  told:", "  <<:", "<<", ("merge keys",)),
    Edit("  told:", "  [a, b]:", "[a, b]", ("this is no key",)),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give the folder of a sound environment, within the layout of a suite."""
    folder = tmp_path / "environments" / "shop"
    for made in (
        "services/chat.py",
        "services/api/__main__.py",
        "ops/fill.py",
        "database/1.sql",
        "../../load/orders.py",
    ):
        (folder / made).parent.mkdir(parents=True, exist_ok=True)
        (folder / made).touch()
    (folder / "runbook.md").write_text(RUNBOOK)
    (folder / "environment.yaml").write_text(SOUND)
    return folder


def broken(folder: Path, text: str) -> tuple[UsageError, ...]:
    file = folder / "environment.yaml"
    file.write_text(text)
    with pytest.raises(UsageErrors) as caught:
        load(file)
    return caught.value.errors


def test_a_sound_file_loads_with_its_values_read(folder: Path) -> None:
    topology = load(folder / "environment.yaml")
    assert topology.file == folder / "environment.yaml"
    assert topology.runbook == folder / "runbook.md"
    assert list(topology.services) == ["database", "chain", "chat", "platform", "api"]
    assert list(topology.apps) == ["api"]
    assert topology.apps["api"].health.within == 20
    assert topology.inboxes == {"chat": "chat"}
    assert topology.names["db.shop.example"][5432].service == "database"
    assert topology.workload is not None
    assert topology.workload.rate == 0.5
    assert topology.probes["api"].spec.timeout == 0.5
    assert topology.objectives["Outage"].rto == "runbook"
    assert topology.objectives["Data loss"].rto == 5400
    assert topology.binding(["node", "scripts/check.js", "--all"]) == topology.bindings[0]
    assert topology.binding(["node", "scripts/other.js"]) is None


def test_the_suites_own_environment_holds_together() -> None:
    topology = load(Path(__file__).parent.parent / "environments" / "meta_aggregator" / "environment.yaml")
    assert topology.inboxes == {
        "slack": "slack",
        "discord": "discord",
        "smtp": "mail",
        "phone": "phone",
        "status": "status-page",
    }
    assert list(topology.apps) == ["orders-api", "frontend", "staging-api", "staging-frontend"]


def test_commands_have_a_deadline_and_accepted_exit_codes(folder: Path) -> None:
    commands = load(folder / "environment.yaml").commands
    assert (commands.deadline_for("ls"), commands.deadline_for("pg_restore -d shop x.dump")) == (45, 120)
    assert commands.accepted("npm outdated --json") == {0, 1}
    assert commands.accepted("pg_restore x.dump") == {0}


def test_time_is_allowed_by_words_in_a_row_and_by_kind(folder: Path) -> None:
    people = load(folder / "environment.yaml").people
    assert people.allowed_for(Step("Call  Primary on-call", StepKind.MANUAL, 1)) == 60
    assert people.allowed_for(Step("Recall primary", StepKind.MANUAL, 1)) == 0
    assert people.allowed_for(Step("Is it down?", StepKind.DECISION, 1)) == 30


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.new.strip()[:40])
def test_a_broken_file_gives_one_clear_error(folder: Path, edit: Edit) -> None:
    assert edit.old in SOUND
    text = SOUND.replace(edit.old, edit.new, 1)
    (error,) = broken(folder, text)
    assert all(word in str(error) for word in edit.words)
    before = text[: text.index(edit.where)]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    assert str(error.at) == f"{folder / 'environment.yaml'}:{line}:{column}"


def test_a_cycle_is_named(folder: Path) -> None:
    text = SOUND.replace("chain_id: 1", "chain_id: 1\n    depends_on: [database]").replace(
        "    image: ${IMAGE", "    depends_on: [chain]\n    image: ${IMAGE"
    )
    (error,) = broken(folder, text)
    assert "database -> chain -> database" in str(error) or "chain -> database -> chain" in str(error)
    assert "depends_on" in text.splitlines()[(error.at.line or 0) - 1 if error.at else 0]


def test_two_services_cannot_have_one_inbox(folder: Path) -> None:
    second = "  phone:\n    kind: process\n    python: services.chat\n    ports: {https: 443}\n    inbox: chat\n"
    second += "    health: {tcp: {port: https}}\n"
    (error,) = broken(folder, SOUND.replace("  platform:\n", f"{second}  platform:\n", 1))
    assert "services.phone.inbox: chat already has the inbox `chat`" in str(error)


def test_the_same_pattern_cannot_be_bound_twice(folder: Path) -> None:
    again = "  - {command: node scripts/check.js **, python: ops.fill}\n"
    (error,) = broken(folder, SOUND.replace(again, again * 2))
    assert "bindings[1].command: bindings[0] already binds" in str(error)


@pytest.mark.parametrize(
    ("command", "pattern", "fits"),
    [
        ("cd app && npm run build", "npm run build", True),
        ('if test -s "$x"; then npm test; fi', "npm test", True),
        ('echo "all: $(npm test)" | tee log', "npm test", True),
        ("out=$(npm test | tail -1)", "npm test", True),
        ('node x.js --title="two words" $rest', "node x.js * *", True),
        ('node "my script.js"', "node 'my script.js'", True),
        ('node "$script" --all', "node x.js --all", True),
        ("node x.js \\\n  --all", "node x.js --all", True),
        ("npx --no-install hardhat run scripts/a.js", "npx hardhat run scripts/a.js", True),
        ("npx hardhat run scripts/a.js", "npx --yes hardhat run scripts/a.js", True),
        ("echo node x.js", "npm test", False),
        ("node x.js", "node x.js *", False),
    ],
)
def test_a_binding_must_fit_a_command_of_the_runbook(folder: Path, command: str, pattern: str, fits: bool) -> None:
    (folder / "runbook.md").write_text(RUNBOOK.replace("pg_restore -d", f"{command}\npg_restore -d"))
    text = SOUND.replace("bindings:\n", f"bindings:\n  - {{command: {json.dumps(pattern)}, python: ops.fill}}\n")
    (folder / "environment.yaml").write_text(text)
    refused = ""
    try:
        load(folder / "environment.yaml")
    except UsageErrors as error:
        refused = str(error)
    assert ("bindings[0].command: no command of runbook.md can match" in refused) is not fits
    assert bool(refused) is not fits


def test_all_errors_come_at_once_in_order_of_their_lines(folder: Path) -> None:
    text = SOUND.replace("replicas: 2", "replicas: no").replace("version: 1", "version: one").replace("24}", "2}")
    errors = broken(folder, text.replace("${links.api-database}", "${links.x}"))
    assert [error.at.line for error in errors if error.at] == [1, 33, 35, 74]


def test_a_secret_is_never_shown(folder: Path) -> None:
    for text in (
        SOUND.replace("{generate: 24}", "hunter2"),
        SOUND.replace("password: ${secrets.database}", "password: hunter2"),
    ):
        assert all("hunter2" not in str(error) for error in broken(folder, text))


def test_the_report_lists_every_error_with_its_place(folder: Path) -> None:
    file = folder / "environment.yaml"
    file.write_text(SOUND.replace("replicas: 2", "replicas: 0").replace("chain_id: 1", "chain_id: -1"))
    with pytest.raises(UsageError) as caught:
        load(file)
    report = str(caught.value).splitlines()
    assert [line for line in report if line.startswith(f"{file}:16:15: ")]
    assert [line for line in report if line.startswith(f"{file}:33:15: ")]


@pytest.mark.parametrize("content", [b"", b"# only a comment\n", b"\xff\xfe", b"a: \x00", b"[" * 100_000, b"- " * 5000])
def test_a_file_that_is_no_environment_is_refused(folder: Path, content: bytes) -> None:
    file = folder / "environment.yaml"
    file.write_bytes(content)
    with pytest.raises(UsageErrors):
        load(file)


def test_aliases_that_multiply_are_refused(folder: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "values" in str(broken(folder, "\n".join(lines))[-1])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageErrors, match=r"nowhere\.yaml: cannot read the file"):
        load(tmp_path / "nowhere.yaml")


def test_the_runbook_is_left_alone_when_told_so(folder: Path) -> None:
    (folder / "runbook.md").write_text("# Nothing\n")
    assert isinstance(load(folder / "environment.yaml", check_runbook=False), Topology)
    with pytest.raises(UsageErrors):
        load(folder / "environment.yaml")


GARBAGE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(SOUND.split()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = [line.split(":")[0] for line in SOUND.splitlines() if line[:1].isalpha()]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(KEYS), GARBAGE, min_size=1, max_size=4))
def test_no_mapping_makes_the_loader_crash(folder: Path, values: dict[str, object]) -> None:
    import yaml

    file = folder / "environment.yaml"
    kept = yaml.safe_load(SOUND) | values
    file.write_bytes(yaml.safe_dump(kept, allow_unicode=True).encode("utf-8", "surrogatepass"))
    _load_or_refuse(file)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_damage_to_the_text_makes_the_loader_crash(folder: Path, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(SOUND)))
    length = data.draw(st.integers(0, 30))
    put = data.draw(
        st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("{}[]:#&*!|>'\"%@` -\n${"), max_size=8)
    )
    file = folder / "environment.yaml"
    file.write_bytes((SOUND[:start] + put + SOUND[start + length :]).encode())
    _load_or_refuse(file)


def _load_or_refuse(file: Path) -> None:
    errors: tuple[UsageError, ...] = ()
    try:
        assert load(file).file == file
    except UsageErrors as refusal:
        errors = refusal.errors
    assert all(error.at and error.at.file == file for error in errors)


def test_importing_the_loader_brings_neither_pydantic_nor_yaml() -> None:
    code = (
        "import sys, drillbook.topology.load, drillbook.topology.bindings, drillbook.topology.references\n"
        "import drillbook.topology.addresses, drillbook.topology.order\n"
        "sys.exit(' '.join({'pydantic', 'yaml'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
