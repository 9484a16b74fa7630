"""The journal: every event comes back as it was, secrets never arrive, and what a killed run leaves can still be read."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drillbook.errors import UsageError
from drillbook.journal import (
    SCHEMA,
    CommandEnded,
    DrillFinished,
    Event,
    Journal,
    Note,
    Record,
    RunFinished,
    RunStarted,
    read,
)
from drillbook.journal.events import DrillStarted
from drillbook.journal.kinds import KINDS
from drillbook.verdict.model import Outcome, Reason
from tests.journals import RUN, SetClock

SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20)
PLAIN = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))
SECONDS = st.integers(-(10**9), 10**12).map(lambda microseconds: round(microseconds / 10**6, 6))


def _values(hint: Any) -> st.SearchStrategy[Any]:
    """Give values of one field: what its annotation allows, times as whole microseconds."""
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return st.sampled_from(hint)
    if is_dataclass(hint) and isinstance(hint, type):
        return _made(hint)
    known = {str: st.text(max_size=30), int: st.integers(), float: SECONDS, bool: st.booleans(), type(None): st.none()}
    if hint in known:
        return known[hint]
    arguments = get_args(hint)
    if Ellipsis in arguments:
        return st.lists(_values(arguments[0]), max_size=3).map(tuple)
    if get_origin(hint) is Mapping:
        values = PLAIN if Any in arguments else _values(arguments[1])
        return st.dictionaries(st.text(max_size=8), values, max_size=3)
    return st.one_of([_values(argument) for argument in arguments])


def _made(kind: type) -> st.SearchStrategy[Any]:
    """Give objects of a class of plain data, every field drawn; a journal's own schema is the present one."""
    hints = get_type_hints(kind)
    return st.builds(kind, **{name: st.just(SCHEMA) if name == "schema" else _values(hints[name]) for name in hints})


EVENTS: st.SearchStrategy[Event] = st.one_of([_made(kind) for kind in KINDS.values()])


def _written(file: Path, *events: Event, secrets: tuple[str, ...] = ()) -> str:
    journal = Journal(file)
    journal.hide(secrets)
    for event in events:
        journal.write(event)
    journal.close()
    return file.read_text()


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_every_kind_of_event_comes_back_as_it_was(kind: type) -> None:
    @given(_made(kind))
    @settings(max_examples=20, deadline=None)
    def comes_back(event: Event) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "journal.jsonl"
            _written(file, event)
            assert [record.event for record in read(file).records] == [event]

    comes_back()


def test_a_record_comes_back_with_its_place(tmp_path: Path) -> None:
    clock = SetClock()
    journal = Journal(tmp_path / "journal.jsonl", worker="gw1", clock=clock)
    outside = journal.write(RUN)
    journal.begin("a::b")
    clock.sleep(1.25)
    inside = journal.write(DrillStarted("b", "a", 3))
    assert journal.timeline() == (inside,)
    journal.end()
    journal.close()
    found = read(tmp_path)
    assert found.records == (outside, inside)
    assert (inside.seq, inside.time, inside.at) == (2, "2026-01-31T12:00:01.250000Z", 1001.25)
    assert (inside.drill, inside.worker) == ("a::b", "gw1")
    assert found.drills() == {"a::b": (inside,)}


