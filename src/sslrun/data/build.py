"""From a dataset's configuration to the dataset."""

from sslrun.config.registry import target_of
from sslrun.config.schema import DatasetConfig
from sslrun.data.base import Data


def build_data(config: DatasetConfig) -> Data:
    """Read (or reopen) the dataset; DataError where it cannot be read as asked."""
    data: Data = target_of("dataset", config)(config)
    return data
