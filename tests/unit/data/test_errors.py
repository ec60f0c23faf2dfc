"""A method that does not fit the dataset is told before any work."""

import pytest

from sslrun.config.command import PretrainConfig
from sslrun.config.compose import compose
from sslrun.config.errors import ConfigError
from sslrun.core.batch import TokensBatch, ViewsBatch
from sslrun.methods.base import check_fit


def test_a_dataset_of_another_modality() -> None:
    config = compose("pretrain", ["method=byol"])
    assert isinstance(config, PretrainConfig)
    with pytest.raises(ConfigError, match=r"^method=byol reads views of images; dataset=stories gives tokens$"):
        check_fit(config.method, config.augmentation, gives=(TokensBatch,), dataset="stories", labelled=False)


def test_a_policy_of_one_view_for_a_method_of_two() -> None:
    config = compose("pretrain", ["method=simclr", "augmentation=weak"])
    assert isinstance(config, PretrainConfig)
    with pytest.raises(
        ConfigError,
        match=r"method=simclr reads 2 views; augmentation=weak gives 1; say augmentation\.views\.0\.count=2",
    ):
        check_fit(config.method, config.augmentation, gives=(ViewsBatch,), dataset="digits", labelled=True)
    config.augmentation.views[0].count = 2
    fits = check_fit(config.method, config.augmentation, gives=(ViewsBatch,), dataset="digits", labelled=False)
    assert fits is ViewsBatch
