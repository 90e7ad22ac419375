"""`./run bench console [--size small|full]`: the console's pages among few people and among millions.

A member of the staff opens Today, the list of people (plain, filtered), looks for one by e-mail, opens the page about
them, and reads the audit (plain, filtered), in a process of its own as the application's role: among few, among many,
and again, for the machine drifts. The newest people were made by the operations themselves, which is timed too; the
others are copies of the first. Nothing may take longer for more people.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import Any

from benchmarks.support import crowd
from benchmarks.support.children import Child
from benchmarks.support.databases import Server
from benchmarks.support.figures import Figure, judge, print_table
from benchmarks.support.terminal import say

SIZES = {"small": ((2_000, 20_000), False), "full": ((10_000, 1_000_000, 3_000_000), True)}
ROUNDS = 5
# One in a hundred is blocked: a full page, few among many.
BLOCKED = "UPDATE registry_datasubject SET status = 'blocked' WHERE mod(id / 100, 100) = 3"


def main() -> int:
    parser = argparse.ArgumentParser(prog="./run bench console", description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="small")
    sizes, has_steady_times = SIZES[parser.parse_args().size]
    server = Server()
    say("migrate")
    server.migrate()
    with ExitStack() as stack:
        databases = {people: stack.enter_context(_registry(server, people)) for people in sizes}
        rounds: dict[int, list[dict[str, Any]]] = {people: [] for people in sizes}
        for number in range(ROUNDS):
            for people, database in databases.items():
                rounds[people].append(_looked_at(server, database, number))
    seen = {people: {page: _middle(page, some) for page in some[0]} for people, some in rounds.items()}
    print_table(_heads(sizes), [_row(page, seen) for page in seen[sizes[0]]])
    return judge(_figures(seen, has_steady_times))


@contextmanager
def _registry(server: Server, people: int) -> Iterator[str]:
    say(f"{people:,} people")
    with server.database(f"bench_console_{people}", server.empty) as database:
        crowd.fill(server, database, people)
        with server.as_owner(database) as connection:
            connection.execute(BLOCKED)
            connection.execute("VACUUM (ANALYZE) registry_datasubject")
        yield database


def _looked_at(server: Server, database: str, number: int) -> dict[str, Any]:
    clerk = Child("benchmarks.support.clerk", server.environment(database), str(number))
    clerk.tell("go")
    seen = clerk.answer()
    say(f"  {database}: " + ", ".join(f"{page} {one['ms']:.1f} ms" for page, one in seen.items()))
    return seen


def _middle(page: str, rounds: list[dict[str, Any]]) -> dict[str, float]:
    return {figure: median(one[page][figure] for one in rounds) for figure in ("ms", "queries")}


def _heads(sizes: tuple[int, ...]) -> list[str]:
    return ["page", *(f"{people:,}: {unit}" for people in sizes for unit in ("ms", "queries")), "ratio"]


def _row(page: str, seen: dict[int, Any]) -> list[str]:
    cells = [cell for one in seen.values() for cell in (f"{one[page]['ms']:.1f}", f"{one[page]['queries']:.0f}")]
    return [page, *cells, f"{_ratio(page, seen):.2f}"]


def _ratio(page: str, seen: dict[int, Any]) -> float:
    few, *_, many = seen.values()
    return float(many[page]["ms"] / few[page]["ms"])


def _figures(seen: dict[int, Any], timed: bool) -> list[Figure]:
    few, *_, many = seen.values()
    times = [Figure(f"{page}-many-to-few", _ratio(page, seen), "<", 1.3, timed) for page in few]
    more = [Figure(f"{page}-queries-more", many[page]["queries"] - few[page]["queries"], "<=", 0) for page in few]
    return times + more


if __name__ == "__main__":
    sys.exit(main())
