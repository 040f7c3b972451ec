# Every target makes .venv by itself first. `make` alone runs all the checks.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: check install demo up test test-quick nemesis lint format types imports bench docs clean

check: lint types imports test

install: $(STAMP)

# Rerun when the dependencies change. pip, so that packages already on this disk are used.
$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[all,dev]'
	@touch $@

demo: $(STAMP)          ## four jobs on real digits, a table and demo.png, then stop
	$(BIN)/python -m regclient.demo

up: $(STAMP)            ## the same stack, left running
	$(BIN)/regcore up

# In the order of the folders: those with the fewest tests take the longest (tests/faults), and would be left for one process at the end.
test: $(STAMP)          ## two at a time, for many tests wait for a process; a module's tests stay together
	$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder $(PYTEST_ARGS)

# The other folders drive processes, or train to the minimum of another library. These search long.
LONG := tests/api/test_properties.py tests/jobs/store/test_state_machine.py tests/regcore/test_defaults.py \
        tests/regcore/loop/test_member_equals_solo.py tests/regcore/statistics/test_comparisons.py

test-quick: $(STAMP)    ## while you write: what starts no process and does not search long
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal --no-processes -r fE $(addprefix --ignore=,$(LONG)) \
	  tests/api tests/jobs tests/regcore tests/test_*.py $(PYTEST_ARGS)

nemesis: $(STAMP)       ## everything killed at random for minutes; NEMESIS_ARGS="--duration-s 60 --seed 7"
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

bench: $(STAMP)         ## each against its peers; one that lacks what it needs says so, and the others go on
	@status=0; for file in benchmarks/[a-z]*.py; do echo "== $$file"; $(BIN)/python $$file || status=1; done; exit $$status

docs: $(STAMP)          ## generated pages, README tables and openapi.json
	$(BIN)/python docs/build.py

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
