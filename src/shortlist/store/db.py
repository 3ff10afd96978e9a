"""The database as a machine: opening, the two doors, and who may write when.

`transaction()` and `snapshot()` are the only places that commit. On SQLite all writers of a
process pass one first-come-first-served turnstile and read-only connections serve everyone else;
on PostgreSQL the server does both. Nothing here knows a feature.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Protocol, TypeVar, TypeVarTuple, overload

from sqlalchemy import (
    URL,
    Connection,
    CursorResult,
    Engine,
    Executable,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import QueuePool
from sqlalchemy.sql.selectable import TypedReturnsRows

from shortlist import logs
from shortlist.errors import ConfigFault, Unavailable
from shortlist.store.faults import may_retry, told, translated
from shortlist.store.group import GroupCommit
from shortlist.store.memory import Memory
from shortlist.store.wake import CHANNEL, LISTEN_SECONDS, Wake, listen

T = TypeVar("T")
Columns = TypeVarTuple("Columns")
Parameters = Mapping[str, object] | Sequence[Mapping[str, object]]

SAFE_SQLITE: Final = (3, 51, 3)
"""Before it a checkpoint racing a write could corrupt the file (sqlite.org, "WAL-reset bug")."""

TREE_LOCK: Final = 7_201
JOURNAL_LOCK: Final = 7_202
RETRIES: Final = 3
READERS: Final = 8
BUSY_MS: Final = 10_000

log = logs.get("store")
_open_here: ContextVar[bool] = ContextVar("transaction_open", default=False)


def sqlite_module() -> ModuleType:
    """The newest SQLite there is: the wheel's where it has one, else the interpreter's own."""
    try:
        return import_module("pysqlite3.dbapi2")
    except ImportError:
        return import_module("sqlite3")


class Turnstile:
    """A lock passed on in order of arrival; a plain lock lets one thread starve for seconds."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held = False
        self._waiting: deque[threading.Event] = deque()

    def __enter__(self) -> None:
        with self._guard:
            if not self._held:
                self._held = True
                return
            turn = threading.Event()
            self._waiting.append(turn)
        turn.wait()

    def __exit__(self, *_: object) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._held = False


class Tx:
    """One open transaction: statements in, rows out."""

    __slots__ = ("_connection", "announced", "memory", "postgresql")

    def __init__(self, connection: Connection, memory: Memory) -> None:
        self._connection = connection
        self.memory = memory
        self.announced = False
        self.postgresql = connection.dialect.name == "postgresql"

    @overload
    def execute(
        self, statement: TypedReturnsRows[*Columns], parameters: Parameters | None = None
    ) -> CursorResult[*Columns]: ...

    @overload
    def execute(
        self, statement: Executable, parameters: Parameters | None = None
    ) -> CursorResult[*tuple[Any, ...]]: ...

    def execute(
        self, statement: Executable, parameters: Parameters | None = None
    ) -> CursorResult[*tuple[Any, ...]]:
        """Runs one statement; a typed `select` gives typed rows."""
        return self._connection.execute(statement, parameters)

    def lock_tree(self) -> None:
        """Lets one transaction at a time change who may be a parent.

        Claims, kills, results and gates take it first, so that a decision and a kill have an
        order. SQLite's single writer already gives one.
        """
        if self.postgresql:
            self._connection.execute(_LOCK, {"key": TREE_LOCK})

    def announce(self) -> None:
        """Called before each journal row: numbers grow in commit order, and listeners are woken."""
        if self.announced:
            return
        self.announced = True
        if self.postgresql:
            self._connection.execute(_ANNOUNCE, {"key": JOURNAL_LOCK})

    def mark(self) -> None:
        """Begins a part that can fail alone."""
        self._connection.exec_driver_sql("SAVEPOINT part")

    def drop_mark(self) -> None:
        """Ends the part. While it is open SQLite keeps a copy of each page as it was."""
        self._connection.exec_driver_sql("RELEASE SAVEPOINT part")

    def back_to_mark(self) -> None:
        """Undoes the part; raises where the database has undone the whole transaction already."""
        self._connection.exec_driver_sql("ROLLBACK TO SAVEPOINT part")
        self.drop_mark()


_LOCK = text("SELECT pg_advisory_xact_lock(:key)")
_NOTIFY = text(f"NOTIFY {CHANNEL}")
_ANNOUNCE = text(f"SELECT pg_advisory_xact_lock(:key), pg_notify('{CHANNEL}', '')")


