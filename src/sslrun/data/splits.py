"""Train, validation and test: what is absent is cut off train, by a seed of its own."""

from dataclasses import dataclass

import numpy as np

from sslrun.config.errors import DataError


@dataclass(frozen=True)
class Part:
    """Some of the items of a source.

    Attributes:
        source: its name.
        positions: (n,) int64 into the source, ascending.
    """

    source: str
    positions: np.ndarray

    def __len__(self) -> int:
        return len(self.positions)

    def without(self, positions: list[int]) -> "Part":
        """The part less some positions of its source."""
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

    Test is cut first, then validation of what is left, then train is thinned to `limit`; so none of the three moves
    when `limit` changes. Without labels no test split is cut: there would be nothing to score on it.

    Args:
        sizes: items of each source; `train` is among them, `validation` and `test` where the dataset has them.
        labels: (N,) int64 of each source, or None.
        validation: share of train.
        test_share: share of all.
        seed: of the cuts.
        limit: at most so many training items.

    Returns:
        The parts; `test` is empty where it is absent.

    Raises:
        DataError: too few items to cut.
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
    """The rest and a random `share`, stratified where labelled."""
    of_part = None if labels is None else labels[part.positions]
    taken = stratified(len(part), of_part, count=max(1, round(share * len(part))), seed=seed)
    rest = np.setdiff1d(np.arange(len(part)), taken)
    if len(rest) == 0:
        raise DataError(f"{len(part)} item(s) in {part.source} are too few to cut off a split; give each split its own")
    return Part(part.source, part.positions[rest]), Part(part.source, part.positions[taken])


def stratified(n: int, labels: np.ndarray | None, *, count: int, seed: int) -> np.ndarray:
    """`count` of n positions, drawn at random with each class's share kept to within one.

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
    largest = np.lexsort((rng.permutation(len(sizes)), quota - wanted))  # remainders; of equal ones any, not the first
    quota[largest[:short]] += 1
    shuffled = coded[order]
    taken = [order[shuffled == c][: quota[c]] for c in range(len(sizes))]
    return np.sort(np.concatenate(taken))
