"""The single-machine mode: PostgreSQL, broker, web, worker and beat under one parent, with nothing installed.

`./run` starts `supervisor`, `./run manage` and `./run bench` start `commands`, `./run test` starts `checks`; pytest
loads `testing`. Nothing here imports Django's settings: this package decides the environment that the settings read.
"""
