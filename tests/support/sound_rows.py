"""Rows of steps with several numbers, made from a seed: a source for runs on what sound is to a network."""

from typing import Any

import torch
from token_rows import NUM_STEPS, TokenRows

from regcore.data.facts import DataFacts
from regcore.data.prepared import PreparedData, RunSpec, Split
from regcore.data.sequences import SequencePreprocessing

NUM_BANDS = 4


class SoundRows(TokenRows):
    """The rows of `TokenRows`, with each token as a step of numbers."""

    def facts(self, spec: Any, /) -> DataFacts:
        known = super().facts(spec)
        return DataFacts(
            name="sound rows",
            modality="sequence",
            feature_shape=(NUM_STEPS, NUM_BANDS),
            classes=known.classes,
            num_rows=known.num_rows,
            row_counts=known.row_counts,
            varies=True,
        )

    def prepare(self, spec: RunSpec, *, device: torch.device | str = "cpu") -> PreparedData:
        known = super().prepare(spec, device=device)
        dtype = torch.float64 if spec.training.precision == "float64" else torch.float32
        bands = torch.arange(1, NUM_BANDS + 1, device=device)

        def sound(split: Any) -> Split:
            return Split((split.x.unsqueeze(2) / bands).to(dtype), split.y, split.rows, split.lengths)

        splits = map(sound, (known.train, known.validation, known.test))
        return PreparedData(*splits, SequencePreprocessing((NUM_STEPS, NUM_BANDS)), known.classes)
