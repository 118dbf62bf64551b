"""What tables are made of: their common metadata, and columns that most of them have."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, MetaData, String

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def identity() -> Column[str]:
    """The primary key ``id``, a ULID."""
    return Column("id", String(26), primary_key=True)


def to(name: str, target: str, *, null: bool = False, key: bool = False) -> Column[str]:
    """A reference to the ``id`` of another table."""
    return Column(name, String(26), ForeignKey(f"{target}.id"), nullable=null, primary_key=key)
