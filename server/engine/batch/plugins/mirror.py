"""Serve web addresses from a folder, so that jobs run without a network."""

from dataclasses import dataclass
from pathlib import Path

from yarl import URL

from server.engine.addresses import shown
from server.errors import BadRequest, NotFound, TooLarge

_INDEXES = ("index.json", "index.yaml", "index.yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """A folder that holds `<host>/<path>` of every address; ports and query strings are left out.

    An address that names a folder is its `index.json` (or `index.yaml`, `index.yml`).
    """

    root: Path

    def read(self, url: URL, *, limit: int) -> bytes:
        """Return the content of an address; blocks. Raises NotFound naming the file looked for."""
        path = self._file(url)
        try:
            if path.stat().st_size > limit:
                raise TooLarge(f"The mirror's file {self._name(path)} is larger than {limit:,} bytes")
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise NotFound(
                f"The mirror has no file {self._name(path)} for {shown(url)}: add it, "
                "or unset GREENROOM_URL_MIRROR to use the network"
            ) from error
        except OSError as error:
            raise BadRequest(f"The mirror's file {self._name(path)} cannot be read") from error

    def _file(self, url: URL) -> Path:
        parts = [url.host or "", *url.path.split("/")[1:]]
        if any(part in (".", "..") or "\\" in part or "\0" in part for part in parts) or "/" in parts[0]:
            raise BadRequest(f"{shown(url)} cannot be a file of the mirror: its path leaves the folder")
        path = self.root.joinpath(*(part for part in parts if part))
        if path.is_dir():
            found = [path / name for name in _INDEXES if (path / name).is_file()]
            path = found[0] if found else path / _INDEXES[0]
        if not path.resolve().is_relative_to(self.root.resolve()):
            raise BadRequest(f"{shown(url)} cannot be a file of the mirror: its path leaves the folder")
        return path

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()
