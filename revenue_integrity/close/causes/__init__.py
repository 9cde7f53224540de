"""Why two sides differ: taking causes in order of precedence, and a library of what such causes are found by, over frames.

Belongs here: what many streams' causes have in common: moves, duplicates, credits, other readings, amounts that are mistyped,
rounding, what is missing, the rest as price and quantity. Does not belong here: any stream's causes, their order and their
sentences (each stream's ``causes``), reading and writing tables (``reconcile``).

``explaining`` says what rows and items must offer; each module says which further columns it looks at. Everything is a
function from frames to frames: no frame is changed, and neither the order of rows nor the names of documents move a cent.
"""
