"""The life of a request of a person: received, confirmed, carried out or refused, answered on time.

`opening` lets it in, `verifying` finds out who asks, `handling` moves it on, `answering` ends it; `clock` knows its
last day, `counting` says how many and how late, `papers` keeps its texts under seal, `rectifying` corrects a value,
`copying` builds the copy. The only writers of SubjectRequest and RequestStep. Which step may follow which the database
knows.
"""
