"""Settings, from `TOPCOIN_…` variables of the environment; each secret also from the file named by `…_FILE`."""

import os
from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from pydantic import Field, HttpUrl, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from topcoin.kernel.errors import Invalid

REPOSITORY = Path(__file__).resolve().parents[4]
PREFIX = "TOPCOIN_"

_SECRET_LENGTH_MIN = 32
_SECRET_CHARACTERS_MIN = 12
_WORDS_OF_EXAMPLES = ("change", "example", "password", "secret", "topcoin", "default", "insecure")


class InvalidSettings(Invalid):
    """The environment asks for something that cannot be."""

    code = "invalid_settings"


class Environment(StrEnum):
    """Where this process runs; production refuses what is only convenient."""

    DEVELOPMENT = "development"
    TEST = "test"
    PRODUCTION = "production"


class _SecretFiles(PydanticBaseSettingsSource):
    """Reads `TOPCOIN_X_FILE` for a setting `x` whose own variable is absent."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - pydantic's signature
        """The stripped content of the named file, if one is named."""
        named = os.environ.get(f"{PREFIX}{field_name.upper()}_FILE")
        return (Path(named).read_text().strip() if named else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        """All settings that come from files."""
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


class Settings(BaseSettings):
    """What an installation decides. Without database URLs the embedded PostgreSQL is used."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    env: Environment = Environment.DEVELOPMENT
    data_dir: Path = REPOSITORY / ".topcoin"
    database_url: SecretStr | None = None
    migration_database_url: SecretStr | None = None
    read_database_url: SecretStr | None = None
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8000, ge=0, le=65535)
    http_pool_size: int = Field(default=10, ge=1, le=1000, description="Connections to the database, of each role.")
    public_url: HttpUrl | None = Field(default=None, description="Where customers reach this installation.")
    trusted_proxies: str = Field(
        default="", description="Addresses of proxies that are believed who the client is, separated by commas."
    )
    secret_key: SecretStr | None = Field(default=None, description="Made in the data folder outside production.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - no .env files: one place to look
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - named files instead of a folder
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then the environment, then the files it names."""
        return init_settings, env_settings, _SecretFiles(settings_cls)

    @property
    def is_production(self) -> bool:
        """Whether real customers are served."""
        return self.env is Environment.PRODUCTION

    @property
    def uses_embedded_database(self) -> bool:
        """Whether we run PostgreSQL ourselves."""
        return self.database_url is None

    @model_validator(mode="after")
    def _database_roles_are_named(self) -> Self:
        urls = (self.database_url, self.migration_database_url, self.read_database_url)
        if any(urls) and not all(urls):
            msg = (
                "an outside PostgreSQL needs all three of TOPCOIN_DATABASE_URL (the application's role), "
                "TOPCOIN_MIGRATION_DATABASE_URL (the owner's) and TOPCOIN_READ_DATABASE_URL (the read-only one)"
            )
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _production_is_in_earnest(self) -> Self:
        if self.is_production and (found := list(_convenient_only(self))):
            raise ValueError("; ".join(found))
        return self


def _convenient_only(settings: Settings) -> Iterator[str]:
    """What serves in development and is refused in production, each with what to do."""
    urls = (settings.database_url, settings.migration_database_url, settings.read_database_url)
    if settings.database_url is None:
        yield "production needs a PostgreSQL of its own: set TOPCOIN_DATABASE_URL and the two other roles' URLs"
    elif len(set(urls)) < len(urls):
        yield "production needs a URL for each of the three roles of the database: shared ones could rewrite the ledger"
    secret = settings.secret_key.get_secret_value() if settings.secret_key else ""
    if not secret:
        yield "production needs TOPCOIN_SECRET_KEY or TOPCOIN_SECRET_KEY_FILE; make one with: openssl rand -base64 48"
    elif (
        len(secret) < _SECRET_LENGTH_MIN
        or len(set(secret)) < _SECRET_CHARACTERS_MIN
        or any(word in secret.lower() for word in _WORDS_OF_EXAMPLES)
    ):
        yield "TOPCOIN_SECRET_KEY is too short or too easily guessed; make one with: openssl rand -base64 48"
    if settings.public_url is not None and settings.public_url.scheme != "https":
        yield "TOPCOIN_PUBLIC_URL must begin with https:// in production"


def load_settings(**overrides: Any) -> Settings:  # noqa: ANN401 - pydantic validates the values
    """Read the environment; what is wrong in it is said in one sentence per setting."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise InvalidSettings("; ".join(map(_in_words, error.errors()))) from None
    except OSError as error:
        raise InvalidSettings(f"a secret's file cannot be read: {error}") from None


def _in_words(error: ErrorDetails) -> str:
    """What is wrong with a setting; what concerns several of them names them itself."""
    said = error["msg"].removeprefix("Value error, ")
    return f"{PREFIX}{'_'.join(map(str, error['loc'])).upper()}: {said}" if error["loc"] else said


@lru_cache(maxsize=1)
def current_settings() -> Settings:
    """The settings of this process, read once."""
    return load_settings()
