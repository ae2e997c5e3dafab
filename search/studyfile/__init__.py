"""Study files: from YAML to a validated Study, every mistake with its place.

``reader`` goes through the sections (``space``, ``knobs``, ``goals``, ``budget``, ``plugins``, ``overrides``) and piles
up mistakes; ``yaml12`` reads YAML with places; ``schema`` describes the same for editors.
"""

from hpo.search.studyfile.reader import KEYS, find, read

__all__ = ["KEYS", "find", "read"]
