"""An installed package that offers kinds to regcore."""

from pathlib import Path


def install_plugin(folder: Path, code: str) -> None:
    """Leave a package with one entry point in a folder, as pip does."""
    (folder / "acme_layers.py").write_text(code)
    info = folder / "acme_regcore-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-regcore\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[regcore.plugins]\nacme = acme_layers\n")
