"""How Alembic reaches the ledger's tables; it is always handed an open connection."""

from alembic import context

from dicomnode.tables import metadata


def is_ours(_item: object, name: str | None, kind: str, _reflected: object, _compared: object) -> bool:
    """Whether a table is the ledger's: the durable engine keeps its own in the same database."""
    return kind != "table" or name in metadata.tables


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    include_object=is_ours,
    version_table="ledger_version",
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
