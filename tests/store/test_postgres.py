"""What only a PostgreSQL server can do to a store."""

from __future__ import annotations

import os
import socket

import optuna
import pytest
from optuna.trial import TrialState
from stores import fresh_database, server

from hpo.search.store import open_store
from hpo.search.terms.errors import StoreError, UserError

optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.mark.postgres
def test_a_server_that_goes_away_ends_the_session_with_a_reason(cluster):
    import psycopg

    location = fresh_database(cluster)
    session = open_store(location).session("a", ["minimize"])
    session.study.ask()
    session.commit()
    with psycopg.connect(location, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid()"
        )
    session.study.tell(0, 1.0)
    with pytest.raises(StoreError, match="check the server and run again"):
        session.commit()
    with pytest.raises(StoreError, match="check the server and run again"):
        session.close()
    with open_store(location).session("a", ["minimize"]) as again:
        assert [trial.state for trial in again.study.get_trials()] == [TrialState.RUNNING]


@pytest.mark.postgres
def test_a_user_who_may_not_make_tables_is_told_so(cluster):
    import psycopg

    location = fresh_database(cluster)
    with psycopg.connect(location, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE guest{os.getpid()} LOGIN")
        connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        connection.execute(f"GRANT USAGE ON SCHEMA public TO guest{os.getpid()}")
    with pytest.raises(UserError, match="permission denied for schema public; give the user the right") as caught:
        open_store(location.replace("hpo:secret", f"guest{os.getpid()}:secret")).session("a", ["minimize"])
    assert "secret" not in str(caught.value)


@pytest.mark.postgres
def test_a_database_that_does_not_exist_is_named_without_the_password(cluster):
    with pytest.raises(UserError, match=r"postgresql://hpo@.*/missing: .*check host") as caught:
        open_store(f"postgresql://hpo:secret@/missing?host={cluster}").names()
    assert "secret" not in str(caught.value)


@pytest.mark.postgres
def test_tables_of_plain_optuna_take_steps_beyond_31_bits_from_the_first_run_on(cluster):
    location = fresh_database(cluster)
    study = optuna.create_study(study_name="plain", storage=location.replace("postgresql://", "postgresql+psycopg://"))
    study._storage._backend.remove_session()
    study._storage._backend.engine.dispose()
    with open_store(location).session("a", ["minimize"]) as session:
        trial = session.study.ask()
        trial.report(1.0, 2**63 - 1)
        session.commit()
    assert open_store(location).read("a").trials[0].intermediate_values == {2**63 - 1: 1.0}


@pytest.mark.postgres
def test_the_server_gives_a_lost_machine_less_than_a_minute(cluster):
    """Only sessions over TCP have keepalives, so this server listens on a port of its own."""
    psycopg = pytest.importorskip("psycopg")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with server(f"-c listen_addresses=127.0.0.1 -c port={port} -c fsync=off -c unix_socket_directories=''"):
        session = open_store(f"postgresql://hpo@127.0.0.1:{port}/postgres").session("a", ["minimize"])
        connection = session._sink._connection
        told = {
            name: connection.query(f"SHOW {name}")[0][0]
            for name in ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout")
        }
        with psycopg.connect(f"postgresql://hpo@127.0.0.1:{port}/postgres") as other:
            assert other.execute("SHOW tcp_keepalives_idle").fetchone() != (told["tcp_keepalives_idle"],)
        session.close()
    assert told == {
        "tcp_keepalives_idle": "20",
        "tcp_keepalives_interval": "10",
        "tcp_keepalives_count": "3",
        "tcp_user_timeout": "50000",
    }
