"""Source systems of the cloud stream, simulated: a separate program that only writes files.

Belongs here: what billing feeds, FOCUS exports and invoices would have brought, and the faults in them; how it is asked for
stands in ``simulator``. Does not belong here: anything of the pipeline, which does not know that this exists; only what every
simulator needs (``streams.simulating``) is shared. What each account-day costs in the end is added up here a second time, in
integers, so that a mistake of the pipeline shows as a difference.
"""
