"""Signing in: a password, then a second factor, then a session that ends by itself.

Dangerous because who gets past here is taken for a member of the staff. The rules:

- A password alone opens nothing. What is still wanted is read from facts (`steps.wanted`), never from a page's history.
- A code of an authenticator works once, whoever brings it first: it is taken under a lock on its row (RFC 6238, 5.2).
- A recovery code works once; only its digest is kept. A passkey signs a challenge made for it, which is used up.
- A session is a row that ends: when nobody works (IDLE), after a day's work (LONGEST), from another place, or with the
  password, the factors and the rights it began with (StaffMember._get_session_auth_hash).
- Codes, secrets, passwords and keys of sessions never go into the audit, a log or an address.

Called by: config.sign_in (the pages), config.console (the gate), the command let_in.
Sources: policy clauses 28, 30; Rules of Order 179 (identification and authentication).
"""
