"""What the test database holds and what was written to it: the proof that nothing was."""

from django.db import connection


def row_counts() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")
        names = [row[0] for row in cursor.fetchall()]
        cursor.execute(" UNION ALL ".join(f"SELECT '{name}', count(*) FROM {name}" for name in names))
        return dict(cursor.fetchall())


def rows_written() -> int:
    """How many rows this connection's open transaction has added, changed or deleted, undone ones too.

    Not those of consent.limits: an attempt is counted whatever comes of it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_xact_user_tables "
            "WHERE relname <> 'consent_attempt'"
        )
        return int(cursor.fetchone()[0])


def contents(without: tuple[str, ...] = ()) -> dict[str, str]:
    """A digest of every table's rows, but of those named."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")
        names = [row[0] for row in cursor.fetchall() if row[0] not in without]
        rows = "SELECT '{0}', md5(coalesce(string_agg(row::text, '|' ORDER BY row::text), '')) FROM {0} AS row"
        cursor.execute(" UNION ALL ".join(rows.format(name) for name in names))
        return dict(cursor.fetchall())
