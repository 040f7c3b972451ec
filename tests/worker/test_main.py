import os
import subprocess
import sys


def test_a_wrong_setting_is_named_and_nothing_starts(tmp_path):
    environment = {**os.environ, "REGCORE_DATA_DIR": str(tmp_path), "REGCORE_SLOTS": "none"}

    ended = subprocess.run(
        [sys.executable, "-m", "worker"], env=environment, capture_output=True, text=True, timeout=60
    )

    assert ended.returncode != 0
    assert "slots" in ended.stderr
    assert list(tmp_path.iterdir()) == []
