"""How large a set keeps its images."""

from typing import Final

SHORTER_SIDE: Final = 256
"""In pixels: larger images are kept smaller, because 20,000 photos of 12 megapixels would neither fit into a memory nor
be decoded in time. The usual recipes give networks 224 pixels."""
LONGER_SIDE: Final = 1_024
"""In pixels: of images that are more than four times as long as wide, which are squeezed to it."""
