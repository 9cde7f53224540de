"""Root causes of what the ERP billed and booked against what was due (20-close, *Root causes*).

Belongs here: the causes of the stream, in order of precedence, with their sentences and evidence. Does not belong here: what many
streams' causes are found by (``close.causes``), the queries of what they look at (``recon``).

Quantities and prices are whole millionths, so every comparison is exact. Variance = ERP − expected.
"""
