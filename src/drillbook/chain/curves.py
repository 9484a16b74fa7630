"""Put off py_ecc's pairing tables until a contract pairs, so that a chain starts a quarter of a second sooner.

py_ecc raises field elements to huge powers while it is imported, for each of its four curves; the EVM needs them
only in the pairing precompiles (addresses 0x08 and 0x0f). `defer_pairings` must run before the first import of py-evm:
it puts a stand-in in the place of each such module, which loads the real one when one of its functions is called.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

PAIRING_MODULES = (
    "py_ecc.bls12_381.bls12_381_pairing",
    "py_ecc.bn128.bn128_pairing",
    "py_ecc.optimized_bls12_381.optimized_pairing",
    "py_ecc.optimized_bn128.optimized_pairing",
)


class DeferredModule(ModuleType):
    """A module whose functions exist at once and are loaded when one of them is called."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)

        def load_and_call(*arguments: Any, **options: Any) -> Any:
            return getattr(self._real(), name)(*arguments, **options)

        return load_and_call

    def _real(self) -> ModuleType:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return importlib.import_module(self.__name__)


def defer_pairings() -> None:
    """Install a stand-in for each pairing module that is not loaded yet."""
    for name in PAIRING_MODULES:
        sys.modules.setdefault(name, DeferredModule(name))
