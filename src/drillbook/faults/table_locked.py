"""A table is locked by a session that forgot to commit: every query of it waits."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from drillbook.backends.base import Environment
from drillbook.errors import EnvironmentFailed
from drillbook.faults.base import ActiveFault
from drillbook.faults.database import LOCK_TIMEOUT, identifier, operator_session, postgres_errors
from drillbook.faults.proof import Undo

if TYPE_CHECKING:
    import psycopg

HELD = """SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND granted
          AND mode = 'AccessExclusiveLock' AND relation = %s::regclass"""


@dataclass(frozen=True, slots=True)
class TableLocked:
    """Hold ACCESS EXCLUSIVE on `table` in an open transaction of the operator's role, in a session of this process.

    Healing ends the session; if the responder has terminated it, there is nothing left to do.
    """

    kind: ClassVar[str] = "table-locked"
    table: str
    service: str | None = None

    @property
    def target(self) -> str:
        """The table."""
        return self.table

    def inject(self, environment: Environment) -> ActiveFault:
        """Lock, and see in pg_locks that the lock is held."""
        with ExitStack() as moves, postgres_errors():
            session = operator_session(environment, self.service, self.kind)
            moves.callback(session.close)
            self._lock(session)
            return Undo(moves.pop_all())

    def _lock(self, session: psycopg.Connection[Any]) -> None:
        name = identifier(self.table, session)
        session.execute(LOCK_TIMEOUT)
        session.execute(f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE".encode())
        if session.execute(HELD, [name]).fetchone() != (1,):
            raise EnvironmentFailed(f"the fault did not take: the lock on {self.table} is not held")
