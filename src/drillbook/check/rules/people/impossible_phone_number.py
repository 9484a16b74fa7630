"""PE101: a phone number that nobody can have."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drillbook.check import Document, Found, Rule, Severity

_NUMBER = re.compile(r"(?<![\w+/=.:-])\+\d(?:[ .\u00a0-]?\d|[ .\u00a0-]?\(\d{1,5}\)){5,20}(?![\w-])")


def _check(document: Document) -> Iterator[Found]:
    if "+" not in document.text:
        return
    told = set()
    for match in _NUMBER.finditer(document.text):
        number = " ".join(match[0].split())
        if number not in told and not _is_possible(number):
            told.add(number)
            yield Found(
                document.span(match),
                f"{number} cannot be a phone number: {_digits(number)}",
                "write the number that was dialled in a test, as +<country><number> (E.164)",
            )


def _is_possible(number: str) -> bool:
    import phonenumbers

    try:
        reason = phonenumbers.is_possible_number_with_reason(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return False
    return bool(reason == phonenumbers.ValidationResult.IS_POSSIBLE)


def _digits(number: str) -> str:
    count = sum(char.isdigit() for char in number)
    return f"it has {count} digits, and its country's numbers have another count"


RULE = Rule(
    code="PE101",
    name="impossible-phone-number",
    severity=Severity.ERROR,
    summary="A phone number has a length that its country does not have.",
    explanation=(
        "The number in an escalation path is dialled for the first time in the night when it matters. `+1-555-0123` is a "
        "local number of seven digits with a country code before it: no network connects it."
    ),
    silent=(
        "The number has no `+` (nobody can say whose it is), its length is possible, or it stands there a second time. That "
        "somebody answers cannot be told without calling."
    ),
    check=_check,
    bad=("# Contacts\n\n1. **Primary**: Ada (⟦+1-555-0123⟧), answers within 10 minutes, else the next\n",),
    good=("# Contacts\n\n1. **Primary**: Ada (+1-202-555-0123), answers within 10 minutes, else the next\n",),
    url="https://www.itu.int/rec/T-REC-E.164",
)
