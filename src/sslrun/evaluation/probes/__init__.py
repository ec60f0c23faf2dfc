"""What `sslrun probe` measures of a frozen encoder: each module is one evaluation, its `PROBE` the class.

Every encoder gets all those that fit the dataset. A new one is a file here.
"""

import importlib
import pkgutil
from functools import cache

from sslrun.config.command.probe import ProbeConfig
from sslrun.config.errors import DataError
from sslrun.data.base import Data
from sslrun.evaluation.probes.base import Probe


def probes_of(data: Data, config: ProbeConfig) -> list[Probe]:
    """The evaluations that fit a dataset.

    Raises:
        DataError: there are none.
    """
    found = [kind(data, config) for kind in _kinds() if kind.fits(data)]
    if not found:
        remedies = [remedy for kind in _kinds() if (remedy := kind.remedy(data))]
        raise DataError(f"dataset={data.name} has no labels; probe needs {', or '.join(remedies)}")
    return found


@cache
def _kinds() -> list[type[Probe]]:
    modules = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]
    return [module.PROBE for module in modules if hasattr(module, "PROBE")]
