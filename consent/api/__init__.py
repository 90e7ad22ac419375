"""Doors for programs, without a page and without a cookie: a key, an address, an answer in JSON or lines.

- The key stands in `Authorization: Bearer`, never in an address, which would be in logs.
- What is wrong is said by a code in `{"error": …}`, in no language and with nothing of what was sent.
- Tries are counted from a network and with a key (consent.limits); answers are kept by nobody.

Called by: config.urls. For whoever writes such a program: docs/mailing-lists.md.
"""
