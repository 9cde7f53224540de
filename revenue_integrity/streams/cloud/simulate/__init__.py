"""Source systems of the cloud stream, simulated: a separate program that only writes files.

Belongs here: what billing feeds, FOCUS exports and invoices would have brought, and the faults in them. Does not belong here:
anything of the pipeline, which does not know that this exists; only what any simulator needs (text forms, batches) is shared
with the one of colocation. What each account-day costs in the end is added up here a second time, in integers, so that a
mistake of the pipeline shows as a difference.
"""

from revenue_integrity.streams.cloud.simulate.plan import read_plan
from revenue_integrity.streams.cloud.simulate.program import simulate

__all__ = ["read_plan", "simulate"]
