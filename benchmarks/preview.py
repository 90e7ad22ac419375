"""`./run bench preview [--size small|full]`: looking before destroying, against one hand-written statement.

The statement asks for the same list in one go and in server order; the preview gives it sorted, with its digest and
counts, in portions. Then the same preview is kept, and a rule with a month less is simulated. Once more among three
times the people, as many of them due: time and memory must not grow.
"""

import argparse
import sys
import time
from statistics import median
from typing import Any

from benchmarks.support.children import Child
from benchmarks.support.databases import Server
from benchmarks.support.figures import Figure, judge, print_table
from benchmarks.support.people import Population, fill
from benchmarks.support.terminal import say

SIZES = {
    "small": ((Population(20_000, 2_000), Population(60_000, 2_000)), False),
    "full": ((Population(1_000_000, 100_000), Population(3_000_000, 100_000)), True),
}
ROUNDS = 3
LIMIT = """
COPY (
    SELECT term.datum_id, subject.reference, category.code, purpose.code, term.rule_version, term.ground
    FROM registry_datumterm term
    JOIN registry_datasubject subject ON subject.id = term.subject_id
    JOIN registry_datacategory category ON category.id = term.category_id
    LEFT JOIN registry_processingpurpose purpose ON purpose.id = term.purpose_id
    WHERE term.until <= (SELECT now FROM bench.moment) AND term.subject_id = ANY (ARRAY(
        SELECT subject_id FROM registry_retentiondue WHERE due_at <= (SELECT now FROM bench.moment)))
) TO STDOUT (FORMAT csv)
"""
HEADS = (
    "people", "data listed", "statement s", "preview s", "of it", "memory MB", "keep s", "simulation s", "newly due",
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="./run bench preview", description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="small")
    populations, has_steady_times = SIZES[parser.parse_args().size]
    server = Server()
    say("migrate")
    server.migrate()
    results = [_measure(server, population) for population in populations]
    print_table(HEADS, [_row(population, seen) for population, seen in zip(populations, results, strict=True)])
    return judge(_figures(results, has_steady_times))


def _measure(server: Server, population: Population) -> list[dict[str, Any]]:
    say(f"{population.people:,} people, of about {population.lapsed:,} something has lapsed")
    with server.database(f"bench_{population.people}", server.empty) as database:
        with server.as_owner(database) as connection:
            fill(connection, population)
        rounds = []
        for number in range(ROUNDS):
            limit = _limit(server, database)
            looker = Child("benchmarks.support.looker", server.environment(database))
            looker.tell("go")
            rounds.append(looker.answer() | {"limit": limit})
            say(f"  round {number + 1}: statement {limit:.1f} s, preview {rounds[-1]['preview']:.1f} s")
        return rounds


def _limit(server: Server, database: str) -> float:
    with server.as_application(database) as connection, connection.cursor() as cursor:
        start = time.perf_counter()
        with cursor.copy(LIMIT) as rows:
            listed = sum(1 for _ in rows)
        if not listed:
            raise AssertionError("nothing is due")
        return time.perf_counter() - start


def _middle(rounds: list[dict[str, Any]], figure: str) -> float:
    return median(seen[figure] for seen in rounds)


def _row(population: Population, rounds: list[dict[str, Any]]) -> list[str]:
    ratio = median(seen["preview"] / seen["limit"] for seen in rounds)
    return [
        f"{population.people:,}", f"{rounds[0]['data']:,}", f"{_middle(rounds, 'limit'):.1f}",
        f"{_middle(rounds, 'preview'):.1f}", f"{ratio:.2f}", f"{_middle(rounds, 'memory') / 1024:.0f}",
        f"{_middle(rounds, 'keep'):.1f}", f"{_middle(rounds, 'simulation'):.1f}", f"{rounds[0]['newly_due']:,}",
    ]  # fmt: skip


def _figures(results: list[list[dict[str, Any]]], timed: bool) -> list[Figure]:
    few, many = results
    ratio = median(seen["preview"] / seen["limit"] for seen in many)
    growth = {figure: _middle(many, figure) / _middle(few, figure) for figure in ("preview", "memory")}
    data = few[0]["data"] / many[0]["data"]
    return [
        Figure("preview-to-statement", ratio, "<=", 2.5, timed),
        Figure("preview-seconds-per-datum-at-three-times-the-people", growth["preview"] * data, "<", 1.3, timed),
        Figure("preview-memory-megabytes", _middle(many, "memory") / 1024, "<=", 30),
    ]


if __name__ == "__main__":
    sys.exit(main())
