"""The causes that every stream has, by their labels; which others there are is declared with each reconciliation.

Belongs here: these words. Does not belong here: how a cause is found.
"""

UNEXPLAINED = "unexplained"
"""What no cause claims."""

LATE_POSTING = "late_posting"
"""What was posted after the cutoff, in the view as of close."""

ROUNDING = "rounding"
"""Rests of at most a cent per item."""

TIMING = "timing"
"""The family of causes that time cures."""
