"""All of a role's connections are taken by sessions that sit idle in a transaction: the leak that starves a pool."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, ClassVar

from drillbook.backends.base import Environment
from drillbook.clock import wait_until
from drillbook.errors import EnvironmentFailed, UnsupportedFault
from drillbook.faults.base import ActiveFault
from drillbook.faults.database import identifier, operator_session, postgres_errors, superuser
from drillbook.faults.proof import Undo

UNLIMITED = -1
OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s AND NOT pid = ANY(%s)"


@dataclass(frozen=True, slots=True)
class PoolExhausted:
    """Fill the connection limit of the operator's role with sessions idle in a transaction; end all its others.

    A role without a limit gets one of `sessions`, as a database that is sold by connections has. Ending some of the
    idle sessions (`pg_terminate_backend`) lets the system back in. Healing ends those that are left and restores the
    role's limit. A superuser has no limit: UnsupportedFault.
    """

    kind: ClassVar[str] = "pool-exhausted"
    sessions: int = 20
    service: str | None = None

    @property
    def target(self) -> str:
        """The database service, or what an environment with one of them calls it."""
        return self.service or "postgres"

    def inject(self, environment: Environment) -> ActiveFault:
        """Take the connections, and see that one more is refused for want of a free one."""
        role = environment.variables.get("PGUSER", "")
        before = self._limit(environment, role)
        limit = self.sessions if before == UNLIMITED else before
        with ExitStack() as moves, postgres_errors():
            moves.callback(self._set_limit, environment, role, before)
            self._set_limit(environment, role, UNLIMITED)
            ours = [self._hold(environment, moves) for _ in range(limit)]
            self._set_limit(environment, role, limit)
            if not wait_until(lambda: self._shut_out(environment, role, ours), 5.0, interval=0.05):
                raise EnvironmentFailed(f"the fault did not take: role {role} can still connect")
            return Undo(moves.pop_all())

    def _limit(self, environment: Environment, role: str) -> int:
        with superuser(environment, self.service) as connection:
            query = "SELECT rolconnlimit, rolsuper FROM pg_roles WHERE rolname = %s"
            row = connection.execute(query, [role]).fetchone()
        if row is None or row[1]:
            why = "is a superuser, which no limit binds" if row else "is not a role of the database"
            raise UnsupportedFault(f"PGUSER {role!r} {why}", mend="set PGUSER to the role that the system connects as")
        return int(row[0])

    def _set_limit(self, environment: Environment, role: str, limit: int) -> None:
        with superuser(environment, self.service) as connection:
            connection.execute(f"ALTER ROLE {identifier(role, connection)} CONNECTION LIMIT {limit}".encode())

    def _hold(self, environment: Environment, moves: ExitStack) -> int:
        session = operator_session(environment, self.service, self.kind)
        moves.callback(session.close)
        session.execute("SELECT 1")  # begins a transaction that nothing ends
        return session.info.backend_pid

    def _shut_out(self, environment: Environment, role: str, ours: list[int]) -> bool:
        import psycopg

        with superuser(environment, self.service) as connection:
            others: list[Any] = connection.execute(OTHERS, [role, ours]).fetchall()
        if others:
            return False
        try:
            operator_session(environment, self.service, self.kind).close()
        except psycopg.OperationalError as error:
            return "too many connections for role" in str(error)
        return False
