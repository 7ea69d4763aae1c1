"""Large contents (potentials, active sets, candidates, trajectories) in GridFS, by name."""

from __future__ import annotations

from typing import Any

import gridfs
from bson import ObjectId
from pymongo.database import Database


class Files:
    """Named files; writing a name again replaces the file, so a repeated task leaves one copy."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self.bucket = gridfs.GridFS(database, collection="files")

    def put(self, name: str, data: bytes, **metadata: Any) -> ObjectId:
        """Store bytes under a name; older versions of the name are deleted once the new one is complete."""
        older = [file._id for file in self.bucket.find({"filename": name})]
        new: ObjectId = self.bucket.put(data, filename=name, metadata=metadata)
        for file_id in older:
            self.bucket.delete(file_id)
        return new

    def get(self, name: str) -> bytes:
        """The newest content of a file.

        Raises
        ------
        KeyError
            If there is no such file.
        """
        try:
            return self.bucket.get_last_version(filename=name).read()
        except gridfs.NoFile:
            raise KeyError(f"no file {name}") from None

    def metadata(self, name: str) -> dict[str, Any]:
        """Metadata of the newest content of a file.

        Raises
        ------
        KeyError
            If there is no such file.
        """
        try:
            return dict(self.bucket.get_last_version(filename=name).metadata or {})
        except gridfs.NoFile:
            raise KeyError(f"no file {name}") from None

    def listed(self, **metadata: Any) -> list[tuple[str, dict[str, Any]]]:
        """Names and metadata of the files with these metadata, by name."""
        query = {f"metadata.{key}": value for key, value in metadata.items()}
        found = {
            file.filename: dict(file.metadata or {}) for file in self.bucket.find(query) if file.filename
        }
        return sorted(found.items())

    def names(self, **metadata: Any) -> list[str]:
        """Names of the files with these metadata, sorted."""
        query = {f"metadata.{key}": value for key, value in metadata.items()}
        return sorted({file.filename for file in self.bucket.find(query) if file.filename})
