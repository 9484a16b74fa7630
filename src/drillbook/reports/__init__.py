"""What a run showed, for people and for machines: pure functions of the journal, so that any report can be made again."""

from drillbook.reports.account import Account, accounts, code_of, exit_code
from drillbook.reports.files import write_all
from drillbook.reports.junit import junit
from drillbook.reports.summary import summary
from drillbook.reports.terminal import render

__all__ = ["Account", "accounts", "code_of", "exit_code", "junit", "render", "summary", "write_all"]
