"""Objects in a bucket of S3 or a server that speaks it, where every single PUT is atomic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from shortlist.images.model import BadLocation, BlobsError, Denied, Full, Missing, Unreachable
from shortlist.images.stored import Stored

if TYPE_CHECKING:
    from obstore.store import ClientConfig, S3Config

_CHUNK_BYTES = 2**18
_OPTIONS = frozenset(("endpoint", "region", "allow_http"))
_SECRETS = frozenset(("access_key_id", "secret_access_key", "session_token"))
# The library would wait three minutes; by then the person at the screen has gone.
_PATIENCE = timedelta(seconds=10)
_REQUEST = timedelta(seconds=60)
_NO_ROOM = ("StorageFull", "QuotaExceeded", "507 Insufficient")
_NO_KEYS = ("169.254.169.254", "AccessDenied", "403 Forbidden", "401 Unauthorized")


class Bucket:
    """A bucket, or the part of it under a prefix, that this hub alone writes to."""

    def __init__(self, store: S3Store) -> None:
        self._store = store

    @classmethod
    def at(cls, location: str) -> Bucket:
        """The bucket of `s3://name/prefix?endpoint=…&region=…&allow_http=true`.

        Keys, and whatever the address leaves out, come from the usual `AWS_…` variables.
        """
        address = urlsplit(location)
        options = dict(parse_qsl(address.query))
        _check_address(address.netloc, options)
        return cls(
            S3Store(
                address.netloc,
                prefix=address.path.strip("/") or None,
                config=_config(options),
                client_options=_client(options),
                retry_config={"max_retries": 3, "retry_timeout": _PATIENCE},
            )
        )

    def write(self, objects: Mapping[str, bytes]) -> None:
        """Keeps all objects; one that is there is written again, which makes it younger.

        The fresh age keeps `remove` away from an object that a row is about to name.
        """
        with _told():
            for key, data in objects.items():
                # In one request: a multipart upload that breaks off would cost room unseen.
                obstore.put(self._store, key, data, use_multipart=False)

    def read(self, key: str) -> bytes:
        """The whole object."""
        with _told():
            return bytes(obstore.get(self._store, key).bytes())

    def chunks(self, key: str) -> Iterator[bytes]:
        """The object in pieces."""
        with _told():
            for chunk in obstore.get(self._store, key).stream(min_chunk_size=_CHUNK_BYTES):
                yield bytes(chunk)

    def size(self, key: str) -> int:
        """Bytes of the object."""
        with _told():
            return obstore.head(self._store, key)["size"]

    def list(self) -> Iterator[Stored]:
        """All objects under the prefix."""
        with _told():
            for batch in obstore.list(self._store):
                for found in batch:
                    yield Stored(found["path"], found["size"], found["last_modified"])

    def remove(self, key: str, *, older_than: datetime) -> bool:
        """Removes the object unless it was written since; True if it is gone."""
        try:
            with _told():
                if obstore.head(self._store, key)["last_modified"] >= older_than:
                    return False
                obstore.delete(self._store, key)
        except Missing:
            return False
        return True


def _check_address(bucket: str, options: Mapping[str, str]) -> None:
    if not bucket:
        raise BadLocation("The address names no bucket; write s3://bucket/prefix.")
    if _SECRETS & set(options):
        raise BadLocation(
            "Keys do not belong into the address; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    unknown = sorted(set(options) - _OPTIONS)
    if unknown:
        raise BadLocation(
            f"The address has an unknown option {unknown[0]!r};"
            " there are endpoint, region and allow_http."
        )
    if options.get("endpoint", "").startswith("http:") and options.get("allow_http") != "true":
        raise BadLocation(
            "The endpoint is plain http; add allow_http=true if the network is your own."
        )


def _config(options: Mapping[str, str]) -> S3Config:
    config: S3Config = {}
    if "endpoint" in options:
        config["endpoint"] = options["endpoint"]
    if "region" in options:
        config["region"] = options["region"]
    return config


def _client(options: Mapping[str, str]) -> ClientConfig:
    client: ClientConfig = {"connect_timeout": _PATIENCE, "timeout": _REQUEST}
    if options.get("allow_http") == "true":  # left out, AWS_ALLOW_HTTP decides
        client["allow_http"] = True
    return client


@contextmanager
def _told() -> Iterator[None]:
    """Turns what the server says into what a person can do."""
    try:
        yield
    except (BaseError, OSError) as error:
        raise _error(error) from error


def _error(error: Exception) -> BlobsError:
    text = str(error)
    if "NoSuchBucket" in text:
        return Unreachable("The image bucket does not exist; create it or correct the address.")
    if isinstance(error, FileNotFoundError):
        return Missing("This object is not in the image bucket.")
    if isinstance(error, PermissionDeniedError | UnauthenticatedError) or _any(_NO_KEYS, text):
        return Denied(
            "The image bucket refuses the hub; check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY"
            " and what they may do."
        )
    if _any(_NO_ROOM, text):
        return Full("The image bucket is full; free some space or raise its quota.")
    return Unreachable("The server of the image bucket does not answer; check its address.")


def _any(marks: tuple[str, ...], text: str) -> bool:
    return any(mark in text for mark in marks)
