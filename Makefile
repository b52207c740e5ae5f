# Each target calls one command; what it does is in scripts/.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV_PYTHON := .venv/bin/python

.PHONY: help setup book test serve figures repository clean

help:
	@echo "make book                  set up what is missing and build the book into _build/html"
	@echo "make serve                 serve the built pages on this machine (PORT=8000)"
	@echo "make test                  set up what is missing and run every test"
	@echo "make figures               write the figures as PDF, SVG and PNG into _build/figures (IDS=gaussian/mean: one)"
	@echo "make repository URL=...    set the address at which the book is published"
	@echo "make clean                 remove what was built (the environment and the caches stay)"

setup:
	@$(PYTHON) scripts/setup.py

book: setup
	@$(VENV_PYTHON) scripts/build_book.py

test: setup
	@$(VENV_PYTHON) scripts/test.py

serve: setup
	@$(VENV_PYTHON) scripts/serve.py $(if $(PORT),--port $(PORT))

figures: setup
	@$(VENV_PYTHON) -m lecture_utils figures all --out _build/figures

repository: setup
	@$(VENV_PYTHON) scripts/set_repository.py "$(URL)"

clean:
	@rm -rf _build
