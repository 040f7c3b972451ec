"""Spectral normalization: each matrix is divided by its largest singular value, so that no layer stretches its rows.

While training, σ₁ is estimated by one power iteration a step, as in the paper; what is evaluated and finished is
divided by the exact one.

Source: Miyato et al. 2018, Spectral normalization for generative adversarial networks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from regcore.doubts import Doubt, RunShape
from regcore.groups import axes_of
from regcore.members import per_member
from regcore.regularizers.base import SelectingRegularizer
from regcore.regularizers.effect import Effect, Setting
from regcore.shapes import TensorInfo

if TYPE_CHECKING:
    from torch import Tensor

    from regcore.at import At
    from regcore.optim import Update
    from regcore.trees import Tree


class SpectralNorm(SelectingRegularizer):
    """Divides each selected tensor by its largest singular value."""

    summary: ClassVar[str] = "Divides each weight matrix by its largest singular value: layers do not stretch rows."
    formula: ClassVar[str] = "W/σ₁(W),  W of units × all that a unit sees;  σ₁ ≈ uᵀWv,  v ← Wᵀu/‖Wᵀu‖,  u ← Wv/‖Wv‖"
    source: ClassVar[str] = "Miyato et al. 2018; torch.nn.utils.parametrizations.spectral_norm"
    example: ClassVar[dict[str, Any]] = {"kind": "spectral_norm"}
    member_fields: ClassVar[frozenset[str] | None] = frozenset()
    twice: ClassVar[str | None] = "What was divided by its σ₁ has a σ₁ of 1: a second spectral_norm changes nothing."

    kind: Literal["spectral_norm"] = "spectral_norm"

    def touched(self, tensors: Sequence[TensorInfo]) -> list[str]:
        names = super().touched(tensors)
        chosen = [tensor for tensor in tensors if tensor.name in names]
        others = [tensor.name for tensor in chosen if len(tensor.shape) < 2 or "o" not in axes_of(tensor)]
        if others:
            raise ValueError(
                f"spectral_norm expects tensors with an axis of units and others; received {', '.join(others)}, which "
                "lack them. Exclude them by select"
            )
        return names

    def num_extra(self, tensors: Sequence[TensorInfo]) -> int:
        """The divided weights, the outer product that is σ₁'s gradient, and u."""
        names = self.touched([tensor for tensor in tensors if tensor.is_learned])
        return 3 * sum(tensor.num_elements for tensor in tensors if tensor.name in names)

    def doubts(self, run: RunShape) -> Iterator[Doubt]:
        own = {name for one in run.regularizers if one.kind == self.kind for name in one.touches}
        for one in run.regularizers:
            both = sorted(own.intersection(one.touches)) if one.shrinks_weights else []
            if both:
                yield Doubt(
                    "",
                    "penalty_under_spectral_norm",
                    f"{one.kind} shrinks {', '.join(both)}, which are divided by their σ₁ whatever their size: it "
                    "only makes steps count more, and a matrix that it takes to zero is lost.",
                    f"Leave out {one.kind}, or let it select other weights.",
                )

    @classmethod
    def bind(cls, members: Sequence[SpectralNorm], setting: Setting) -> Effect:
        return _SpectralNormEffect(members, setting)


class _SpectralNormEffect(Effect):
    """Remembers for each tensor the left singular vector u that power iteration has come to, (K, units)."""

    ranks: ClassVar[Mapping[str, int]] = {"weights": 10}

    def start(self, tensors: Mapping[str, Tensor]) -> Tree:
        """The exact vectors: torch comes to them by 15 iterations from random ones."""
        import torch

        matrices = {name: self._matrix(name, tensors[name].detach()) for name in self.touched}
        return {
            name: torch.linalg.svd(matrix, full_matrices=False).U[..., 0].contiguous()
            for name, matrix in matrices.items()
        }

    def weights(self, tensors: Mapping[str, Tensor], at: At) -> Mapping[str, Tensor]:
        return {**tensors, **{name: self._divided(name, tensors[name], at) for name in self.touched}}

    def after_step(self, tensors: Mapping[str, Tensor], update: Update, at: At) -> None:
        """One power iteration with the weights that the next step sees."""
        import torch

        for name, u in self._vectors.items():
            matrix = self._matrix(name, tensors[name])
            found = (matrix @ _unit(matrix.mT @ u.unsqueeze(2))).squeeze(2)
            norms = torch.linalg.vector_norm(found, dim=1, keepdim=True)
            # A matrix of zeros has no direction, and u would stay zero once it lives again.
            u.copy_(torch.where(norms > 0, found / norms, u))

    def _divided(self, name: str, weight: Tensor, at: At) -> Tensor:
        import torch

        matrix = self._matrix(name, weight)
        if at.training:
            # ‖Wᵀu‖ = uᵀWv, and has the same gradient uvᵀ, in one product.
            sigma = torch.linalg.vector_norm(matrix.mT @ self._vectors[name].unsqueeze(2), dim=(1, 2))
        else:
            # LAPACK refuses what is not finite, and one member that has diverged must not end the others.
            sigma = torch.linalg.svdvals(matrix.nan_to_num(0, 0, 0))[:, 0]
        # Times the inverse: the gradient of a quotient takes three passes over memory more.
        return weight * per_member(torch.where(sigma > 0, sigma, 1.0).reciprocal(), weight)

    def _matrix(self, name: str, weight: Tensor) -> Tensor:
        """(K, units, all that a unit sees)."""
        return weight.movedim(1 + axes_of(self.setting.tensors[name]).index("o"), 1).flatten(2)

    @property
    def _vectors(self) -> dict[str, Tensor]:
        of: Any = self.state
        vectors: dict[str, Tensor] = of
        return vectors


def _unit(column: Tensor) -> Tensor:
    """Columns (K, n, 1) of length 1; zeros stay."""
    from torch.nn import functional

    return functional.normalize(column, dim=1)
