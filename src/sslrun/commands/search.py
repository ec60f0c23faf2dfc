"""`sslrun search`: find the images of a folder that best match a text."""

from pathlib import Path
from typing import Any

import numpy as np

from sslrun.commands.joint import Towers, find_towers, image_vectors
from sslrun.config.command.search import SearchConfig
from sslrun.config.errors import DataError
from sslrun.core.console import say
from sslrun.data.vision.decode import EXTENSIONS, Decoder
from sslrun.data.vision.folder import image_files
from sslrun.data.vision.items import collate
from sslrun.data.vision.prepare import Normalize
from sslrun.data.vision.resize import fit
from sslrun.report.search import Match, write_search
from sslrun.training.precision import accelerator_name, resolve_precision


def run(config: SearchConfig) -> None:
    """Print the best matches and write search.html into the run folder."""
    assert config.run.dir is not None
    root = Path(config.images).expanduser()
    files = image_files(root) if root.is_dir() else []
    if not files:
        raise DataError(f"images={config.images}: no folder with images; endings are {', '.join(sorted(EXTENSIONS))}")
    device = accelerator_name(config.accelerator)
    precision = resolve_precision(config.precision, accelerator=device)
    towers = find_towers(config.encoder, device=device, precision=precision)
    reader = Reader(root, files, towers)
    prepare = Normalize(mean=towers.inputs["mean"], std=towers.inputs["std"])
    images = image_vectors(towers, reader.batches(config.batch_size), prepare)
    text = towers.text_vectors([config.text], batch_size=1)[0]
    scores, order = (images.features @ text).topk(min(config.count, len(images.features)))
    matches = [
        Match(rank, float(score), root / files[int(images.index[i])])
        for rank, (score, i) in enumerate(zip(scores, order.tolist(), strict=True), 1)
    ]
    folder = Path(config.run.dir).absolute()
    page = write_search(folder, matches, text=config.text, encoder=towers.ref.name, searched=len(images.features))
    for match in matches:
        print(f"{match.rank:>3}  {match.score:.3f}  {match.path}")
    if reader.unreadable:
        say(f"{len(reader.unreadable)} unreadable file(s) skipped, first: {reader.unreadable[0]}")
    print(f"page  {page}")


class Reader:
    """Batches of a folder's images with the encoder's preprocessing.

    Attributes:
        unreadable: reasons for skipped files.
    """

    def __init__(self, root: Path, files: list[str], towers: Towers) -> None:
        self.root, self.files = root, files
        self.side = int(towers.inputs["image_size"])
        self.decode = Decoder(channels=int(towers.inputs["channels"]))
        self.unreadable: list[str] = []

    def batches(self, size: int) -> Any:
        """Yield `image` (B, C, H, W) uint8 and `index`, positions in `files`.

        Raises:
            DataError: no file is readable.
        """
        readable = 0
        for start in range(0, len(self.files), size):
            items = [item for i in range(start, min(start + size, len(self.files))) if (item := self._item(i))]
            readable += len(items)
            if items:
                yield collate(items)
        if not readable:
            raise DataError(f"images={self.root}: none of {len(self.files)} files can be read: {self.unreadable[0]}")

    def _item(self, position: int) -> dict[str, Any] | None:
        try:
            image: np.ndarray = self.decode(self.root / self.files[position], name=self.files[position])
        except DataError as error:
            self.unreadable.append(str(error))
            return None
        return {"image": fit(image, side=self.side), "index": position}
