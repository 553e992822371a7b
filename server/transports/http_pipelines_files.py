"""Files that are uploaded into pipelines, as multipart/form-data."""

import asyncio
from pathlib import PurePath

from aiohttp import BodyPartReader, ClientConnectionResetError, MultipartReader, web
from pydantic import TypeAdapter

from schemas.envelope import JsonObject
from schemas.pipeline import MAX_FILE, MAX_METADATA, DocumentWrite
from server.engine.playground.documents import Sent
from server.errors import TooLarge
from server.store.pipeline_files import StoredFile
from server.transports.documents import told as documents
from server.transports.http_pipelines_errors import invalid
from server.transports.http_pipelines_requests import checked, read_value
from server.transports.uploads import START_SECONDS, Upload, Uploads, patience

MULTIPART = "multipart/form-data"
MAX_FILES = 100  # of one request, which share MAX_FILE
CODED = frozenset({"Content-Encoding", "Content-Transfer-Encoding"})
MAX_ID = 2_000  # bytes
MAX_NAME = 500  # characters
TYPES = {
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".txt": "text/plain",
    ".text": "text/plain",
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "text/html",
    ".pdf": "application/pdf",
}
WRITE = TypeAdapter(DocumentWrite)
FIELDS = {"id": MAX_ID, "metadata": MAX_METADATA}
FORM = documents.Form(
    parts={
        "file": {
            "type": "array",
            "items": {"type": "string", "contentMediaType": "application/octet-stream"},
            "minItems": 1,
            "maxItems": MAX_FILES,
        },
        "metadata": {"type": "object", "description": "Of all files."},
        "id": {"type": "string", "description": "Of a single file."},
    },
    required=("file",),
    encoding={"file": ", ".join(dict.fromkeys(TYPES.values())), "metadata": "application/json"},
)


class Form:
    """The parts of a form as they come; it counts what it holds, and when it has to have come."""

    def __init__(self, upload: Upload, deadline: asyncio.Timeout) -> None:
        self.files: list[StoredFile] = []
        self.fields: dict[str, bytes] = {}
        self._upload = upload
        self._deadline = deadline
        self._began = asyncio.get_running_loop().time()
        self._held = 0

    async def read(self, reader: MultipartReader) -> None:
        """Take all parts; raises Invalid, TooLarge, Unavailable."""
        while (part := await reader.next()) is not None:
            if not isinstance(part, BodyPartReader):
                raise invalid("body", message="A form has no forms in it.")
            if part.name == "file" and part.filename is not None:
                if len(self.files) >= MAX_FILES:
                    raise invalid("body", "file", message=f"at most {MAX_FILES} files can be sent at once")
                name = _name(part.filename)
                content_type = type_of(name, part.headers.get("Content-Type", ""))
                data = await self._data(part, most=MAX_FILE)
                self.files.append(StoredFile(data=data, name=name, content_type=content_type))
            elif part.name in FIELDS and part.name not in self.fields:
                self.fields[part.name] = await self._data(part, most=FIELDS[part.name])
            else:
                raise invalid("body", part.name or "", message="a form has file, id and metadata, no more")

    async def _data(self, part: BodyPartReader, *, most: int) -> bytes:
        if CODED & part.headers.keys():
            raise invalid("body", part.name or "", message="parts are sent as they are, without an encoding")
        data = bytearray()
        while chunk := await part.read_chunk():
            self._held += len(chunk)
            data += chunk
            if len(data) > most or self._held > MAX_FILE + MAX_METADATA:
                raise TooLarge(f"What is uploaded at once may have {MAX_FILE} bytes, and this has more.")
            self._upload.grow(self._held)
            self._deadline.reschedule(self._began + patience(START_SECONDS, self._held))
        return bytes(data)


async def read_files(request: web.Request, uploads: Uploads) -> tuple[list[Sent], Upload]:
    """Return the files of a form as documents, and what counts them; call `leave` when they are not needed.

    The form has `file`, any number of times, `metadata` (JSON, of all of them) and `id` (of a single file).
    """
    upload = uploads.enter()
    try:
        form = await _form(request, upload)
        return _sent(request, form), upload
    except BaseException:
        upload.leave()
        raise


async def _form(request: web.Request, upload: Upload) -> Form:
    try:
        async with asyncio.timeout(START_SECONDS) as deadline:
            form = Form(upload, deadline)
            await form.read(await request.multipart())
            return form
    except TimeoutError as error:
        raise invalid("body", message="The body took too long to come.") from error
    except (ValueError, RuntimeError, AssertionError, web.RequestPayloadError) as error:
        raise invalid("body", message="The body is no multipart form.") from error
    except ConnectionError as error:
        raise ClientConnectionResetError("The client left in the middle of its request.") from error


def type_of(name: str, said: str) -> str:
    """Return what a file is, by its name, else by what is said of it; raises Invalid for what is not read."""
    said = said.partition(";")[0].strip().lower()
    known = TYPES.get(PurePath(name).suffix.lower()) or (said if said in TYPES.values() else None)
    if known is None:
        suffixes = ", ".join(TYPES)
        raise invalid("body", "file", message=f"Files of this type are not read, but {suffixes}")
    return known


def _sent(request: web.Request, form: Form) -> list[Sent]:
    if not form.files:
        raise invalid("body", "file", message="Field required", kind="missing")
    if "id" in form.fields and len(form.files) > 1:
        raise invalid("body", "id", message="an id is for a single file")
    given: JsonObject = {}
    if "metadata" in form.fields:
        value = read_value(request, form.fields["metadata"])
        if not isinstance(value, dict):
            raise invalid("body", "metadata", message="Input should be a JSON object", kind="dict_type")
        given = value
    named: JsonObject = {"id": _text(form.fields["id"])} if "id" in form.fields else {}
    return [
        Sent(write=checked({**named, "text": "", "metadata": {**_about(file), **given}}, WRITE), file=file)
        for file in form.files
    ]


def _about(file: StoredFile) -> JsonObject:
    return {"file_name": file.name, "content_type": file.content_type}


def _name(filename: str) -> str:
    """Return the last part of a file's name, whatever separates it on the client's machine."""
    name = filename.replace("\\", "/").rpartition("/")[2].replace("\0", "")
    return name.encode("utf-8", "replace").decode()[-MAX_NAME:] or "file"


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise invalid("body", "id", message="Input should be valid UTF-8") from error
