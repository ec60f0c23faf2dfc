"""Fine-tuning to transcripts: connectionist temporal classification, word and character error rates."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch

from sslrun.backbones.base import Encoder
from sslrun.config.command.finetune import FinetuneConfig
from sslrun.config.errors import ConfigError
from sslrun.core.atomic import write_csv
from sslrun.core.rows import Row, RowKey
from sslrun.data.audio.audio import AudioData
from sslrun.data.base import to_device
from sslrun.data.loader import evaluation_loader
from sslrun.evaluation.features import evaluating
from sslrun.evaluation.goals.base import HELD_OUT, Budget, Check, Goal
from sslrun.evaluation.transcripts import character_edits, transcript_rows, word_edits
from sslrun.methods.fine_tuned import FineTuned
from sslrun.methods.transcriber import Transcriber
from sslrun.training.plan import Plan
from sslrun.training.precision import autocast_dtype

MIN_HELD_OUT = 5
"""Items; a budget that leaves fewer to be held out is all trained on, for the whole length of the run."""


class Transcription(Goal):
    """Of recordings with a text each; `labels` counts transcripts."""

    head = "transcriber"

    def method(self, encoder: Encoder, config: FinetuneConfig) -> Transcriber:
        """A transcriber to the dataset's alphabet."""
        return Transcriber(
            encoder,
            alphabet=self.data.alphabet,
            moments=self._moments(encoder, config),
            weight_decay=config.optimizer.weight_decay,
            layer_decay=config.layer_decay,
        )

    def few(self, labels: int | float, *, seed: int) -> Budget:
        """Drawn at random; smaller budgets lie within larger ones."""
        size = self.data.size("train")
        count = labels if isinstance(labels, int) else max(1, round(labels * size))
        if count > size:
            raise ConfigError(f"labels={labels}: dataset={self.data.name} has {size} transcripts to train on")
        order = torch.randperm(size, generator=torch.Generator().manual_seed(seed))[:count].tolist()
        held = round(HELD_OUT * count)
        return Budget(order[held:], "train", order[:held]) if held >= MIN_HELD_OUT else Budget(order, "train", [])

    def check(self, method: FineTuned, split: str, positions: Sequence[int], plan: Plan) -> Check:
        """Character error rate, which moves before that of words does, and then the loss."""
        heard, said, loss = self._hear(method, split, plan, positions=positions)
        rates = {}
        for name, count in (("cer", character_edits), ("wer", word_edits)):
            edits, lengths = count(heard, said)
            rates[name] = float(edits.sum() / lengths.sum())
        logs = {f"probe/{name}": rate for name, rate in rates.items()} | {"probe/loss": loss}
        return Check((-rates["cer"], -loss), logs, {name: f"{rate:.1%}" for name, rate in rates.items()})

    def measure(
        self, method: FineTuned, plan: Plan, folder: Path, *, encoder: str, config: FinetuneConfig
    ) -> list[Row]:
        """Rows wer and cer; transcripts.csv."""
        heard, said, _ = self._hear(method, "test", plan)
        write_csv(folder / "transcripts.csv", ("said", "heard"), zip(said, heard, strict=True))
        key = RowKey(
            encoder=encoder, dataset=self.data.name, evaluation="finetune", labels=config.labels, seed=config.seed
        )
        return transcript_rows(heard, said, key=key)

    def about(self, method: FineTuned) -> dict[str, str]:
        """Characters of the outputs behind the first, which writes nothing, and the moments of an output."""
        assert isinstance(method, Transcriber)
        return {"alphabet": json.dumps(list(method.alphabet)), "moments": str(method.moments)}

    def _moments(self, encoder: Encoder, config: FinetuneConfig) -> int:
        """Of the encoder in one output; one at least."""
        if not encoder.has_moments:  # refused by the transcriber
            return 1
        assert isinstance(self.data, AudioData)
        sound = self.data.config
        item_ms = 1000 / sound.sample_rate if encoder.reads == "wave" else 1000 * sound.hop / sound.sample_rate
        return max(1, round(config.output_ms / (item_ms * encoder.patch_size)))

    def _hear(
        self, method: FineTuned, split: str, plan: Plan, *, positions: Sequence[int] | None = None
    ) -> tuple[list[str], list[str], float]:
        """What is heard, what was said, and the mean loss of a character."""
        assert isinstance(method, Transcriber)
        data, device = self.data, next(method.parameters()).device
        known = data.transcripts(split)
        assert known is not None
        loader = evaluation_loader(
            data, data.evaluation(split), positions=positions, batch_size=max(64, plan.micro_batch), workers=0
        )
        prepare, autocast = data.prepare().to(device), autocast_dtype(plan.precision)
        heard, said, total, count = [], [], 0.0, 0
        with evaluating(method):
            for batch in loader:
                batch = prepare(to_device(batch, device))
                with torch.inference_mode(), torch.autocast(device.type, dtype=autocast, enabled=autocast is not None):
                    heard += method.transcribe(batch)
                    sums, counts = method.row_losses(batch)
                said += [known[int(i)] for i in batch["index"]]
                total, count = total + float(sums.sum()), count + int(counts.sum())
        return heard, said, total / max(1, count)
