"""Source systems of a data-centre operator, simulated: a separate program that only writes files.

Belongs here: what such systems would have sent, month by month, and the faults in it. Does not belong here: anything of
the pipeline, which does not know that this exists; only pure helpers (months, errors) are shared. What is due is
computed here a second time, in integers, so that a mistake of the pipeline shows as a difference.
"""

from revenue_integrity.streams.colocation.simulate.late import late_posting
from revenue_integrity.streams.colocation.simulate.program import Summary, simulate

__all__ = ["Summary", "late_posting", "simulate"]