class Database:
    """One database, SQLite file or PostgreSQL server, behind two doors."""

    def __init__(self, url: URL, *, writer: Engine, reader: Engine) -> None:
        self.url = url
        self._writer = writer
        self._reader = reader
        self.sqlite = url.get_backend_name() == "sqlite"
        self._turn = Turnstile() if self.sqlite else nullcontext()
        self._group = GroupCommit(self.transaction)
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="submitted")
        self.wake = Wake()
        self.memory = Memory()
        self._stop = threading.Event()
        self._listener = threading.Thread(
            target=listen, args=(writer, self.wake), kwargs={"stop": self._stop}, daemon=True
        )
        if not self.sqlite:
            self._listener.start()

    @classmethod
    def open(cls, location: str) -> Database:
        """Opens a SQLAlchemy URL or a plain SQLite path; creates the SQLite file when missing.

        Raises `ConfigFault` for a URL of another kind or a path that can't be opened.
        """
        url = database_url(location)
        if url.get_backend_name() == "sqlite":
            make_file(Path(url.database or ""))
            writer = _sqlite_writer(url)
            with translated(), writer.connect():
                pass  # the first connection turns the log on; a reader before it would lock it out
            return cls(url, writer=writer, reader=_sqlite_reader(url))
        engine = _postgresql(url)
        return cls(url, writer=engine, reader=engine)

    @contextmanager
    def transaction(self) -> Iterator[Tx]:
        """A read-write transaction: commits when the block ends, rolls back when it raises."""
        if _open_here.get():
            raise RuntimeError("a transaction is already open in this thread")
        token = _open_here.set(True)
        try:
            with translated(), self._turn, self._writer.begin() as connection:
                tx = Tx(connection, self.memory)
                yield tx
        finally:
            _open_here.reset(token)
        if tx.announced:
            self.wake.ring()

    @contextmanager
    def snapshot(self) -> Iterator[Tx]:
        """A read-only view of one moment."""
        with translated(), self._reader.connect() as connection:
            if self.sqlite:
                yield Tx(connection, self.memory)
                return
            with connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            ).begin():
                yield Tx(connection, self.memory)

    def run(self, act: Callable[[Tx], T]) -> T:
        """`act` in a transaction of its own, again (3 times at most) when PostgreSQL says so."""
        for attempt in range(RETRIES):
            try:
                with self.transaction() as tx:
                    return act(tx)
            except DBAPIError as error:
                if not may_retry(error):
                    raise
                if attempt + 1 == RETRIES:
                    raise Unavailable(
                        "Others changed the same rows each time; try again in a moment."
                    ) from error
                log.info("transaction_retried", attempt=attempt + 1)
                time.sleep(0.01 * (attempt + 1))
        raise AssertionError("unreachable")

    def submit(self, act: Callable[[Tx], T]) -> Future[T]:
        """`act` in a transaction, soon; on SQLite those that wait together share a commit."""
        return self._group.submit(act) if self.sqlite else self._threads.submit(self.run, act)

    def checkpoint(self) -> None:
        """Moves the write-ahead log into the file now, while nobody waits."""
        if not self.sqlite:
            return
        try:
            with self._turn, closing(self._writer.raw_connection()) as connection:
                connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)")
        except sqlite_module().Error as error:  # the driver's own, past SQLAlchemy
            raise told(error) from error

    def close(self) -> None:
        """Does what was submitted, ends the listener and lets go of all connections."""
        self._group.close()
        self._threads.shutdown()
        self._stop.set()
        if self._listener.is_alive():
            with suppress(SQLAlchemyError), self._writer.begin() as connection:
                connection.execute(_NOTIFY)
            self._listener.join(LISTEN_SECONDS)
        self._reader.dispose()
        self._writer.dispose()


def database_url(location: str) -> URL:
    """`location` as a URL; a value without a scheme is the path of a SQLite file."""
    if "://" not in location:
        return URL.create("sqlite", database=str(Path(location).expanduser()))
    try:
        url = make_url(location)
    except ArgumentError as error:
        raise ConfigFault(
            "The database URL can't be read; write sqlite:///path or postgresql://user@host/name."
        ) from error
    if url.get_backend_name() == "sqlite":
        return url
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    raise ConfigFault(
        f"Databases of kind {url.get_backend_name()} are not supported; use SQLite or PostgreSQL."
    )


def _sqlite_writer(url: URL) -> Engine:
    return sqlite_engine(
        url,
        begin="BEGIN IMMEDIATE",
        pragmas=(
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "mmap_size = 0",
            "cache_size = -65536",
            "wal_autocheckpoint = 16000",  # for a rush; else the log is emptied while nobody writes
        ),
    )


def _sqlite_reader(url: URL) -> Engine:
    path = Path(url.database or "").absolute()  # as a URI: a folder may be called "50% #1"
    read_only = url.set(database=path.as_uri(), query={"mode": "ro", "uri": "true"})
    return sqlite_engine(read_only, begin="BEGIN", pragmas=("cache_size = -16384",), size=READERS)


def sqlite_engine(url: URL, *, begin: str, pragmas: Sequence[str], size: int = 1) -> Engine:
    """An engine of at most 2 x `size` connections, each set up by `pragmas`.

    Every transaction begins with `begin`: left to the driver, it would open only at the first
    write, and the reads before it would be stale.
    """
    engine = create_engine(
        url,
        module=sqlite_module(),
        poolclass=QueuePool,
        pool_size=size,
        max_overflow=size,
        connect_args={"check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def connect(connection: _Connection, _: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (f"busy_timeout = {BUSY_MS}", *pragmas):
            cursor.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def open_transaction(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def make_folder(path: Path) -> None:
    """Makes `path` readable by its owner alone. Raises `ConfigFault` when it can't be made."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigFault(f"The folder {path} can't be made: {error.strerror}.") from error


def make_file(path: Path) -> None:
    """Makes an empty file, and its folder, for their owner alone; one that is there stays as it is.

    SQLite gives its log the rights of the database. What can't be made it tells itself.
    """
    make_folder(path.parent)
    with suppress(OSError):
        path.touch(mode=0o600, exist_ok=False)


class _Cursor(Protocol):
    def execute(self, statement: str) -> object: ...


class _Connection(Protocol):
    """What is used of the driver's own connection, for the type checker."""

    isolation_level: str | None

    def cursor(self) -> _Cursor: ...


def _postgresql(url: URL) -> Engine:
    try:
        return create_engine(
            url,
            pool_size=READERS,
            max_overflow=READERS,
            pool_pre_ping=True,
            connect_args={
                "options": "-c idle_in_transaction_session_timeout=60s -c statement_timeout=30s"
            },
        )
    except ImportError as error:
        raise ConfigFault(
            "PostgreSQL needs its driver; install it with: pip install 'shortlist[postgres]'."
        ) from error
