"""Settings, from `TOPCOIN_…` variables of the environment; each secret also from the file named by `…_FILE`."""

import os
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from pydantic import SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from topcoin.kernel.errors import Invalid

REPOSITORY = Path(__file__).resolve().parents[4]
PREFIX = "TOPCOIN_"


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


def load_settings(**overrides: Any) -> Settings:  # noqa: ANN401 - pydantic validates the values
    """Read the environment; what is wrong in it is said in one sentence per setting."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        said = "; ".join(f"{PREFIX}{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        raise InvalidSettings(said) from None
    except OSError as error:
        raise InvalidSettings(f"a secret's file cannot be read: {error}") from None


@lru_cache(maxsize=1)
def current_settings() -> Settings:
    """The settings of this process, read once."""
    return load_settings()
