"""The only reader of the environment; every setting is described by its field."""

import secrets
from pathlib import Path
from typing import Annotated, Literal

from platformdirs import user_data_path
from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _data_dir() -> Path:
    return user_data_path("greenroom")


def _common(name: str) -> AliasChoices:
    """Let a setting be given under its usual name or under the GREENROOM_ prefix."""
    return AliasChoices(name, f"GREENROOM_{name}")


class Settings(BaseSettings):
    """The configuration of a process; sizes in bytes, times in seconds."""

    model_config = SettingsConfigDict(env_prefix="GREENROOM_", extra="ignore", populate_by_name=True)

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(
        8080, ge=0, le=65535, validation_alias=_common("PORT"), description="Port to listen on."
    )
    data_dir: Path = Field(
        default_factory=_data_dir, description="Where the embedded database, the secret and run.json live."
    )
    mongodb_url: SecretStr | None = Field(
        None,
        validation_alias=_common("MONGODB_URL"),
        description="MongoDB replica set; without it an embedded mongod is started.",
    )
    mongodb_database: str = Field("greenroom", description="Name of the MongoDB database.")
    redis_url: SecretStr | None = Field(
        None, validation_alias=_common("REDIS_URL"), description="Redis or Valkey, for several processes."
    )
    openai_api_key: SecretStr | None = Field(
        None, validation_alias=_common("OPENAI_API_KEY"), description="Key of the model endpoint."
    )
    openai_base_url: str | None = Field(
        None,
        validation_alias=_common("OPENAI_BASE_URL"),
        description="Any OpenAI-compatible endpoint; without it and a key the embedded model is used.",
    )
    openai_model: str | None = Field(
        None, validation_alias=_common("OPENAI_MODEL"), description="Model for personas, hints and grading."
    )
    judge_model: str | None = Field(None, description="Model for grading when it differs.")
    model_timeout: float = Field(120.0, gt=0, description="Longest time for one model reply.")
    model_retries: int = Field(2, ge=0, le=10, description="Retries of a failed model request.")
    secret: SecretStr | None = Field(
        None, description="Key that signs tokens (HS256); without it one is made in the data directory."
    )
    jwks_url: str | None = Field(None, description="JWKS address that verifies tokens instead of the secret.")
    jwt_audience: str | None = Field(None, description="Audience that tokens must name.")
    guests: bool | None = Field(
        None,
        description="Let clients without a token in as guests; by default only with the embedded database.",
    )
    cors_origins: Annotated[list[str], NoDecode] = Field(
        [], description="Origins, separated by commas, allowed besides the server's own."
    )
    ping_interval: float = Field(20.0, gt=0, description="Seconds between pings to a socket.")
    ping_timeout: float = Field(10.0, gt=0, description="Seconds to wait for a pong.")
    max_message: int = Field(256 * 1024, ge=1024, description="Largest message from a client in bytes.")
    max_json_depth: int = Field(32, ge=4, le=200, description="Deepest nesting of a payload.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level to log.")
    instance: str = Field(default_factory=lambda: secrets.token_hex(4), description="Name of this process.")
