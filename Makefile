# Needs python3 (3.11 or newer) and make; all the rest goes into .venv. Another Python: `make PYTHON=python3.13 test`.

PYTHON = python3
PYTEST = .venv/bin/python -m pytest
ARGS =
PARALLEL = -n auto --maxprocesses 4

layers = domain rules service_layer adapters testing
users = $(wildcard tests examples benchmarks)

# The caller's settings may say where packages come from, but not where they go, nor what Python finds or how it runs.
kept = %_INDEX %_INDEX_URL UV_INDEX_% %_FIND_LINKS %_CERT %_CERTS UV_NATIVE_TLS PIP_TRUSTED_HOST UV_INSECURE_HOST \
	PIP_PROXY %_CACHE_DIR PIP_CONFIG_FILE UV_CONFIG_FILE %_TIMEOUT %_RETRIES %_KEYRING_PROVIDER UV_OFFLINE
unexport VIRTUAL_ENV CONDA_PREFIX PYTHONPATH PYTHONHOME PYTHONSAFEPATH PYTHONOPTIMIZE PYTHONWARNINGS MYPYPATH \
	$(filter-out $(kept),$(filter PIP_% UV_%,$(.VARIABLES)))

# The package is installed as a tree of links in build/, so that edits are seen at once. A file that is added or removed
# needs a new tree: the stamp is named after the list of files. It lies in build/ so that it goes when build/ goes.
files := $(shell find $(layers) -name __pycache__ -prune -o -type f -print | LC_ALL=C sort | cksum | cut -d' ' -f1)
package = build/.installed-$(files)
dev = .venv/.dev

install = .venv/bin/uv pip install --quiet --python .venv/bin/python --constraints constraints.txt

.PHONY: help run test matrix lint format types pyright truth chaos mutation bench wheel constraints clean
.DELETE_ON_ERROR:

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*  ## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 14

run: $(package)  ## the example application; ARGS= is passed on
	.venv/bin/python -m examples.users demo $(ARGS)

# All tests run in parallel. Who says what to run says how: a debugger, for one, has to be in the one process there is.
# The random programs are the same in each run, for what is tested is the change; make truth plays others.
test: export PYTHONHASHSEED = 0
test: $(package) $(dev)  ## all tests; ARGS= goes to pytest: make test ARGS="-k commit -x"
	$(PYTEST) $(if $(strip $(ARGS)),$(ARGS),$(PARALLEL))

matrix: $(package) $(dev)  ## tests on other Pythons, 3.14 on Node among them, and on the oldest dependencies; ARGS= is passed on
	.venv/bin/python -m tests.matrix $(ARGS)

lint: $(dev)  ## ruff: rules and formatting
	.venv/bin/python -m ruff check .
	.venv/bin/python -m ruff format --check .

format: $(dev)  ## mend what lint can mend by itself
	.venv/bin/python -m ruff check --fix --exit-zero .
	.venv/bin/python -m ruff format .

types: $(package) $(dev)  ## mypy --strict, over the package and over everything that uses it
	.venv/bin/python -m mypy
	.venv/bin/python -m mypy $(users)

pyright: $(package) $(dev)  ## pyright --strict, over what users write (installs it first: 280 MB)
	$(install) --requirements pyproject.toml --group pyright
	PYRIGHT=required $(PYTEST) tests/typing

truth: $(package) $(dev)  ## the long proof that the fake tells the truth; ARGS= is passed on
	.venv/bin/python -m tests.truth $(foreach database,mariadb postgresql sqlite,\
		--also ".venv/bin/python -m tests.grammar $(database)" \
		--also "env CHECKS=2000 $(PYTEST) -q tests/integration/test_checks.py -k 'random and $(database)'") \
		--also ".venv/bin/python -m tests.grammar.bugs sqlite" $(ARGS)

chaos: $(package) $(dev)  ## the proof under kills, forks, interrupts and silent servers; ARGS= is passed on
	.venv/bin/python -m tests.chaos $(ARGS)

mutation: export PYTHONHASHSEED = 0
mutation: $(package) $(dev)  ## the proof that the tests see what is wrong; ARGS= is passed on
	.venv/bin/python -m tests.mutation $(ARGS)

bench: $(package) $(dev)  ## the benchmarks; ARGS= is passed on
	.venv/bin/python -m benchmarks $(ARGS)

wheel: $(dev)  ## build dist/*.whl and dist/*.tar.gz, and try the wheel
	rm -rf dist
	.venv/bin/python -m build --quiet --installer uv --dependency-constraints-txt constraints.txt --outdir dist
	HONESTWORK_WHEEL="$$(ls dist/*.whl)" $(PYTEST) tests/test_packaging.py

constraints: .venv/.uv  ## pin the newest version of every dependency
	{ head -n 2 constraints.txt; .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --all-extras \
		--group dev --group pyright --no-emit-index-url --no-annotate --no-header pyproject.toml; } > .venv/constraints.txt
	mv .venv/constraints.txt constraints.txt

clean:  ## back to a fresh checkout
	rm -rf .venv .venv-peers build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("honestwork needs Python 3.11 or newer, and" \
		" $(PYTHON) is " + sys.version.split()[0] + ": make PYTHON=... takes the path of a newer one")'
	$(PYTHON) -m venv --clear .venv

.venv/.uv: .venv/bin/python
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	@touch $@

$(dev): .venv/.uv pyproject.toml constraints.txt
	$(install) --requirements pyproject.toml --all-extras --group dev
	@touch $@

$(package): .venv/.uv pyproject.toml constraints.txt
	@mkdir -p build && rm -f build/.installed-*
	$(install) --build-constraints constraints.txt --reinstall-package honestwork --editable .
	@touch $@
