"""The life of a request of a person: received, confirmed, carried out or refused, answered on time.

`opening` lets it in, `verifying` finds out who asks, `handling` moves it on, `answering` ends it; `clock` knows its
last day, `counting` says how many and how late, `papers` keeps its texts under seal, `contacts` says where letters
go, `rectifying` corrects a value, `telling` puts into words what was noted in codes, `copying` builds the copy;
`anew` knows what must be confirmed once more, `already` what is so already. The only writers of SubjectRequest and
RequestStep. Which step may follow which the database knows.
"""
