.PHONY: run test lint lock

run:
	./run

test:
	./run test

lint:
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

# Newer versions within the limits of the .in files, with hashes, for every supported Python.
LOCK = .venv/bin/python -m uv pip compile --upgrade --generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-header
lock:
	$(LOCK) -o requirements-uv.txt requirements-uv.in
	$(LOCK) -o requirements.txt requirements.in
	$(LOCK) -o requirements-dev.txt requirements-dev.in
