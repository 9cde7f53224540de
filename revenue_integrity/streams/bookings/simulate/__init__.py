"""Source systems of a software business, simulated: a CRM with deals, an ERP with revenue entries and billing, a general ledger.

Belongs here: what such systems would have sent, month by month, and the faults in it; how it is asked for stands in
``simulator``. Does not belong here: anything of the pipeline, which does not know that this exists; only pure helpers (months,
errors) and what every simulator needs (``streams.simulating``) are shared. What is due is computed here a second time, line by
line in plain integers, so that a mistake of the pipeline shows as a difference.
"""
