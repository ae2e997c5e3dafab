"""One study from its first trial to its winner.

``run`` is the order of things, ``loop`` the search, ``ledger`` the trials in memory and in the store, ``ask`` the draw
of a recipe, ``confirm`` and ``winner`` the verdict.
"""
