"""Splits that each seed draws for itself. They share rows, so the spread between seeds understates the noise."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Resplits:
    """The sizes of splits that each seed draws for itself.

    Attributes:
        num_train: Rows of the train split.
        num_validation: Rows of the validation split.
        num_test: Rows of the test split.
        draws_test: Whether the test rows are drawn too; otherwise they are the official ones, the same for every seed.
    """

    num_train: int
    num_validation: int
    num_test: int
    draws_test: bool

    def ratio(self, name: str) -> float | None:
        """ρ / (1 − ρ), with ρ the correlation between seeds: the variance of their mean is s² · (1/n + ratio).

        - `test/*`, `validation/*`: rows of that split over train rows.
        - Everything else (`train/*`, weights), and most of the gap's noise, depends on the train rows: train rows over
          the others. For a mean over rows that is exact: m rows drawn from N have ρ = m / N.

        Args:
            name: A metric, or another number of a result.

        Returns:
            None if all seeds have the same rows, or partly the same: then the spread between seeds does not contain
            their noise.

        Source: Nadeau & Bengio 2003, Inference for the Generalization Error, §3.
        """
        split = name.partition("/")[0]
        if split == "validation":
            return self.num_validation / self.num_train
        if split == "test":
            return self.num_test / self.num_train if self.draws_test else None
        if name == "generalization_gap" and not self.draws_test:
            return None
        num_others = self.num_validation + (self.num_test if self.draws_test else 0)
        return self.num_train / num_others if num_others else None
