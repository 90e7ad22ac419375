#!/usr/bin/env python
"""Django's command line. Commands that change the schema or set its counters connect as the owner, everything else as
the application."""

import os
import sys

OWNER_COMMANDS = {"migrate", "makemigrations", "flush", "dbshell", "replay_erasures"}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if len(sys.argv) > 1 and sys.argv[1] in OWNER_COMMANDS:
        os.environ["DATABASE_APP_URL"] = os.environ.get("DATABASE_URL", "")
    from django.core.management import execute_from_command_line  # noqa: PLC0415 (after the environment is set)

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
