"""The Finance Feedback Engine's HTTP face: probes for Kubernetes, and the bot's status for those who hold the key."""

import hmac
import os
from typing import Any, Dict, Optional

from fastapi import Depends, FastAPI, Header, HTTPException, Request
from fastapi.responses import JSONResponse

import bot
import logs
from database import Database, DatabaseUnavailable, schema_revisions, spelled
from readiness import Readiness
from settings import Settings

settings = Settings.from_environment(os.environ)
logger = logs.configure(settings.log_level)
database = Database(settings)
readiness = Readiness(settings, database)
health_log = logs.OnChange(logger, "unhealthy")
ready_log = logs.OnChange(logger, "not ready")

app = FastAPI(title="Finance Feedback Engine", version=settings.version, docs_url=None, redoc_url=None)

SECURITY_HEADERS = {
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


@app.on_event("startup")
def started() -> None:
    """Says once in every worker what it is, without any secret."""
    logger.info("version %s, strict schema %s", settings.version, "on" if settings.strict_schema else "off")
    if not settings.api_key:
        logger.warning("API_KEY is not set: everything under /api answers 401")


@app.on_event("shutdown")
def stopped() -> None:
    """Gives the connections back."""
    database.close()


if settings.security_headers:

    @app.middleware("http")
    async def with_security_headers(request: Request, call_next):
        """Headers for answers that a browser may get to see."""
        response = await call_next(request)
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        return response


def holds_key(authorization: Optional[str] = Header(default=None)) -> None:
    """Lets a request pass that carries the key; without a configured key, none does."""
    scheme, _, offered = (authorization or "").partition(" ")
    expected = settings.api_key or ""
    # Compared in constant time and always, so that neither length nor content shows in how long it takes.
    same = hmac.compare_digest(offered.strip().encode("utf-8", "surrogateescape"), expected.encode("utf-8"))
    if not expected or scheme.lower() != "bearer" or not same:
        raise HTTPException(401, "a valid bearer key is needed", headers={"WWW-Authenticate": "Bearer"})


@app.get("/live")
def live() -> Dict[str, str]:
    """The process answers; nothing else is asked."""
    return {"status": "alive"}


@app.get("/health")
def health() -> JSONResponse:
    """200 with `"database": "healthy"`, or 503. The cause goes to the log, which is not public."""
    try:
        with database.connect() as connection:
            revision = spelled(schema_revisions(connection))
    except DatabaseUnavailable as error:
        health_log.saw(str(error))
        body = {"status": "unhealthy", "database": "unhealthy", "version": settings.version, "schema_revision": None}
        return JSONResponse(body, 503)
    health_log.saw(None)
    return JSONResponse(
        {"status": "ok", "database": "healthy", "version": settings.version, "schema_revision": revision}
    )


@app.get("/ready")
def ready() -> JSONResponse:
    """200 when requests are welcome, else 503 with the reason."""
    problem = readiness.problem()
    if problem is None:
        ready_log.saw(None)
        return JSONResponse({"status": "ready", "version": settings.version})
    detail = problem.pop("log", None)
    ready_log.saw(f"{problem['reason']} ({detail})" if detail else problem["reason"])
    return JSONResponse({"status": "not ready", "version": settings.version, **problem}, 503)


@app.get("/api/v1/bot/status", dependencies=[Depends(holds_key)])
def bot_status() -> Dict[str, Any]:
    """What the engine has in its database, counted now."""
    try:
        with database.connect() as connection:
            counted = bot.status(connection)
            revision = spelled(schema_revisions(connection))
    except bot.SchemaMissing as error:
        raise HTTPException(503, str(error)) from None
    except DatabaseUnavailable as error:
        health_log.saw(str(error))
        raise HTTPException(503, "the database cannot be reached") from None
    return {**counted, "version": settings.version, "schema_revision": revision}
