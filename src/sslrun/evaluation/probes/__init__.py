"""Evaluations of frozen encoders for `sslrun probe`: one module each, whose `PROBE` is the class.

Every encoder gets all evaluations that fit the dataset. To add one, add a module.
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
        DataError: none fits.
    """
    probes = [cls(data, config) for cls in _probe_classes() if cls.fits(data)]
    if not probes:
        remedies = [remedy for cls in _probe_classes() if (remedy := cls.remedy(data))]
        raise DataError(f"dataset={data.name} has no labels; probe needs {', or '.join(remedies)}")
    return probes


@cache
def _probe_classes() -> list[type[Probe]]:
    modules = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]
    return [module.PROBE for module in modules if hasattr(module, "PROBE")]
