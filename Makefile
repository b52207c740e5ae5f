# Each target calls one command; what it does is in scripts/.
VENV_PYTHON := .venv/bin/python

# Set on the command line: the Python to set up with, and where torch comes from (see book/setup.md).
export PYTHON TORCH_INDEX

.PHONY: help setup book test check serve figures repository clean

help:
	@echo "make book                  set up what is missing and build the book into _build/html"
	@echo "make serve                 serve the built pages on this machine (PORT=8000)"
	@echo "make test                  set up what is missing and run every test"
	@echo "make check                 style, types, the notebook standard and the tests of what has changed (NOTEBOOK=super_resolution/vdsr: one to execute)"
	@echo "make figures               write the figures as PDF, SVG and PNG into _build/figures (IDS=gaussian/mean: one)"
	@echo "make repository URL=...    set the address at which the book is published"
	@echo "make clean                 remove what was built (the environment and the caches stay)"

setup:
	@sh scripts/setup.sh

book: setup
	@$(VENV_PYTHON) scripts/build_book.py

test: setup
	@$(VENV_PYTHON) scripts/test.py

check: setup
	@$(VENV_PYTHON) scripts/check.py $(NOTEBOOK)

serve: setup
	@$(VENV_PYTHON) scripts/serve.py $(if $(PORT),--port $(PORT))

figures: setup
	@$(VENV_PYTHON) -m lecture_utils figures all --out _build/figures

repository: setup
	@$(VENV_PYTHON) scripts/set_repository.py "$(URL)"

clean:
	@rm -rf _build
