"""Goals of fine-tuning, chosen by a dataset's annotations."""

from sslrun.config.errors import DataError
from sslrun.data.base import Data, check_labelled
from sslrun.evaluation.goals.base import Goal
from sslrun.evaluation.goals.classification import Classification
from sslrun.evaluation.goals.transcription import Transcription


def goal_of(data: Data) -> Goal:
    """The goal that fits the dataset's annotations.

    Raises:
        DataError: a split has no annotations.
    """
    if data.transcripts("train") is not None:
        return Transcription(data)
    if data.classes is not None:
        check_labelled(data)
        return Classification(data)
    raise DataError(f"dataset={data.name} has no labels; finetune needs a labelled dataset: dataset=…")
