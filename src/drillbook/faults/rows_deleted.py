"""Rows are gone: the DELETE whose condition was wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from drillbook.backends.base import Environment
from drillbook.errors import EnvironmentFailed
from drillbook.faults.base import ActiveFault, NothingToHeal
from drillbook.faults.database import identifier, superuser


@dataclass(frozen=True, slots=True)
class RowsDeleted:
    """Delete from `table` the rows that `where` (an SQL condition) chooses. Reset brings them back, not healing."""

    kind: ClassVar[str] = "rows-deleted"
    table: str
    where: str = "true"
    service: str | None = None

    @property
    def target(self) -> str:
        """The table."""
        return self.table

    def inject(self, environment: Environment) -> ActiveFault:
        """Delete, and see that some rows were.

        Raises EnvironmentFailed if the condition chose none, or if other rows refer to them.
        """
        with superuser(environment, self.service) as connection:
            rows = f"FROM {identifier(self.table, connection)} WHERE {self.where}".encode()
            deleted = connection.execute(b"DELETE " + rows).rowcount
        if deleted < 1:
            raise EnvironmentFailed(f"the fault did not take: no row of {self.table} is one where {self.where}")
        return NothingToHeal()
