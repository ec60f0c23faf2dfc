"""Build a dataset from its configuration."""

from sslrun.config.registry import target_of
from sslrun.config.schema import DatasetConfig
from sslrun.data.base import Data


def build_data(config: DatasetConfig) -> Data:
    """Read the dataset; DataError if it cannot be read as configured."""
    data: Data = target_of("dataset", config)(config)
    return data
