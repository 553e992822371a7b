"""The only reader of the environment; every setting is described by its field."""

import os
import re
import secrets
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from platformdirs import user_data_path
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from schemas.playground import ModelName

PREFIX = "GREENROOM_"
MODEL_NAMES: tuple[str, ...] = get_args(ModelName)
BCRYPT = re.compile(r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}")
EVALUATOR_SLOTS = 64
INDEX_SLOTS = 256
OF_CLIENTS = {
    "GREENROOM_URL",
    "GREENROOM_TOKEN",
}  # read by programs that talk to a server, not by it


def default_data_dir() -> Path:
    """Return the user's data directory, where everything lives unless told otherwise."""
    return user_data_path("greenroom")


def _common(name: str) -> AliasChoices:
    """Let a setting be given under its usual name or under the GREENROOM_ prefix."""
    return AliasChoices(name, PREFIX + name)


class Settings(BaseSettings):
    """The configuration of a process; sizes in bytes, times in seconds; an empty variable is none."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", populate_by_name=True
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(
        8080, ge=0, le=65535, validation_alias=_common("PORT"), description="Port to listen on."
    )
    data_dir: Path = Field(
        default_factory=default_data_dir,
        description="Where the embedded database, the secret and run.json live.",
    )
    mongodb_url: SecretStr | None = Field(
        None,
        validation_alias=_common("MONGODB_URL"),
        description="MongoDB replica set; without it an embedded mongod is started.",
    )
    mongodb_database: str = Field("greenroom", description="Name of the MongoDB database.")
    redis_url: SecretStr | None = Field(
        None,
        validation_alias=_common("REDIS_URL"),
        description="Redis or Valkey, where several processes share one database; it may go away.",
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
    image_model: str | None = Field(
        None, description="Model of the same endpoint that makes images; without it there are none."
    )
    realtime_model: str | None = Field(
        None,
        description="Realtime model of the endpoint that hears and speaks in chats; without it the extra "
        "`voice` does, offline.",
    )
    realtime_url: str | None = Field(
        None, description="Realtime endpoint when it is another one than the model endpoint."
    )
    realtime_voice: str = Field("marin", description="Voice of the realtime model.")
    realtime_transcription: str = Field(
        "gpt-4o-mini-transcribe",
        description="Model with which the realtime endpoint writes down what is said.",
    )
    embedding_model: str | None = Field(
        None,
        description="Model of the same endpoint that makes the vectors of documents and queries; without it "
        "the one in the package does, offline.",
    )
    rerank_url: str | None = Field(
        None,
        description="Endpoint that reranks passages, as Cohere's and Jina's POST /rerank; without it the "
        "model that grades judges them, unless that is the embedded one.",
    )
    rerank_model: str | None = Field(None, description="Model of the reranking endpoint.")
    rerank_key: SecretStr | None = Field(None, description="Key of the reranking endpoint.")
    playground_models: Annotated[dict[str, str], NoDecode] = Field(
        {},
        description="Models behind the names that playground sessions have, such as "
        "GPT_4O=gpt-4o,GPT_4O_MINI=gpt-4o-mini; the model of the endpoint is behind all others.",
    )
    index_memory: int = Field(
        1024**3,
        ge=0,
        description="Bytes that indexes of pipelines take in memory, about, before those not used lately are "
        "dropped; the one in use stays, however large.",
    )
    model_timeout: float = Field(120.0, gt=0, description="Longest time for one model reply.")
    model_retries: int = Field(2, ge=0, le=10, description="Retries of a failed model request.")
    secret: SecretStr | None = Field(
        None, description="Key that signs tokens (HS256); without it one is made in the data directory."
    )
    jwks_url: str | None = Field(None, description="JWKS address that verifies tokens instead of the secret.")
    jwt_audience: str | None = Field(None, description="Audience that tokens must name.")
    guests: bool | None = Field(None, description="Let clients without a token in as guests.")
    retention_days: float = Field(
        90, gt=0, description="Days after which the entries of an ended chat's room are forgotten."
    )
    cors_origins: Annotated[list[str], NoDecode] = Field(
        [], description="Origins, separated by commas, allowed besides the server's own."
    )
    admin_password: SecretStr | None = Field(
        None,
        description="Password of the Socket.IO Admin UI, plain or from bcrypt (extra admin); without it "
        "there is none.",
    )
    admin_user: str = Field("admin", description="User of the Socket.IO Admin UI.")
    admin_origins: Annotated[list[str], NoDecode] = Field(
        [],
        description="Origins, separated by commas, of pages that may connect to the namespace /admin, as "
        "https://admin.socket.io.",
    )
    ping_interval: float = Field(20.0, gt=0, description="Seconds between pings to a socket.")
    ping_timeout: float = Field(10.0, gt=0, description="Seconds to wait for a pong.")
    max_message: int = Field(256 * 1024, ge=1024, description="Largest message from a client in bytes.")
    generations_per_day: int = Field(
        200, ge=0, description="Runs of generate that a profile may start in a day (UTC)."
    )
    max_json_depth: int = Field(32, ge=4, le=200, description="Deepest nesting of a payload.")
    events_per_second: float = Field(
        20.0,
        gt=0,
        description="Events, or HTTP requests of an identity, that a client may send in the long run.",
    )
    events_burst: int = Field(50, ge=1, description="Events that a client may send at once.")
    connections_per_identity: int = Field(
        10, ge=1, description="Sockets and streams of a profile or guest, in each process."
    )
    connections_per_address: int = Field(
        100, ge=1, description="Sockets and streams from one address, in each process."
    )
    trusted_proxies: Annotated[list[str], NoDecode] = Field(
        [],
        description="Addresses or networks, separated by commas, of the proxies whose X-Forwarded headers "
        "are believed.",
    )
    reuse_port: bool = Field(
        False,
        description="Share the port with other server processes of this data directory; they need one "
        "MONGODB_URL, one REDIS_URL and one secret.",
    )
    url_mirror: Path | None = Field(
        None,
        description="Folder that stands in for the network when batch jobs fetch plugins: <host>/<path>.",
    )
    private_urls: bool | None = Field(
        None, description="Let batch jobs fetch from, and evaluators call, private and loopback addresses."
    )
    max_batch_message: int = Field(
        64 * 1024 * 1024, ge=1024, description="Largest batch job that is taken, in bytes."
    )
    job_slots: int = Field(
        8,
        ge=0,
        le=256,
        description="Jobs of tests that this process runs at once, beside half as many batch jobs (at least "
        "one), the results of evaluators and the indexing of documents; 0 leaves all of them to workers.",
    )
    evaluator_runs: int = Field(
        500, ge=1, le=10_000, description="Calls to agents that are under way at once in this process."
    )
    evaluator_quiet: float = Field(
        0.5, gt=0, le=30, description="Seconds without a message after which an agent's turn is over."
    )
    evaluator_turns: int = Field(
        50, ge=1, le=1000, description="Turns of an agent after which its call is ended."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level to log.")
    log_format: Literal["json", "text"] | None = Field(
        None,
        description="JSON, one object per line, or readable text; without it text in a terminal only.",
    )
    otel_exporter_otlp_endpoint: str | None = Field(
        None,
        validation_alias=_common("OTEL_EXPORTER_OTLP_ENDPOINT"),
        description="OTLP/HTTP collector that gets spans at /v1/traces; it needs the extra otel.",
    )
    instance: str = Field(default_factory=lambda: secrets.token_hex(4), description="Name of this process.")

    @property
    def batch_slots(self) -> int:
        """Return how many batch jobs this process runs at once, beside its other jobs."""
        return max(1, self.job_slots // 2) if self.job_slots else 0

    @property
    def index_slots(self) -> int:
        """Return how many pipelines this process indexes at once; they share its processors."""
        return INDEX_SLOTS if self.job_slots else 0

    @property
    def evaluator_slots(self) -> int:
        """Return how many results of evaluators this process works on at once; they share its calls."""
        return EVALUATOR_SLOTS if self.job_slots else 0

    @field_validator("cors_origins", "admin_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """Split at commas; each part is checked, because one that can never match hides a mistake."""
        if not isinstance(value, str):
            return value
        origins = [part.strip().rstrip("/") for part in value.split(",") if part.strip()]
        for origin in origins:
            if "*" in origin or not origin.startswith(("http://", "https://")):
                raise ValueError(
                    f"{origin} is not an origin such as https://app.example.org; wildcards are refused"
                )
        return origins

    @field_validator("playground_models", mode="before")
    @classmethod
    def _pairs(cls, value: object) -> object:
        """Split at commas; names that no session can have hide a mistake."""
        if not isinstance(value, str):
            return value
        pairs = [part.partition("=") for part in value.split(",") if part.strip()]
        found = {name.strip(): model.strip() for name, _, model in pairs}
        for name, model in found.items():
            if name not in MODEL_NAMES or not model:
                raise ValueError(f"{name}={model} should be one of {', '.join(MODEL_NAMES)}, = and a model")
        return found

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _networks(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        proxies = [part.strip() for part in value.split(",") if part.strip()]
        for proxy in proxies:
            try:
                ip_network(proxy, strict=False)
            except ValueError as error:
                raise ValueError(f"{proxy} is no address and no network such as 10.0.0.0/8") from error
        return proxies

    @field_validator("admin_password")
    @classmethod
    def _hash(cls, value: SecretStr | None) -> SecretStr | None:
        given = value.get_secret_value() if value is not None else ""
        if given.startswith("$2") and not BCRYPT.fullmatch(given):
            raise ValueError("this begins as a hash of bcrypt does, and is none")
        return value

    @field_validator("redis_url")
    @classmethod
    def _redis_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(
            ("redis://", "rediss://", "unix://")
        ):
            raise ValueError("this should be an address that begins with redis://, rediss:// or unix://")
        return value

    @field_validator(
        "openai_base_url", "realtime_url", "jwks_url", "rerank_url", "otel_exporter_otlp_endpoint"
    )
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("this should be an address that begins with http:// or https://")
        return value


def variable(field: str) -> str:
    """Return the environment variable of a setting."""
    alias = Settings.model_fields[field].validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else PREFIX + field.upper()


def read_settings(**given: Any) -> tuple[Settings, list[str]]:
    """Return the settings and a sentence for each variable that is wrong; that one has its default then.

    What is given by name and is not None goes before the environment.
    """
    given = {name: value for name, value in given.items() if value is not None}
    try:
        return Settings(**given), []
    except ValidationError as error:
        wrong = {_field(detail["loc"][0]): detail for detail in error.errors(include_url=False)}
    problems = [f"{variable(field)}: {_explain(detail)}" for field, detail in wrong.items()]
    defaults = {f: Settings.model_fields[f].get_default(call_default_factory=True) for f in wrong}
    return Settings(**{**given, **defaults}), problems


def environment_of(settings: Settings) -> dict[str, str]:
    """Return this process's environment for a child, but with these settings and no other of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return {**kept, **as_variables(settings)}