def test_a_line_is_on_disk_when_write_returns(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.write(Note("seen by another process"))
    text = subprocess.run(["cat", str(journal.file)], capture_output=True, text=True, check=True).stdout
    assert text.endswith("}\n")
    assert json.loads(text)["data"]["text"] == "seen by another process"
    journal.close()


_APPEND = """
import sys
from pathlib import Path
from drillbook.journal import Journal, Note
journal = Journal(Path(sys.argv[1]), worker=sys.argv[2])
for number in range(400):
    journal.write(Note(sys.argv[2] * 20_000, {"number": number}))
"""


def test_two_processes_that_append_to_one_file_never_tear_a_line(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    writers = [subprocess.Popen([sys.executable, "-c", _APPEND, str(file), worker]) for worker in ("a", "b")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    records = read(file).records
    for worker in ("a", "b"):
        mine = [record for record in records if record.worker == worker]
        assert [record.seq for record in mine] == list(range(1, 401))
        assert [record.event for record in mine] == [Note(worker * 20_000, {"number": n}) for n in range(400)]


def test_the_first_and_last_event_tell_how_a_run_went(tmp_path: Path) -> None:
    _written(tmp_path / "journal.jsonl", RUN, RunFinished(1))
    found = read(tmp_path)
    assert (found.started, found.finished, found.interrupted, found.truncated) == (RUN, RunFinished(1), False, False)


@pytest.mark.parametrize("last", [[], [RunFinished(130, interrupted=True)]])
def test_a_run_that_did_not_come_to_its_own_end_is_interrupted(tmp_path: Path, last: list[Event]) -> None:
    _written(tmp_path / "journal.jsonl", RUN, *last)
    assert read(tmp_path).interrupted


def test_a_last_line_cut_off_at_any_byte_is_read_as_interrupted(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    _written(file, RUN, Note("Grüße €"), RunFinished(0))
    whole = file.read_bytes()
    first, second, third = whole.splitlines(keepends=True)
    for cut in range(len(first) + 1, len(first) + len(second)):
        file.write_bytes(whole[:cut])
        found = read(file)
        assert found.truncated
        assert found.interrupted
        assert [record.event for record in found.records] == [RUN]
    file.write_bytes(whole + third[:-1])  # an end was written, yet something came after it
    assert read(file).interrupted


def _refused(file: Path) -> str:
    with pytest.raises(UsageError) as caught:
        read(file)
    return str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        f'{{"seq":1,"time":"","at":1,"worker":"m","event":"run-started","data":{{"schema":{SCHEMA + 1}}}}}',
        '{"seq":1,"time":"","at":1,"worker":"m","event":"of-another-age","data":{}}',
    ],
)
def test_a_newer_journal_says_so_with_its_line(tmp_path: Path, line: str) -> None:
    file = tmp_path / "journal.jsonl"
    file.write_text(_written(file, Note("ours")) + line + "\n")
    said = _refused(file)
    assert said.startswith(f"{file}:2: this journal was written by a newer Drillbook")
    assert "mend: upgrade Drillbook" in said


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense",
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"seq":1,"time":"","at":1,"worker":"m","event":"note","data":[]}',
        b'{"seq":1,"time":"","at":1,"worker":"m","event":"note","data":{}}',
        b'{"seq":1,"time":"","at":1,"worker":"m","event":[],"data":{}}',
        b'{"seq":1,"time":"","at":1' + b"0" * 400 + b',"worker":"m","event":"note","data":{"text":""}}',
        b'{"seq":1,"time":"","at":1,"worker":"m","event":"run-started","data":{"schema":"new"}}',
    ],
    ids=lambda line: repr(line[:70]),
)
def test_a_line_that_is_no_event_is_refused_with_its_place(tmp_path: Path, line: bytes) -> None:
    file = tmp_path / "journal.jsonl"
    file.write_bytes(_written(file, Note("ours")).encode() + line + b"\n")
    assert _refused(file).startswith(f"{file}:2: this is no event")


