# Needs Python 3.11 to 3.13, a C++ compiler and make; everything else goes into .venv.
PYTHON ?= python3
BIN := .venv/bin
SOURCES := pyproject.toml CMakeLists.txt $(wildcard alflow/potentials/kernel/*.cpp alflow/potentials/kernel/*/*.hpp)

.PHONY: install install-dev demo test lint docs sanitize

install: .venv/installed
install-dev: .venv/installed-dev

.venv/installed: EXTRAS = embedded,dashboard,ofdft,hull
.venv/installed-dev: EXTRAS = embedded,dashboard,ofdft,hull,vasp,pyscf,phonons,dev,docs

.venv/installed .venv/installed-dev: $(SOURCES)
	@$(PYTHON) -c 'import sys; (3, 11) <= sys.version_info < (3, 14) or sys.exit("alflow needs Python 3.11 to 3.13: make PYTHON=python3.12 ...")'
	test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS)]'
	touch .venv/installed $@

demo: install
	$(BIN)/alflow run examples/li_300K.yaml

test: install-dev
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: install-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

# The kernel's tests with builds of it that check their own memory accesses and arithmetic.
SANITIZE := build/sanitize
SANITIZED := kernel kernel_fuzz mtp_core neighbor_source reference_vectors calculator
sanitize: install-dev
	test -x $(SANITIZE)/venv/bin/cmake || $(PYTHON) -m venv $(SANITIZE)/venv
	$(SANITIZE)/venv/bin/pip install --quiet --disable-pip-version-check nanobind cmake
	CXX=$(CXX) $(SANITIZE)/venv/bin/cmake -S . -B $(SANITIZE)/kernel -DSANITIZE=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo \
	  -DPython_EXECUTABLE=$(CURDIR)/$(BIN)/python -Dnanobind_DIR=$$($(SANITIZE)/venv/bin/python -m nanobind --cmake_dir)
	$(SANITIZE)/venv/bin/cmake --build $(SANITIZE)/kernel --parallel 2
	ALFLOW_KERNEL_FOLDER=$(CURDIR)/$(SANITIZE)/kernel ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
	  LD_PRELOAD="$$($(CXX) -print-file-name=libasan.so) $$($(CXX) -print-file-name=libstdc++.so)" \
	  $(BIN)/python -m pytest -q -p no:cacheprovider $(addprefix tests/potentials/test_,$(addsuffix .py,$(SANITIZED)))
