import numpy as np
import pytest

from sslrun.config.errors import DataError
from sslrun.data.splits import split, stratified

DEFAULT = {"validation": 0.1, "test_share": 0.2, "seed": 0, "limit": None}


def labels(*sizes):
    return np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))


def test_cuts_are_disjoint_complete_and_stratified():
    y = labels(500, 300, 200)
    parts = split({"train": 1000}, {"train": y}, **DEFAULT)
    together = np.concatenate([p.positions for p in parts.values()])
    assert sorted(together) == list(range(1000))
    assert {name: len(p) for name, p in parts.items()} == {"train": 720, "test": 200, "validation": 80}
    assert np.bincount(y[parts["test"].positions]).tolist() == [100, 60, 40]
    assert np.bincount(y[parts["validation"].positions]).tolist() == [40, 24, 16]


def test_a_given_test_split_is_not_touched():
    given = split({"train": 100, "test": 50}, {"train": labels(50, 50), "test": labels(25, 25)}, **DEFAULT)
    assert given["test"].source == "test" and len(given["test"]) == 50
    assert given["validation"].source == "train" and len(given["validation"]) == 10


def test_limit_thins_train_alone():
    y = labels(500, 300, 200)
    whole = split({"train": 1000}, {"train": y}, **DEFAULT)
    thin = split({"train": 1000}, {"train": y}, **(DEFAULT | {"limit": 72}))
    for name in ("validation", "test"):
        np.testing.assert_array_equal(whole[name].positions, thin[name].positions)
    assert np.bincount(y[thin["train"].positions]).tolist() == [36, 22, 14]  # 36, 21.6, 14.4
    assert np.isin(thin["train"].positions, whole["train"].positions).all()


def test_another_seed_cuts_otherwise():
    first, second = (split({"train": 99}, {"train": None}, **(DEFAULT | {"seed": s})) for s in (0, 1))
    assert (first["validation"].positions != second["validation"].positions).any()


def test_without_labels_no_test_is_cut():
    parts = split({"train": 100}, {"train": None}, **DEFAULT)
    assert {name: len(p) for name, p in parts.items()} == {"train": 90, "validation": 10, "test": 0}


def test_one_image_is_too_few():
    with pytest.raises(DataError, match="too few"):
        split({"train": 1}, {"train": None}, **DEFAULT)


@pytest.mark.parametrize("count", [1, 7, 10, 29, 30])
def test_stratified_draws_exactly_count(count):
    taken = stratified(30, labels(1, 9, 20), count=count, seed=0)
    assert len(set(taken.tolist())) == count


def test_what_is_left_over_goes_to_any_classes():
    """100 classes of 5: 25 items are a quarter of the classes, others with each seed."""
    known = labels(*[5] * 100)
    drawn = [set(known[stratified(500, known, count=25, seed=seed)].tolist()) for seed in (0, 1)]
    assert all(len(classes) == 25 and max(classes) > 50 for classes in drawn)
    assert drawn[0] != drawn[1]
