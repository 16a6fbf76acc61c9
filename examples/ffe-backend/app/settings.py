"""What the environment says. Read once, at the start of every worker and of every Alembic command."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Mapping, Optional


class SettingsError(ValueError):
    """A setting that cannot be used. The text names the variable and never repeats a secret value."""


@dataclass(frozen=True)
class Settings:
    """The engine's settings. Secrets are kept out of `repr`, and so out of logs."""

    database_url: Optional[str] = field(default=None, repr=False)
    api_key: Optional[str] = field(default=None, repr=False)
    version: str = "unknown"
    strict_schema: bool = False
    log_level: str = "info"
    pool_size: int = 5
    security_headers: bool = False

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Reads all settings; raises `SettingsError` for one that cannot be used."""
        return cls(
            database_url=_secret(environ, "DATABASE_URL"),
            api_key=_secret(environ, "API_KEY"),
            version=environ.get("APP_VERSION", "unknown"),
            strict_schema=_flag(environ, "STRICT_SCHEMA"),
            log_level=_log_level(environ),
            pool_size=_positive(environ, "DB_POOL_SIZE", 5),
            security_headers=_flag(environ, "SECURITY_HEADERS"),
        )


def _secret(environ: Mapping[str, str], name: str) -> Optional[str]:
    """The variable itself, or the content of the file that `<name>_FILE` names (as the Vault agent writes them)."""
    value = environ.get(name)
    if value:
        return value
    path = environ.get(f"{name}_FILE")
    if not path:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").strip() or None
    except OSError as error:
        raise SettingsError(f"{name}_FILE names {path}, which cannot be read: {error.strerror}") from None


def _flag(environ: Mapping[str, str], name: str) -> bool:
    value = environ.get(name, "").strip().lower()
    if value in ("", "0", "false", "no", "off"):
        return False
    if value in ("1", "true", "yes", "on"):
        return True
    raise SettingsError(f"{name} is {value!r}; expected 1 or 0")


def _positive(environ: Mapping[str, str], name: str, default: int) -> int:
    value = environ.get(name, "").strip()
    if not value:
        return default
    if not value.isdecimal() or int(value) < 1:
        raise SettingsError(f"{name} is {value!r}; expected a whole number of at least 1")
    return int(value)


def _log_level(environ: Mapping[str, str]) -> str:
    value = environ.get("LOG_LEVEL", "info").strip().lower() or "info"
    if value not in ("debug", "info", "warning", "error", "critical"):
        raise SettingsError(f"LOG_LEVEL is {value!r}; expected debug, info, warning, error or critical")
    return value
