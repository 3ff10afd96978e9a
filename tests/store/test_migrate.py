"""Databases of other versions: brought up to date whole, or refused with a sentence."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, select, text

from builders import NOW
from shortlist.domain.model import Pin
from shortlist.errors import ConfigFault
from shortlist.services import overview, runs, selection
from shortlist.store import migrate
from shortlist.store.db import Database, sqlite_module
from shortlist.store.db import database_url as as_url
from shortlist.store.schema import Base, ImageCandidate, ImageFile, PipelineRunStep

BEFORE_GATES = Path(__file__).parent.parent / "data" / "databases" / "0001.sql"


@pytest.fixture
def before_gates(tmp_path: Path) -> Path:
    """A SQLite file as the version before gates left it: two runs, five images."""
    path = tmp_path / "before.db"
    with closing(sqlite_module().connect(path)) as connection:
        connection.executescript(BEFORE_GATES.read_text("utf-8"))
    return path


@pytest.fixture
def opened(before_gates: Path) -> Database:
    migrate.upgrade(str(before_gates))
    return Database.open(str(before_gates))


@pytest.mark.filterwarnings("ignore:autogenerate skipping")
def test_the_migrations_make_exactly_the_schema_of_the_code(empty_database_url: str) -> None:
    migrate.upgrade(empty_database_url)
    engine = create_engine(empty_database_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found = compare_metadata(context, Base.metadata)
    engine.dispose()
    # SQLite can't read back an index whose columns are sorted downwards
    assert [d for d in found if getattr(d[1], "name", "") != "ix_candidate_ranking"] == []


def test_a_run_from_before_gates_is_approved_at_every_step_and_grows_on(opened: Database) -> None:
    with opened.snapshot() as tx:
        gates = tx.execute(select(PipelineRunStep.pipeline_run_id, PipelineRunStep.approved)).all()
        grows = selection.choose(tx, seed=1)
    assert [tuple(row) for row in gates] == [(1, True)] * 4 + [(2, True)] * 4
    assert grows is not None
    assert (grows.run_id, grows.reason.step_order, grows.reason.parent_id) == (1, 4, 4)
    opened.close()


def test_nothing_that_was_there_is_lost_or_changed(opened: Database) -> None:
    with opened.snapshot() as tx:
        images = tx.execute(
            select(ImageCandidate.id, ImageCandidate.path, ImageCandidate.advances).order_by(
                ImageCandidate.id
            )
        ).all()
        files = tx.execute(
            select(ImageFile.candidate_id, ImageFile.content_hash, ImageFile.image_path).order_by(
                ImageFile.candidate_id
            )
        ).all()
        names = [run.name for run in overview.views(tx)]
        ways = {(run.rating, run.policy) for run in overview.views(tx)}
    assert [tuple(row) for row in images] == [
        (1, "/", True),
        (2, "/1/", True),
        (3, "/1/", True),
        (4, "/1/2/", True),
        (5, "/", True),
    ]
    assert [id for id, _, _ in files] == [1, 2, 3, 4, 5]
    assert all(path.endswith(f"{hash}.png") and len(hash) == 64 for _, hash, path in files)
    assert names == ["Run 1", "Run 2"]
    assert ways == {("elo", "right_to_left")}
    opened.close()


WITH_LONG_ROWS = (
    "INSERT INTO pipeline (id, name, version, description, created_at) "
    "VALUES (1, 'Portrait', 1, '', '2026-01-01 00:00:00')",
    'INSERT INTO pipeline_step (id, pipeline_id, name, "order", comfy_workflow_json, bindings, '
    "gate) VALUES (1, 1, 'Base', 1, '{}', '{}', 'auto')",
    "INSERT INTO pipeline_run (id, pipeline_id, name, prompt, negative_prompt, parameters, "
    "max_children, target_leaves, base_count, policy, rating, priority, status, last_order, gated, "
    "base_failures, time_zone, created_at) VALUES (1, 1, 'Run', '', '', '{}', 1, 1, 1, "
    "'right_to_left', 'elo', 0, 'active', 1, false, 0, 'UTC', '2026-01-01 00:00:00')",
    "INSERT INTO candidate (id, pipeline_run_id, pipeline_step_id, step_order, path, status, "
    "rejected_ancestors, elo_score, vote_count, child_count, reserved, child_limit, failures, "
    "advances, pin, stars, image_path, content_hash, media_type, width, height, size_bytes, "
    "thumbhash, regions, seed, job_id, output_index, created_at) VALUES (7, 1, 1, 1, '/', "
    "'active', 0, 1016.5, 1, 0, 0, 1, 0, true, 'always', 4, 'ab/cd.png', 'cd', 'image/png', 8, "
    "9, 10, 'aa', '[]', 5, 3, 0, '2026-01-01 00:00:00')",
)


def test_what_an_image_was_born_with_moves_to_a_row_of_its_own(empty_database_url: str) -> None:
    migrate.upgrade(empty_database_url, revision="0006")
    engine = create_engine(as_url(empty_database_url))
    with engine.begin() as connection:
        for statement in WITH_LONG_ROWS:
            connection.execute(text(statement))
    engine.dispose()
    migrate.upgrade(empty_database_url)
    database = Database.open(empty_database_url)
    with database.snapshot() as tx:
        image = tx.execute(select(*ImageCandidate.__table__.columns)).one()
        file = tx.execute(select(*ImageFile.__table__.columns)).one()
    database.close()
    assert (image.id, image.elo_score, image.pin, image.stars) == (7, 1016.5, Pin.ALWAYS, 4)
    assert (file.candidate_id, file.image_path, file.seed, file.job_id) == (7, "ab/cd.png", 5, 3)
    assert (file.width, file.height, file.size_bytes, file.output_index) == (8, 9, 10, 0)


A_FAMILY = (
    "INSERT INTO candidate (id, pipeline_run_id, pipeline_step_id, step_order, parent_id, path, "
    "status, rejected_ancestors, elo_score, vote_count, child_count, reserved, child_limit, "
    "failures, advances) VALUES "
    "(7, 1, 1, 1, NULL, '/', 'active', 0, 1000, 0, 1, 0, 2, 0, true), "
    "(8, 1, 1, 1, 7, '/7/', 'rejected', 0, 1000, 0, 1, 0, 2, 0, true), "
    "(9, 1, 1, 1, 8, '/7/8/', 'active', 1, 1000, 0, 0, 0, 2, 0, true)"
)


def test_who_was_dead_before_is_buried(empty_database_url: str) -> None:
    migrate.upgrade(empty_database_url, revision="0007")
    engine = create_engine(as_url(empty_database_url))
    with engine.begin() as connection:
        for statement in (*WITH_LONG_ROWS[:-1], A_FAMILY):
            connection.execute(text(statement))
    engine.dispose()
    migrate.upgrade(empty_database_url)
    database = Database.open(empty_database_url)
    with database.snapshot() as tx:
        buried = select(ImageCandidate.id).where(ImageCandidate.buried)
        assert set(tx.execute(buried).scalars()) == {8, 9}
    database.close()


def test_a_run_from_before_gates_can_still_be_changed(opened: Database) -> None:
    with opened.transaction() as tx:
        runs.change(tx, 2, runs.Change(status=runs.RunStatus.ACTIVE, max_children=5), now=NOW)
    with opened.snapshot() as tx:
        assert overview.view(tx, 2).max_children == 5
    opened.close()


def test_an_upgrade_keeps_a_copy_of_the_file_as_it_was(before_gates: Path) -> None:
    upgraded = migrate.upgrade(str(before_gates))
    assert upgraded.backup is not None
    with closing(sqlite_module().connect(upgraded.backup)) as copy:
        assert copy.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)
        assert copy.execute("SELECT count(*) FROM candidate").fetchone() == (5,)


def test_an_upgrade_tried_again_keeps_a_copy_of_what_was_done_since(before_gates: Path) -> None:
    earlier = before_gates.with_name(f"{before_gates.name}.0001.backup")
    shutil.copy(before_gates, earlier)
    with closing(sqlite_module().connect(before_gates)) as file:
        file.execute("UPDATE pipeline_run SET name = 'Renamed since' WHERE id = 1")
        file.commit()
    assert migrate.upgrade(str(before_gates)).backup == earlier
    with closing(sqlite_module().connect(earlier)) as copy:
        names = copy.execute("SELECT name FROM pipeline_run WHERE id = 1").fetchall()
    assert names == [("Renamed since",)]
    assert earlier.stat().st_mode & 0o077 == 0 or os.name == "nt"
    assert not list(before_gates.parent.glob("*.part"))


def test_a_second_upgrade_does_nothing(before_gates: Path) -> None:
    migrate.upgrade(str(before_gates))
    again = migrate.upgrade(str(before_gates))
    assert (again.before, again.after, again.backup) == (migrate.head(), migrate.head(), None)


def test_data_of_a_newer_version_is_refused_and_left_alone(database_url: str) -> None:
    database = Database.open(database_url)
    with database.transaction() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(ConfigFault, match="newer version of Shortlist"):
        migrate.upgrade(database_url)


@pytest.mark.parametrize(
    ("location", "sentence"),
    [
        ("mysql://localhost/x", "use SQLite or PostgreSQL"),
        ("postgresql://127.0.0.1:9/none", "check its address"),
        ("/proc/none/x.db", "can't be made"),
    ],
)
def test_a_database_that_cannot_be_used_is_told_in_a_sentence(location: str, sentence: str) -> None:
    with pytest.raises(ConfigFault, match=sentence):
        migrate.upgrade(location)


def test_an_upgrade_that_fails_half_way_changes_nothing(
    before_gates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConfigFault("stopped")

    check: Callable[..., None] = refuse
    monkeypatch.setattr(migrate, "_check", check)
    with pytest.raises(ConfigFault, match="stopped"):
        migrate.upgrade(str(before_gates))
    with closing(sqlite_module().connect(before_gates)) as file:
        assert file.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)
        columns = [row[1] for row in file.execute("PRAGMA table_info(candidate)")]
    assert "advances" not in columns
