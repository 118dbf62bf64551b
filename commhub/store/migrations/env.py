"""Run by Alembic. The hub hands in its connection; the whole way up is one transaction."""

from __future__ import annotations

from alembic import context

from commhub.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
with connection.begin(), context.begin_transaction():
    context.run_migrations()
