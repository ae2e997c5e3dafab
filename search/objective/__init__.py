"""Objectives: what a reference means, its knobs, and one trial as an iterator over its learning curve.

``describe`` and what it uses (``source``, ``annotations``, ``knobs``, ``live``) read an objective's source without
running it; ``training`` runs it, whether it is Python (``callback``) or a command line (``command``).
"""
