"""Django's PostgreSQL, but for the look at a kept session before it is used again: it costs no question."""

import select

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    def is_usable(self) -> bool:
        """Whether the server is still there. One that ended the session has said so, or hung up: there is something to
        read then, and only then it is asked."""
        if self.connection is None or self.connection.closed:
            return False
        socket = select.poll()
        socket.register(self.connection.fileno(), select.POLLIN)
        return not socket.poll(0) or super().is_usable()
