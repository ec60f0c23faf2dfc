"""R@K, its chance, and intervals over clusters, from arithmetic."""

import pytest
import torch

from sslrun.core.rows import RowKey
from sslrun.evaluation.intervals import bootstrap_interval, clustered_interval
from sslrun.evaluation.retrieval import chance_recall, rank_of_relevant, retrieval_rows


def recalls(
    images: torch.Tensor, texts: torch.Tensor, owner: list[int], same: list[int]
) -> dict[tuple[str, str], float]:
    rows = retrieval_rows(
        images,
        texts,
        torch.tensor(owner),
        torch.tensor(same),
        ks=(1, 2),
        key=RowKey(encoder="e", dataset="d", seed=0),
    )
    return {(row.condition, row.metric): row.value for row in rows if row.encoder == "e"}


def test_an_image_looks_among_different_captions() -> None:
    images, texts = torch.eye(2), torch.eye(2)[[0, 0, 0, 1]]
    rows = retrieval_rows(
        images, texts, torch.tensor([1, 1, 1, 0]), torch.tensor([0, 0, 0, 1]), ks=(1, 2),
        key=RowKey(encoder="e", dataset="d", seed=0),
    )  # fmt: skip
    found = {(row.encoder, row.metric): row.value for row in rows if row.condition == "image to text"}
    assert found["e", "recall@1"] == 0.0 and found["e", "recall@2"] == 1.0  # three equal ones are one wrong answer
    assert found["chance", "recall@1"] == 0.5 and found["chance", "recall@2"] == 1.0


def test_ranks_of_a_known_table() -> None:
    scores = torch.tensor([[0.9, 0.5, 0.1], [0.9, 0.5, 0.1], [0.3, 0.3, 0.3]])
    right = torch.tensor([[True, False, False], [False, True, True], [False, True, False]])
    assert rank_of_relevant(scores, right).tolist() == [1, 2, 3]  # of equal scores the wrong ones stand first


def test_several_captions_an_image() -> None:
    images = torch.eye(3)
    texts = torch.eye(3)[[0, 1, 1, 2, 0, 2]]  # the third and the fifth caption lie by another image
    found = recalls(images, texts, owner=[0, 0, 1, 2, 1, 2], same=[0, 1, 2, 3, 4, 5])
    assert found["text to image", "recall@1"] == pytest.approx(4 / 6)
    assert found["image to text", "recall@1"] == pytest.approx(1 / 3)  # wrong ones tie with right ones at two images
    assert found["image to text", "recall@2"] == 1.0


def test_equal_captions_are_right_for_both_images() -> None:
    images, texts = torch.eye(2), torch.eye(2)[[1, 0]]
    assert recalls(images, texts, owner=[0, 1], same=[0, 1])["image to text", "recall@1"] == 0.0
    assert set(recalls(images, texts, owner=[0, 1], same=[0, 0]).values()) == {1.0}


def test_an_encoder_to_which_all_is_equal_finds_nothing() -> None:
    found = recalls(torch.ones(4, 2), torch.ones(4, 2), owner=[0, 1, 2, 3], same=[0, 1, 2, 3])
    assert found["image to text", "recall@1"] == found["text to image", "recall@1"] == 0.0


def test_chance_is_the_share_of_orders() -> None:
    assert chance_recall(torch.tensor([1, 1]), total=1000, k=10) == pytest.approx(0.01)
    assert chance_recall(torch.tensor([2]), total=4, k=1) == pytest.approx(0.5)
    assert chance_recall(torch.tensor([2]), total=4, k=2) == pytest.approx(1 - 1 / 6)  # one pair of six has none
    assert chance_recall(torch.tensor([1]), total=3, k=10) == 1.0


def test_clusters_of_one_are_items() -> None:
    values = (torch.arange(200) % 4 == 0).double()
    alone = clustered_interval(values, torch.arange(200), seed=0)
    assert alone == pytest.approx(bootstrap_interval(values, seed=0), abs=0.01)
    repeated = clustered_interval(values.repeat_interleave(5), torch.arange(200).repeat_interleave(5), seed=0)
    assert repeated == pytest.approx(alone)  # five copies of each tell no more
    assert clustered_interval(torch.zeros(10), torch.arange(10) // 5, seed=0) == pytest.approx((0, 1 - 0.025**0.5))
