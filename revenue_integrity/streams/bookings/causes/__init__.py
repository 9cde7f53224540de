"""Root causes of what accounting recognized against what was due (40-bookings, *Causes*).

Belongs here: the causes of ``recognized_vs_schedule`` in order of precedence, with their sentences and evidence. Does not belong
here: what many streams' causes are found by (``close.causes``), the queries of what they look at (``recon``).

Words: *X* is what is due (the row's right side), *booked* is X and what no cause above has claimed; *n* is the number of
the row's entries, at least one. Amounts are equal within n cents, in moves within one cent. An entry that a cause rests on is
gone for those below. Variance = recognized − due.
"""
