"""Checks that a tracking server responds, before any work is done."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import requests
from mlflow.exceptions import MlflowException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request
from sqlalchemy.exc import SQLAlchemyError

from twotower.core.errors import ConfigError
from twotower.core.secrets import mask

__all__ = ["check_server", "database_error", "store_errors"]

_SECONDS = 10
_PROBE = "/api/2.0/mlflow/experiments/search"
_KEYS = {"experiments", "next_page_token"}  # of MLflow's response, which omits empty ones
_LONGEST = 200
_STATUS = re.compile(r"error code (\d{3})|\b(401|403|404|500)\b")
_LOGIN = (
    "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, in the "
    "environment"
)
_CODES = {"UNAUTHENTICATED": 401, "PERMISSION_DENIED": 403, "CUSTOMER_UNAUTHORIZED": 401}


def check_server(uri: str) -> None:
    """Request one experiment from the server at `uri`, with the credentials that MLflow uses.

    MLflow itself would silently retry for minutes.

    Raises:
        ConfigError: No tracking server responds, or it refuses. The message has the address, the
            status and what to set.
    """
    try:
        answer = http_request(  # type: ignore[no-untyped-call]
            get_default_host_creds(uri),  # type: ignore[no-untyped-call]
            _PROBE,
            "GET",
            max_retries=0,
            timeout=_SECONDS,
            raise_on_status=False,
            allow_redirects=False,
            params={"max_results": 1},
        )
    except (MlflowException, requests.RequestException, OSError, ValueError) as error:
        raise ConfigError(f"tracking.uri={mask(uri)}: {_unreachable(uri, error)}") from error
    if (wrong := _refusal(answer)) is not None:
        raise ConfigError(f"tracking.uri={mask(uri)}: {wrong}.")


@contextmanager
def store_errors(uri: str) -> Iterator[None]:
    """Turn errors of the store at `uri` into ConfigError inside the context."""
    try:
        yield
    except SQLAlchemyError as error:  # of a lock in a database
        reason = database_error(error)
        raise ConfigError(f"tracking.uri={mask(uri)} cannot be used: {reason}") from error
    except MlflowException as error:
        text = mask(" ".join(str(error).split()))
        found = _STATUS.search(text)
        status = _CODES.get(error.error_code) or (int(found[1] or found[2]) if found else None)
        if status in (401, 403):
            raise ConfigError(f"tracking.uri={mask(uri)}: {_of_status(status)}.") from error
        raise ConfigError(f"tracking.uri={mask(uri)} cannot be used: {text[:_LONGEST]}") from error


def database_error(error: SQLAlchemyError) -> str:
    """Return what the driver said, on one line and without secrets."""
    return mask(" ".join(str(getattr(error, "orig", error)).split()))


def _unreachable(uri: str, error: BaseException) -> str:
    """Return why there was no response."""
    kinds = [type(each) for each in _chain(error)]
    text = " ".join(str(each) for each in _chain(error))
    if any(issubclass(kind, requests.exceptions.SSLError) for kind in kinds):
        if "WRONG_VERSION_NUMBER" in text or "record layer" in text:
            return "the server does not speak https; write the address with http://."
        return (
            "its certificate is not trusted; set MLFLOW_TRACKING_SERVER_CERT_PATH to the file of "
            "its authority, or MLFLOW_TRACKING_INSECURE_TLS=true."
        )
    start = "Start it, correct the address, or use tracking=sqlite."
    if "NameResolution" in text or "getaddrinfo" in text or "Name or service" in text:
        return f"no tracking server answers there: the name of the host is not known. {start}"
    if any(issubclass(kind, requests.exceptions.Timeout) for kind in kinds):
        return f"no tracking server answers there within {_SECONDS} s (Timeout). {start}"
    if "BadStatusLine" in text or "RemoteDisconnected" in text or "Connection aborted" in text:
        return (
            "what answers there does not speak HTTP, or speaks https only; correct the port, or "
            "write the address with https://."
        )
    return f"no tracking server answers there (ConnectionError). {start}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def _refusal(answer: requests.Response) -> str | None:
    """Return why a tracking server did not give this response; None if one did."""
    status = answer.status_code
    if 300 <= status < 400:
        target = mask(answer.headers.get("Location", "elsewhere")).removesuffix(_PROBE)
        return (
            f"the server redirects to {target} ({status}); give the final address, and where that "
            f"is a login, {_LOGIN}"
        )
    if status != 200:
        return _of_status(status)
    try:
        content = answer.json()
    except ValueError:
        content = None
    if isinstance(content, dict) and set(content) <= _KEYS:
        return None
    kind = answer.headers.get("Content-Type", "").partition(";")[0] or "no type"
    shown = f"a page of {kind}" if answer.content.strip() else "an empty answer"
    return (
        f"the server answers with {shown} (200) in place of MLflow's API, as a login page or a "
        f"proxy does; correct the address, or {_LOGIN}"
    )


def _of_status(status: int) -> str:
    if status in (401, 403, 407):
        known = [name for name in ("TOKEN", "USERNAME") if f"MLFLOW_TRACKING_{name}" in os.environ]
        sent = f" those of MLFLOW_TRACKING_{known[0]} were sent;" if known else ""
        what = "refused access" if status == 403 else "refused the credentials, or wants some"
        return f"the server {what} ({status});{sent} {_LOGIN}"
    if status in (404, 405, 410):
        return (
            f"the server knows no MLflow API there ({status}); correct host, port and path, as in "
            "http://host:5000"
        )
    if status == 429 or status >= 500:
        return f"the server fails ({status}); see its own log, or try again later"
    return f"the server refused the request ({status}); correct the address, or {_LOGIN}"