def as_variables(settings: Settings) -> dict[str, str]:
    """Return the environment variables that give another process the same settings."""
    return {variable(field): _written(getattr(settings, field)) for field in Settings.model_fields}


def unknown_variables() -> list[str]:
    """Return a sentence for each GREENROOM_ variable of the environment that means nothing."""
    known = {name for field in Settings.model_fields for name in (variable(field), PREFIX + field.upper())}
    found = []
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known | OF_CLIENTS:
            near = get_close_matches(name, known, n=1)
            found.append(f"{name} means nothing" + (f"; is {near[0]} meant?" if near else ""))
    return found


def _field(alias: int | str) -> str:
    """Return the setting that pydantic names by its variable."""
    return next(f for f in Settings.model_fields if alias in (f, variable(f), PREFIX + f.upper()))


def _written(value: object) -> str:
    """Return a setting as it is written in the environment, where an empty one is none."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, list):
        return ",".join(map(str, value))
    if isinstance(value, dict):
        return ",".join(f"{name}={one}" for name, one in value.items())
    return "" if value is None else str(value)


def _explain(detail: Any) -> str:
    """Say what is wrong; the value is shown unless the setting is a secret."""
    text = detail["msg"].removeprefix("Value error, ").replace("Input should", "this should")
    value = detail["input"]
    shown = isinstance(value, str | int | float) and detail["type"] != "value_error"
    return f"{text}, not {str(value)[:80]!r}" if shown else text
