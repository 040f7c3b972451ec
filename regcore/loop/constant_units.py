"""Units without effect: their activation is the same for every row.

A ReLU that never opens is such a unit, and so is a neuron whose incoming weights are all zero.
"""

from torch import Tensor

from regcore.modules import in_use


class ConstantUnits:
    """Watches activations, chunk after chunk of the same split."""

    def __init__(self) -> None:
        self._first: dict[str, Tensor] = {}
        self._varies: dict[str, Tensor] = {}

    def look(self, layer: str, activations: Tensor, lengths: Tensor | None = None) -> None:
        """Compare each row of a chunk with the first row of the split.

        Args:
            layer: The layer that feeds the non-linearity.
            activations: (K, B, units), or (K, B, steps, units), or images, (K, B, channels, H, W): a channel is one
                unit.
            lengths: How many steps of each row are in use, (K, B) or (1, B); None for all.
        """
        images = activations.dim() > 4
        units = activations.flatten(3).movedim(2, -1) if images else activations
        units = units.flatten(1, 2) if units.dim() > 3 else units
        first = self._first.setdefault(layer, units[:, :1].clone())
        differs = units != first
        if lengths is not None:
            differs &= in_use(lengths, activations.shape[2]).flatten(1).unsqueeze(2)
        varies = differs.any(1)
        self._varies[layer] = self._varies[layer] | varies if layer in self._varies else varies

    def count(self, member: int) -> dict[str, int]:
        """How many units of a member are constant, by the layer that feeds them."""
        return {layer: int((~varies[member]).sum()) for layer, varies in self._varies.items()}
