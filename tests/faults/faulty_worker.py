"""A worker whose runners do to a job what its name says, and whose readers to a data set; started as a program."""

import os
import sys
from pathlib import Path

from worker.app import main
from worker.datasets.validation import Validator
from worker.supervise.forking import RunnerTemplate

SLOW_FILE = Path(os.environ["REGCORE_DATA_DIR"], "slow")


def program(name: str) -> tuple[str, ...]:
    return (sys.executable, str(Path(__file__).with_name(name)))


if __name__ == "__main__":
    start = RunnerTemplate.__init__
    start.__defaults__ = ((*program("faulty_template.py"), str(SLOW_FILE)), *(start.__defaults__ or ())[1:])
    Validator.__init__.__defaults__ = (program("faulty_parser.py"),)
    main()
