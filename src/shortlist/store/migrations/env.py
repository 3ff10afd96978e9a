"""Alembic's entry: runs the versions on the connection that `migrate.upgrade` hands over."""

from __future__ import annotations

from alembic import context

from shortlist.store.schema import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
