"""A worker whose runners do to a job what its name says; started as a program in the place of `python -m worker`."""

import sys
from pathlib import Path

from worker.app import main
from worker.forking import RunnerTemplate

if __name__ == "__main__":
    program = (sys.executable, str(Path(__file__).with_name("faulty_template.py")))
    start = RunnerTemplate.__init__
    start.__defaults__ = (program, *(start.__defaults__ or ())[1:])
    main()
