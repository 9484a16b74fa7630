"""What the orders API is told by its environment."""

from __future__ import annotations

import os
from dataclasses import dataclass

from services.serving import required


@dataclass(frozen=True, slots=True)
class Settings:
    """URLs of what the API depends on; `release` is "" outside the release platform."""

    database_url: str
    chain_url: str
    zeroex_url: str
    coingecko_url: str
    zeroex_api_key: str
    release: str
    pool: int = 5
    """The most connections to the database that one process has."""

    @classmethod
    def from_environment(cls) -> Settings:
        """Read the environment; stop the process where something is missing."""
        return cls(
            database_url=required("DATABASE_URL"),
            chain_url=required("CHAIN_URL"),
            zeroex_url=required("ZEROEX_URL").rstrip("/"),
            coingecko_url=required("COINGECKO_URL").rstrip("/"),
            zeroex_api_key=os.environ.get("ZEROEX_API_KEY", ""),
            release=os.environ.get("RELEASE", ""),
            pool=max(1, int(os.environ.get("DATABASE_POOL", "5"))),
        )
