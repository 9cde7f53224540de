"""Why sales and what is set against them differ: the causes of each reconciliation, in order of precedence.

Belongs here: these causes and what they look at. Does not belong here: how claims are taken and ends of moves found
(``close.causes``), the sides themselves (``sql/recon``).
"""
