"""Splits that each seed draws anew. They share rows, so the spread between seeds understates the noise."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Resplits:
    """How large the splits are that each seed draws.

    Attributes:
        num_train: Rows of the train split.
        num_validation: Rows of the validation split.
        num_test: Rows of the test split.
        draws_test: Whether the test rows are drawn too; or else they are the official ones, the same for every seed.
    """

    num_train: int
    num_validation: int
    num_test: int
    draws_test: bool

    def ratio(self, name: str) -> float | None:
        """ρ / (1 − ρ), with ρ how far the seeds' values go together: the variance of their mean is s² · (1/n + ratio).

        - `test/*`, `validation/*`: rows of that split over train rows.
        - All else (`train/*`, weights) is a matter of the train rows, and so is most of the gap's noise: train rows
          over the others. Of a mean over rows that is exact: m rows drawn from N have ρ = m / N.

        Args:
            name: A metric, or another number of a result.

        Returns:
            None where every seed has the same rows, or the same in part: the spread between seeds lacks their noise.

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
