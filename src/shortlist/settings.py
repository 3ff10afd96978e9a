"""What a person sets: by flag, by environment (`SHORTLIST_…`), or in `shortlist.toml`.

The only reader of the environment and of that file. A flag wins over the environment, the
environment over the file. Rooms never see settings: the hub hands them values.
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from shortlist.domain.model import (
    DEFAULT_BASE_COUNT,
    DEFAULT_MAX_CHILDREN,
    DEFAULT_TARGET_LEAVES,
)
from shortlist.errors import ConfigFault

PREFIX: Final = "SHORTLIST_"
FILE_NAME: Final = "shortlist.toml"
SHORTEST_TOKEN: Final = 16
"""Characters; shorter ones can be guessed over a network in reasonable time."""


class LogFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


def data_folder() -> Path:
    """Where this platform keeps the data of a person's programs."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", "~/AppData/Local")).expanduser() / "Shortlist"
    if sys.platform == "darwin":
        return Path("~/Library/Application Support/Shortlist").expanduser()
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "shortlist"


def _listed(value: object) -> object:
    """In the environment a list is written with commas."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def _hosts(value: tuple[str, ...]) -> tuple[str, ...]:
    for name in value:
        if not name or (any(c in name for c in "/:@ *") and not name.startswith("[")):
            raise ValueError(f"{name!r} is no host name; write it without a scheme and a port")
    return tuple(name.lower() for name in value)


class Settings(BaseSettings):
    """All settings, each with its default. `database` and `images` default to the data folder."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", frozen=True, validate_default=False
    )

    data: Path = Field(default_factory=data_folder)
    database: str | None = None
    images: str | None = None
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8787
    token: SecretStr | None = None
    allow_host: Annotated[
        tuple[str, ...], NoDecode, BeforeValidator(_listed), AfterValidator(_hosts)
    ] = ()
    lookahead: Annotated[int, Field(ge=1, le=16)] = 2
    max_children: Annotated[int, Field(ge=1, le=1_000)] = DEFAULT_MAX_CHILDREN
    target_leaves: Annotated[int, Field(ge=1, le=100_000)] = DEFAULT_TARGET_LEAVES
    base_count: Annotated[int, Field(ge=1, le=100_000)] = DEFAULT_BASE_COUNT
    log_format: LogFormat = LogFormat.TEXT
    log_level: LogLevel = LogLevel.INFO

    @property
    def database_location(self) -> str:
        """A SQLite path or a database URL."""
        return self.database or str(self.data.expanduser() / "shortlist.db")

    @property
    def images_location(self) -> str:
        """A folder or an `s3://` address."""
        return self.images or str(self.data.expanduser() / "images")

    @property
    def wildcards_location(self) -> Path:
        """The folder of wildcard files for prompts."""
        return self.data.expanduser() / "wildcards"

    @property
    def secret(self) -> str | None:
        return None if self.token is None else self.token.get_secret_value()

    @property
    def is_loopback(self) -> bool:
        """Whether the address to listen on can be reached from this machine alone."""
        try:
            return ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return self.host == "localhost"


def load(flags: Mapping[str, object], *, config: Path | None = None) -> Settings:
    """The settings from `flags` (nulls count as not given), the environment and the file.

    `config` defaults to `shortlist.toml` in the data folder, which need not exist. Raises
    `ConfigFault` with one sentence for the first wrong value.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    file = config or _default_file(given)
    if config is not None and not config.is_file():
        raise ConfigFault(f"There is no settings file {config}.")
    try:
        settings = _sourced(_read(file)).model_validate(given)
    except ValidationError as error:
        raise ConfigFault(_told(error, file)) from error
    _check_door(settings)
    return settings


def _default_file(given: Mapping[str, object]) -> Path:
    named = os.environ.get(f"{PREFIX}CONFIG")
    if named:
        return Path(named).expanduser()
    folder = given.get("data") or os.environ.get(f"{PREFIX}DATA") or data_folder()
    return Path(str(folder)).expanduser() / FILE_NAME


def _read(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigFault(f"The settings file {file} can't be read.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigFault(f"The settings file {file} is not TOML: {error}.") from error


def _sourced(file: Mapping[str, object]) -> type[Settings]:
    """The settings class with `file` as its last source."""

    class Sourced(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            last = InitSettingsSource(settings_cls, init_kwargs=dict(file))
            return init_settings, env_settings, last

    return Sourced


def _told(error: ValidationError, file: Path) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"There is no setting {name}; look at {file} and docs/settings.md."
    flag = "--" + name.replace("_", "-").partition(".")[0]
    places = f"{flag}, {PREFIX}{name.upper()} or {file.name}"
    message = first["msg"].removeprefix("Value error, ")
    return f"The setting {name} can't be used: {message[:1].lower() + message[1:]} ({places})."


def _check_door(settings: Settings) -> None:
    """Lets no one in from another machine without the token."""
    if settings.secret is not None and len(settings.secret) < SHORTEST_TOKEN:
        raise ConfigFault(f"The token is too short; use at least {SHORTEST_TOKEN} characters.")
    if settings.secret is None and not settings.is_loopback:
        raise ConfigFault(
            f"Listening on {settings.host} opens the hub to other machines; set {PREFIX}TOKEN to a "
            f"secret of at least {SHORTEST_TOKEN} characters, or use --host 127.0.0.1."
        )
