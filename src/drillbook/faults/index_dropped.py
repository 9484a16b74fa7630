"""An index is gone: every answer is right, and what was quick is slow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from drillbook.backends.base import Environment
from drillbook.errors import EnvironmentFailed
from drillbook.faults.base import ActiveFault
from drillbook.faults.database import identifier, superuser
from drillbook.faults.proof import proven

DEFINITION = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND indexname = %s"


@dataclass(frozen=True, slots=True)
class IndexDropped:
    """Drop `index`. Healing makes it again as it was, unless somebody has done so."""

    kind: ClassVar[str] = "index-dropped"
    index: str
    service: str | None = None

    @property
    def target(self) -> str:
        """The index."""
        return self.index

    def inject(self, environment: Environment) -> ActiveFault:
        """Drop it, and see that it is gone. Raises EnvironmentFailed if it was not there, or a constraint needs it."""
        with superuser(environment, self.service) as connection:
            row = connection.execute(DEFINITION, [self.index]).fetchone()
            if row is None:
                raise EnvironmentFailed(f"the fault did not take: there is no index {self.index}")
            connection.execute(f"DROP INDEX {identifier(self.index, connection)}".encode())
        dropped = _Dropped(environment, self.service, self.index, str(row[0]))
        return proven(dropped, lambda: not dropped.there(), f"the index {self.index} is still there")


@dataclass(frozen=True, slots=True)
class _Dropped:
    environment: Environment
    service: str | None
    index: str
    definition: str

    def there(self) -> bool:
        """Say whether there is an index of that name."""
        with superuser(self.environment, self.service) as connection:
            return connection.execute(DEFINITION, [self.index]).fetchone() is not None

    def heal(self) -> None:
        """Make the index again, if it is still missing."""
        if not self.there():
            with superuser(self.environment, self.service) as connection:
                connection.execute(self.definition.encode())
