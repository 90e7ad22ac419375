"""Benchmarks against goals; `./run bench NAME` runs one on a database of its own."""
