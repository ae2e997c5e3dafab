"""The house: every folder of code on its floor, read top-down. A folder imports from the floors below its own only."""

from __future__ import annotations

FLOORS: tuple[tuple[str, ...], ...] = (
    ("search",),
    ("search/commands",),
    ("search/views", "search/commands/common"),
    ("search/engine",),
    ("objectives", "search/dashboard", "search/executors"),
    ("objectives/trainer", "objectives/estimators", "search/report", "search/executors/common"),
    (
        "objectives/data", "objectives/networks",
        "search/running", "search/studyfile", "search/samplers", "search/pruners", "search/policies",
    ),
    ("search/samplers/common", "search/pruners/common", "search/curves", "search/store", "search/describe"),
    ("search/contracts",),
    ("search/terms",),
)  # fmt: skip
