"""What a process of this program sets for itself when it begins.

Belongs here: settings of the interpreter. Does not belong here: settings of a deployment (``settings``).
"""

import gc

_OBJECTS = 50_000
"""New objects from which the interpreter looks for garbage; its own default is some hundreds."""


def collect_garbage_rarely() -> None:
    """Have the interpreter look for cyclic garbage less often.

    Modules and definitions, a million objects, are made when a process begins and stay: looking through them again and again
    while they come takes a tenth of a short command. Volume is the engine's and Arrow's, which this does not concern.
    """
    gc.set_threshold(_OBJECTS)
