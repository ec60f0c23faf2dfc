"""Fine-tuning for speech recognition with CTC; word and character error rates."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from sslrun.backbones.base import Encoder
from sslrun.config.command.finetune import FinetuneConfig
from sslrun.config.errors import ConfigError
from sslrun.core.atomic import write_csv
from sslrun.core.rows import Row, RowKey
from sslrun.data.audio.audio import AudioData
from sslrun.evaluation.batches import Batch, batches_of
from sslrun.evaluation.goals.base import HELD_OUT, CheckResult, Goal, LabelSplit
from sslrun.evaluation.transcripts import character_edits, transcript_rows, word_edits
from sslrun.methods.fine_tuned import FineTuned
from sslrun.methods.transcriber import Transcriber
from sslrun.training.plan import Plan

MIN_HELD_OUT = 5
"""Items; with fewer nothing is held out and the run does not stop early."""


class Transcription(Goal):
    """For recordings with transcripts; `labels` counts transcripts."""

    head = "transcriber"

    def method(self, encoder: Encoder, config: FinetuneConfig) -> Transcriber:
        """A transcriber with the dataset's alphabet."""
        return Transcriber(
            encoder,
            alphabet=self.data.alphabet,
            timesteps_per_output=self._timesteps_per_output(encoder, config),
            layer_decay=config.layer_decay,
        )

    def few_label_split(self, labels: int | float, *, seed: int) -> LabelSplit:
        """A random subset; smaller budgets are subsets of larger ones."""
        size = self.data.size("train")
        count = labels if isinstance(labels, int) else max(1, round(labels * size))
        if count > size:
            raise ConfigError(f"labels={labels}: dataset={self.data.name} has {size} transcripts to train on")
        order = torch.randperm(size, generator=torch.Generator().manual_seed(seed))[:count].tolist()
        held_out = round(HELD_OUT * count)
        held_out = held_out if held_out >= MIN_HELD_OUT else 0
        return LabelSplit(order[held_out:], "train", order[:held_out])

    def check(self, method: FineTuned, split: str, positions: Sequence[int], plan: Plan) -> CheckResult:
        """By character error rate, which improves before the word error rate does, then by loss."""
        hypotheses, references, loss = self._transcribe(method, split, plan, positions=positions)
        rates = {}
        for name, count in (("cer", character_edits), ("wer", word_edits)):
            edits, lengths = count(hypotheses, references)
            rates[name] = float(edits.sum() / lengths.sum())
        logs = {f"probe/{name}": rate for name, rate in rates.items()} | {"probe/loss": loss}
        return CheckResult((-rates["cer"], -loss), logs, {name: f"{rate:.1%}" for name, rate in rates.items()})

    def measure(
        self, method: FineTuned, plan: Plan, folder: Path, *, encoder: str, config: FinetuneConfig
    ) -> list[Row]:
        """Rows wer and cer; writes transcripts.csv."""
        hypotheses, references, _ = self._transcribe(method, "test", plan)
        write_csv(folder / "transcripts.csv", ("reference", "hypothesis"), zip(references, hypotheses, strict=True))
        key = RowKey(
            encoder=encoder, dataset=self.data.name, evaluation="finetune", labels=config.labels, seed=config.seed
        )
        return transcript_rows(hypotheses, references, key=key)

    def metadata(self, method: FineTuned) -> dict[str, str]:
        """Alphabet (outputs after the blank, which is output 0), and time steps averaged into one output."""
        assert isinstance(method, Transcriber)
        return {"alphabet": json.dumps(list(method.alphabet)), "timesteps_per_output": str(method.timesteps_per_output)}

    def _timesteps_per_output(self, encoder: Encoder, config: FinetuneConfig) -> int:
        """`output_ms` in time steps of the encoder, at least one."""
        if not encoder.has_timesteps:  # the transcriber raises
            return 1
        assert isinstance(self.data, AudioData)
        audio = self.data.config
        item_ms = 1000 / audio.sample_rate if encoder.reads == "wave" else 1000 * audio.hop / audio.sample_rate
        return max(1, round(config.output_ms / (item_ms * encoder.patch_size)))

    def _transcribe(
        self, method: FineTuned, split: str, plan: Plan, *, positions: Sequence[int] | None = None
    ) -> tuple[list[str], list[str], float]:
        """Hypotheses, references and the mean loss per character."""
        assert isinstance(method, Transcriber)
        transcripts = self.data.transcripts(split)
        assert transcripts is not None
        batches = batches_of(
            self.data,
            self.data.evaluation(split),
            device=next(method.parameters()).device,
            precision=plan.precision,
            batch_size=max(64, plan.micro_batch),
            workers=plan.workers,
            positions=positions,
        )

        def transcribe(batch: Batch) -> tuple[list[str], tuple[Tensor, Tensor]]:
            return method.transcribe(batch), method.row_losses(batch)

        hypotheses, references, total, count = [], [], 0.0, 0
        for batch, (texts, (sums, counts)) in batches.run(method, transcribe):
            hypotheses += texts
            references += [transcripts[int(i)] for i in batch["index"]]
            total, count = total + float(sums.sum()), count + int(counts.sum())
        return hypotheses, references, total / max(1, count)
