"""Train, validation and test splits; missing ones are drawn from train with their own seed."""

from dataclasses import dataclass

import numpy as np

from sslrun.config.errors import DataError


@dataclass(frozen=True)
class Part:
    """A subset of a source's items.

    Attributes:
        source: its name.
        positions: (n,) int64 into the source, ascending.
    """

    source: str
    positions: np.ndarray

    def __len__(self) -> int:
        return len(self.positions)

    def without(self, positions: list[int]) -> "Part":
        """The part without some positions of its source."""
        return Part(self.source, self.positions[~np.isin(self.positions, positions)])


def split(
    sizes: dict[str, int],
    labels: dict[str, np.ndarray | None],
    *,
    validation: float,
    test_share: float,
    seed: int,
    limit: int | None,
) -> dict[str, Part]:
    """Assign items to train, validation and test.

    Test is drawn first, then validation from the rest, then train is reduced to `limit`, so `limit` does not change
    the other two. Without labels no test split is drawn, since nothing could be scored on it.

    Args:
        sizes: items of each source: `train`, and `validation` and `test` if the dataset has them.
        labels: (N,) int64 of each source, or None.
        validation: share of train.
        test_share: share of all items.
        seed: of the random draws.
        limit: maximum number of training items.

    Returns:
        The parts; `test` may be empty.

    Raises:
        DataError: too few items to split.
    """
    parts = {name: Part(name, np.arange(size, dtype=np.int64)) for name, size in sizes.items()}
    known = labels["train"]
    if "test" not in parts and known is not None:
        parts["train"], parts["test"] = _cut(parts["train"], known, share=test_share, seed=seed)
    if "validation" not in parts:
        parts["train"], parts["validation"] = _cut(parts["train"], known, share=validation, seed=seed + 1)
    if limit is not None and limit < len(parts["train"]):
        share = limit / len(parts["train"])
        _, parts["train"] = _cut(parts["train"], known, share=share, seed=seed + 2)
    parts.setdefault("test", Part("train", np.zeros(0, dtype=np.int64)))
    return parts


def _cut(part: Part, labels: np.ndarray | None, *, share: float, seed: int) -> tuple[Part, Part]:
    """The rest and a random `share`, stratified by label if there are labels."""
    of_part = None if labels is None else labels[part.positions]
    taken = stratified(len(part), of_part, count=max(1, round(share * len(part))), seed=seed)
    rest = np.setdiff1d(np.arange(len(part)), taken)
    if len(rest) == 0:
        raise DataError(f"{len(part)} item(s) in {part.source} are too few to cut off a split; give each split its own")
    return Part(part.source, part.positions[rest]), Part(part.source, part.positions[taken])


def stratified(n: int, labels: np.ndarray | None, *, count: int, seed: int) -> np.ndarray:
    """`count` of n random positions; each class keeps its share to within one item.

    Returns:
        (count,) int64, ascending.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(n)
    if labels is None:
        return np.sort(order[:count])
    _, coded, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    wanted = sizes * count / n
    quota = np.floor(wanted).astype(np.int64)
    short = count - int(quota.sum())
    largest = np.lexsort((rng.permutation(len(sizes)), quota - wanted))  # by remainder, ties in random order
    quota[largest[:short]] += 1
    shuffled = coded[order]
    taken = [order[shuffled == c][: quota[c]] for c in range(len(sizes))]
    return np.sort(np.concatenate(taken))
