"""The server of ``hpo dashboard``: one process, one thread per request, standard library only."""

from __future__ import annotations

import errno
import ipaddress
import socket
import sys
from collections.abc import Callable
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from hpo.search.dashboard.guard import LOOPBACK, guard
from hpo.search.dashboard.live import Live
from hpo.search.terms.errors import UserError

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

    from hpo.search.store import Store


def serve(
    store: Store,
    *,
    port: int = 8080,
    host: str = "127.0.0.1",
    write: bool = False,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve optuna-dashboard over a store until Ctrl-C.

    There is no login: whoever reaches the address sees every study of the store, so only the own machine does unless
    ``host`` says otherwise.

    Args:
        store: where the studies live; made if missing, so that the dashboard can be opened before the first search.
        port: port to listen on; 0 takes any free one.
        host: name or address to listen on; ``0.0.0.0`` or ``::`` for all of the machine's.
        write: allow changes: notes, and the deletion of studies.
        ready: is given the address once it is served.

    Raises:
        UserError: the port or host cannot be used, or optuna-dashboard is not installed.
        StoreError: the store cannot be read.
    """
    server = _bind(host, port)
    try:
        server.set_app(_app(store, host, write))
        if ready is not None:
            ready(_address(host, server.server_port))
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()


class _Handler(WSGIRequestHandler):
    """Handler that logs no requests."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        # HTTPServer asks the name service for its own name, which without a network takes seconds.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # the browser has gone
            super().handle_error(request, client_address)


def _bind(host: str, port: int) -> _Server:
    """Listen before anything slow is done, so that a taken port is told at once."""
    if not 0 <= port <= 65535:
        raise UserError(f"--port {port}: a port is a number from 0 (any free one) to 65535")
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        server_class = type("_Server", (_Server,), {"address_family": family})
        server: _Server = server_class(address, _Handler)
    except OSError as error:
        raise UserError(_unusable(host, port, error)) from None
    return server


def _unusable(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        other = port + 1 if port < 65535 else port - 1
        return (
            f"port {port} is in use, perhaps by another dashboard; "
            f"choose another: --port {other}, or --port 0 for any free one"
        )
    if error.errno == errno.EACCES:
        return f"no permission to listen on port {port}; choose one above 1023, such as --port 8080"
    return f"cannot listen on {host!r} ({error.strerror or error}); the dashboard's usual address is 127.0.0.1"


def _app(store: Store, host: str, write: bool) -> WSGIApplication:
    try:
        live = Live(store)
    except ImportError as error:
        raise UserError(f"optuna-dashboard cannot be loaded ({error}); pip install 'optuna-dashboard>=0.21'") from error
    everywhere = _everywhere(host)
    hosts = LOOPBACK | ({socket.gethostname().lower(), socket.getfqdn().lower()} if everywhere else {host.lower()})
    return guard(live, live.complete, write=write, hosts=hosts, addresses=everywhere)


def _everywhere(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return not host


def _address(host: str, port: int) -> str:
    name = socket.gethostname() if _everywhere(host) else host
    return f"http://[{name}]:{port}/" if ":" in name else f"http://{name}:{port}/"
