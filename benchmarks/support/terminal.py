"""What a benchmark shows while it works."""

import sys


def progress(what: str, done: int, total: int) -> None:
    """One line: rewritten in a terminal, at every tenth in a log."""
    text = f"  {what}: {done:,} of {total:,}"
    if sys.stderr.isatty():
        print(f"\r{text}", end="\n" if done == total else "", file=sys.stderr, flush=True)
    elif done == total or done * 10 // total != (done - 1) * 10 // total:
        print(text, file=sys.stderr, flush=True)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
