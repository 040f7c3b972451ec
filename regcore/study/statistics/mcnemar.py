"""Two classifiers on the same rows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from regcore.study.statistics.noise import t_quantile


@dataclass(frozen=True)
class Discordance:
    """The rows on which two classifiers differ.

    Attributes:
        num_only_baseline_right: Rows that only the baseline has right.
        num_only_group_right: Rows that only the other has right.
        num_rows: All rows.
    """

    num_only_baseline_right: int
    num_only_group_right: int
    num_rows: int

    @classmethod
    def of(cls, baseline: NDArray[np.float64], group: NDArray[np.float64]) -> "Discordance":
        """From 1 for a right row and 0 for a wrong one, (N,) each, of the same rows in the same order."""
        return cls(int((baseline > group).sum()), int((group > baseline).sum()), len(baseline))

    def p_value(self) -> float:
        """The exact two-sided test that a discordant row is equally likely to favour either.

        min(1, 2 · P(X ≤ min(b, c))), X binomial(b + c, ½)

        Source: McNemar 1947, Note on the Sampling Error of the Difference between Correlated Proportions. Dietterich
        1998, Approximate Statistical Tests for Comparing Supervised Classification Learning Algorithms, finds it the
        only test with a correct level if each method is trained only once.
        """
        from scipy.special import bdtr

        fewer = min(self.num_only_baseline_right, self.num_only_group_right)
        num_discordant = self.num_only_baseline_right + self.num_only_group_right
        return min(1.0, 2 * float(bdtr(fewer, num_discordant, 0.5)))

    def interval(self) -> tuple[float, float]:
        """The interval of the difference of accuracies, group − baseline; it has a width even if no row is discordant.

        With p = (b + 1) / (N + 2), q = (c + 1) / (N + 2): q − p ± z · √((p + q − (q − p)²) / (N + 2)).

        Source: Bonett & Price 2012, Adjusted Wald Confidence Interval for a Difference of Binomial Proportions Based
        on Paired Data.
        """
        num_rows = self.num_rows + 2
        lost, won = (self.num_only_baseline_right + 1) / num_rows, (self.num_only_group_right + 1) / num_rows
        half = t_quantile(np.inf) * float(np.sqrt((won + lost - (won - lost) ** 2) / num_rows))
        return max(-1.0, won - lost - half), min(1.0, won - lost + half)

    def summary(self) -> dict[str, float]:
        return {
            "num_only_baseline_right": self.num_only_baseline_right,
            "num_only_group_right": self.num_only_group_right,
            "num_rows": self.num_rows,
            "p_value": self.p_value(),
        }
