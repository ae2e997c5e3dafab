"""What stands between the dashboard and the network.

The dashboard trusts whoever reaches its port: it has no read-only mode, answers to any host name (so a web page whose
name is rebound to 127.0.0.1 can read and delete studies), serves artifacts as pages of its own origin, and sends
plots of hundreds of megabytes.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from optuna.trial import FrozenTrial

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
PLOT_LIMIT = 25_000_000
"""Bytes that a plot made by the server may have."""

_PLOT = re.compile(r"/api/studies/(\d+)/plot/(contour|rank)/*")
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)\.?)(?::([0-9]{1,5}))?", re.ASCII)
_ALWAYS = (("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "SAMEORIGIN"))
_ARTIFACT = (("Content-Disposition", "attachment"), ("Content-Security-Policy", "sandbox; default-src 'none'"))


def guard(
    app: WSGIApplication,
    complete: Callable[[int], Sequence[FrozenTrial]],
    *,
    write: bool = False,
    hosts: Collection[str] = LOOPBACK,
    addresses: bool = False,
) -> WSGIApplication:
    """Let through to the dashboard only what is safe.

    Args:
        app: the dashboard.
        complete: gives the complete trials of a study by its id, from which the size of a plot follows.
        write: allow changes, when they come from the dashboard's own pages, of the same address and port.
        hosts: names and addresses it may be called by, lower case, without ports (a tunnel may change those).
        addresses: allow any numeric address too, for a server that listens on all of them; only names can be rebound.
    """

    def allowed(host: str) -> bool:
        return host in hosts or (addresses and _numeric(host))

    def refusal(environ: WSGIEnvironment) -> tuple[str, str] | None:
        given = environ.get("HTTP_HOST", "")
        called = _authority(given)
        if called is None or not allowed(called[0]):
            return "403 Forbidden", (
                f"this dashboard does not answer to the name {given!r}, which could be a foreign page's; "
                "open it by the address it printed, from another machine through a tunnel: "
                "ssh -L 8080:localhost:8080 MACHINE"
            )
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            if not write:
                return "405 Method Not Allowed", "this dashboard is read-only; start it with: hpo dashboard --write"
            origin = environ.get("HTTP_ORIGIN")
            if origin is not None and (not origin.startswith("http://") or _authority(origin[7:]) != called):
                return "403 Forbidden", f"changes are taken from the dashboard's own pages only, not from {origin}"
        plot = _PLOT.fullmatch(environ.get("PATH_INFO", ""))
        if plot is not None:
            return _oversized(complete(int(plot[1])), plot[2])
        return None

    def guarded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        refused = refusal(environ)
        if refused is not None:
            return _refuse(environ, start_response, *refused)
        artifact = environ.get("PATH_INFO", "").lstrip("/").startswith("artifacts/")

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            return start_response(status, _secured(headers, artifact), *error)

        return app(environ, start)

    return guarded


def plot_size(trials: Sequence[FrozenTrial], kind: str) -> int:
    """Bytes of the plot ``contour`` or ``rank`` of complete trials, within a fifth.

    For each pair of parameters a contour plot has a cell for every two values (13 bytes each in optuna-dashboard 0.21
    with plotly 6), a rank plot a point for every trial (300 bytes).
    """
    values: dict[str, set[Any]] = {}
    for trial in trials:
        for name, value in trial.params.items():
            values.setdefault(name, set()).add(value)
    if kind == "rank":
        return 300 * len(trials) * len(values) ** 2
    counts = [len(known) for known in values.values()]
    return 13 * (sum(counts) ** 2 - sum(count**2 for count in counts))


def _oversized(trials: Sequence[FrozenTrial], kind: str) -> tuple[str, str] | None:
    size = plot_size(trials, kind)
    if size <= PLOT_LIMIT:
        return None
    return "422 Unprocessable Content", (
        f"a {kind} plot of {len(trials)} trials would have {size / 1e6:,.0f} MB, more than a browser can draw; "
        "see the slice and parallel coordinate plots"
    )


def _authority(text: str) -> tuple[str, int] | None:
    """Host, lower case, and port of ``host:port``, 80 without one; None where it is not exactly that.

    >>> _authority("[::1]:8080"), _authority("LocalHost."), _authority("[::1].evil.com"), _authority("a@localhost")
    (('::1', 8080), ('localhost', 80), None, None)
    """
    found = _HOST.fullmatch(text)
    if found is None:
        return None
    port = int(found[3] or 80)
    return ((found[1] or found[2]).lower(), port) if port <= 65535 else None


def _numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _secured(headers: Iterable[tuple[str, str]], artifact: bool) -> list[tuple[str, str]]:
    """Headers with ours added; an artifact is a file to save, never a page of this origin, and of no use elsewhere."""
    added = _ALWAYS + _ARTIFACT if artifact else _ALWAYS
    replaced = {name.lower() for name, _ in added} | {"access-control-allow-origin"}
    return [header for header in headers if header[0].lower() not in replaced] + list(added)


def _refuse(environ: WSGIEnvironment, start_response: StartResponse, status: str, reason: str) -> list[bytes]:
    body = json.dumps({"reason": reason}).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    if status.startswith("405"):
        headers.append(("Allow", "GET, HEAD"))
    start_response(status, _secured(headers, artifact=False))
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
