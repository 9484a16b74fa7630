"""A table is gone, with whatever depended on it: the migration that went wrong, the DROP in the wrong window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from drillbook.backends.base import Environment
from drillbook.errors import EnvironmentFailed
from drillbook.faults.base import ActiveFault, NothingToHeal
from drillbook.faults.database import identifier, superuser


@dataclass(frozen=True, slots=True)
class TableDropped:
    """DROP TABLE `table` CASCADE. What is lost is lost: the environment's reset brings it back, not healing."""

    kind: ClassVar[str] = "table-dropped"
    table: str
    service: str | None = None

    @property
    def target(self) -> str:
        """The table."""
        return self.table

    def inject(self, environment: Environment) -> ActiveFault:
        """Drop the table, and see that it is absent. Raises EnvironmentFailed if there was none."""
        with superuser(environment, self.service) as connection:
            name = identifier(self.table, connection)
            connection.execute(f"DROP TABLE {name} CASCADE".encode())
            row = connection.execute("SELECT to_regclass(%s)", [name]).fetchone()
        if row != (None,):
            raise EnvironmentFailed(f"the fault did not take: table {self.table} is still there")
        return NothingToHeal()
