"""Where a command's data is: flags that every command has, and the settings made of them.

Imports nothing heavy, so that help is quick.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import Parameter

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from shortlist.settings import Settings


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the data is.

    Parameters
    ----------
    data
        Folder of the database, the images and shortlist.toml.
    config
        Settings file; shortlist.toml in the data folder when left out.
    database
        SQLite path or PostgreSQL URL; shortlist.db in the data folder when left out.
    images
        Folder or s3://bucket/prefix; images in the data folder when left out.
    """

    data: Path | None = None
    config: Path | None = None
    database: str | None = None
    images: str | None = None


ANYWHERE = Place()


def settings_of(place: Place, *groups: DataclassInstance) -> Settings:
    """The settings, with what the flags of `place` and further dataclasses say above all else."""
    from shortlist.settings import load

    given = {
        field.name: getattr(group, field.name)
        for group in (place, *groups)
        for field in fields(group)
    }
    config = given.pop("config")
    return load(given, config=config)