@given(st.binary(max_size=80).filter(lambda line: line and b"\n" not in line))
@settings(max_examples=60, deadline=None)
def test_no_garbage_is_ever_taken_for_an_event_or_breaks_the_reader(line: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "journal.jsonl"
        file.write_bytes(line + b"\n")
        assert f"{file}:1: " in _refused(file)


def test_a_folder_without_a_journal_is_refused(tmp_path: Path) -> None:
    assert "mend: name a folder below runs/" in _refused(tmp_path)


SECRETS = st.text(st.characters(codec="utf-8"), min_size=6, max_size=20).filter(lambda text: "secret" not in text)


@given(SECRETS)
@settings(max_examples=80, deadline=None)
def test_a_secret_never_reaches_the_file_in_any_form(secret: str) -> None:
    """However deep, as a key, and in the form that a program printed it in: plain, in JSON, in a URL."""
    forms = {
        secret,
        json.dumps(secret),
        json.dumps(secret, ensure_ascii=False),
        json.dumps({"of a tool": json.dumps({"nested": secret})}),
        f"postgresql://owner:{quote(secret, safe='')}@db/orders?password={quote_plus(secret)}",
    }
    told = tuple(f"<{form}>" for form in sorted(forms))
    text = " ".join(told)
    events: list[Event] = [
        CommandEnded(text, text, 1, 0, True, 0.0, 1.0, text, text, note=text, unbound=told),
        Note(text, {"deep": [{"list": [text, (text,)]}], text: text}),
        DrillFinished(Outcome.FAIL, (Reason(Outcome.FAIL, text),)),
        RunStarted("1", 1, "embedded", "e", "r", arguments=told),
    ]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "journal.jsonl"
        journal = Journal(file)
        journal.hide([secret])
        journal.begin(text)
        for event in events:
            journal.write(event)
        journal.close()
        raw = file.read_text()
        found = read(file)
    leaks = {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], quote(secret, safe="")}
    values = [value for record in found.records for value in (*_strings(record.event), record.drill)]
    assert raw.count("[secret]") >= len(forms) * 10
    for leak in leaks:
        assert not [value for value in values if leak in value.replace("[secret]", "")]


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in _strings(part)]
    if isinstance(value, list | tuple):
        return [text for part in value for text in _strings(part)]
    if hasattr(value, "__dataclass_fields__"):
        return [text for field in fields(value) for text in _strings(getattr(value, field.name))]  # type: ignore[arg-type]
    return []


@dataclass(frozen=True)
class _Thing:
    word: str


@pytest.mark.parametrize("value", [_Thing("hunter22"), {"hunter22"}, Path("/hunter22"), ValueError("hunter22")])
def test_a_secret_in_something_that_json_does_not_know_is_hidden_too(tmp_path: Path, value: object) -> None:
    text = _written(tmp_path / "journal.jsonl", Note("kept", {"value": value}), secrets=("hunter22",))
    assert "[secret]" in text
    assert "hunter22" not in text


def test_of_two_secrets_of_which_one_begins_with_the_other_nothing_is_left(tmp_path: Path) -> None:
    text = _written(tmp_path / "journal.jsonl", Note("abcdef abcdefgh"), secrets=("abcdef", "abcdefgh"))
    assert '"[secret] [secret]"' in text


def test_secrets_are_added_and_short_words_are_none(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.hide(["first-one"])
    journal.hide(["second-one", "", "a", "abc"])
    assert journal.redact("first-one second-one abc") == "[secret] [secret] abc"
    journal.close()


def test_bytes_that_no_text_can_hold_are_written_all_the_same(tmp_path: Path) -> None:
    printed = b"\xff ok".decode(errors="surrogateescape")
    file = tmp_path / "journal.jsonl"
    _written(file, Note(printed))
    assert [record.event for record in read(file).records] == [Note("? ok")]


def test_listeners_hear_every_record_in_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    heard: list[Record] = []
    journal.write(Note("before"))
    journal.listen(heard.append)
    journal.write(Note("one"))
    journal.write(Note("two"))
    journal.close()
    assert [record.event for record in heard] == [Note("one"), Note("two")]


def test_listeners_and_the_timeline_never_see_a_secret(tmp_path: Path) -> None:
    journal, heard = Journal(tmp_path / "journal.jsonl"), list[Record]()
    journal.hide(["hunter2-hunter2"])
    journal.listen(heard.append)
    journal.begin("drill")
    given = journal.write(Note("the password is hunter2-hunter2", {"again": ["hunter2-hunter2"]}))

    assert "hunter2" not in repr((heard, journal.timeline(), given))
    assert heard == [given] == list(journal.timeline())
