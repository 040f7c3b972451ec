# Every target makes .venv by itself first. `make` alone runs all the checks.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

# Hundreds of tests start a process: without bytecode on disk each of them would compile all of regcore anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: check install demo up test test-quick nemesis lint format types imports bench docs clean

check: lint types imports test

install: $(STAMP)

# Runs again when the dependencies change. pip uses packages that are already on this disk.
$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[all,dev]'
	@$(BIN)/python -c "from regcore.optim.kernels import warm; warm()"  # compiled once for this machine
	@touch $@

demo: $(STAMP)          ## four jobs on real digits, a table and demo.png, then stop
	$(BIN)/python -m regclient.demo

up: $(STAMP)            ## the same stack, left running
	$(BIN)/regcore up

# In the order of the folders. xdist would start with the largest groups of tests, but the smallest ones (tests/faults) take
# the longest, and one process would run them alone at the end. Three at a time, for two cores: many tests wait for a
# process or for a lease. One thread each: with more they wait for each other, and take a third more of the processor.
test: $(STAMP)          ## all tests; a module's tests stay together
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadscope --no-loadscope-reorder $(PYTEST_ARGS)

# `test-quick` leaves out these searches, which take long. The folders that it does not name run processes, or train until
# the minimum that another library finds.
LONG := tests/api/test_properties.py tests/jobs/store/test_state_machine.py tests/regcore/test_defaults.py \
        tests/regcore/loop/test_member_equals_solo.py tests/regcore/study/statistics/test_comparisons.py

test-quick: $(STAMP)    ## while you write: tests without processes and long searches
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal --no-processes -r fE $(addprefix --ignore=,$(LONG)) \
	  tests/api tests/jobs tests/regcore tests/test_*.py $(PYTEST_ARGS)

nemesis: $(STAMP)       ## kill parts at random for minutes; NEMESIS_ARGS="--duration-s 60 --seed 7"
	$(BIN)/python tests/faults/nemesis.py $(NEMESIS_ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

bench: $(STAMP)         ## every benchmark; one whose needs are missing says so, and the others run
	@status=0; for file in benchmarks/[a-z]*.py; do echo "== $$file"; $(BIN)/python $$file || status=1; done; exit $$status

docs: $(STAMP)          ## generated pages, README tables and openapi.json
	$(BIN)/python docs/build.py

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
