"""The life of a breach of the security of personal data: entered, its people counted, the authorised body told, closed.

Dangerous because a breach that is not entered, or told a day late, is a second breach; and because the register itself
lists people. The rules:

- Texts name nobody: an address or a number in them is refused (`texts`). Whose data it was is said by references.
- What was entered stays, and the moment of discovery with it: the term of the notice counts from there. What is learnt
  later is a note. Notes, sources and people are only added, while the incident is open.
- How many people is computed, never typed: each source is a question to the audit or the registry, kept with its
  parameters and its answer, and its people come with one statement (`sources`). What is kept is what was shown.
- Nobody closes an incident before the notice was sent, except by two people: one states why none is due, another
  closes. The database says the same; a closed incident is frozen, none is ever deleted.

`opening` lets it in, `sources` finds whose data, `acts` moves it on; `clock` knows the last day of the notice. The only
writers of Incident and what hangs on it.

Called by: the console; `clock.recount` whenever the calendar changes.
Sources: Law 94-V art. 25(2)(8); Rules 481/НҚ p. 4 (V2400034919); policy clauses 18, 20.
"""
