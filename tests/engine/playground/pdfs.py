"""PDF files of tests, written by hand: with text, without, encrypted, broken, and hostile ones."""

import io
import zlib

from pypdf import PdfReader, PdfWriter


def pdf(*pages: str) -> bytes:
    """Return a PDF with a line of text on each page; an empty one has none."""
    return _file([_page_stream(text) for text in pages], packed=False)


def encrypted(password: str) -> bytes:
    """Return a PDF that opens with a password."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf("secret text"))))
    writer.encrypt(password, algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def bomb(megabytes: int) -> bytes:
    """Return a small PDF whose page unpacks to so many megabytes of drawing."""
    line = b"(word) Tj 0 -1 Td\n"
    return _file([b"BT /F1 12 Tf " + line * (megabytes * 1024 * 1024 // len(line)) + b" ET"], packed=True)


def slow() -> bytes:
    """Return a small PDF that takes longer to read than anybody waits."""
    return _file([b"BT /F1 12 Tf " + b"(word) Tj 0 -1 Td\n" * 20_000 + b" ET"] * 400, packed=True)


def _page_stream(text: str) -> bytes:
    escaped = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return f"BT /F1 12 Tf 72 720 Td ({escaped}) Tj ET".encode("latin-1") if text else b""


def _file(streams: list[bytes], *, packed: bool) -> bytes:
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(streams)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(streams)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for n, stream in enumerate(streams):
        data = zlib.compress(stream, 9) if packed else stream
        coded = " /Filter /FlateDecode" if packed else ""
        fonts = "<< /Font << /F1 3 0 R >> >>"
        page = f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources {fonts}"
        objects.append(f"{page} /Contents {5 + 2 * n} 0 R >>".encode())
        objects.append(f"<< /Length {len(data)}{coded} >>\nstream\n".encode() + data + b"\nendstream")
    out = bytearray(b"%PDF-1.4\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    table = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{place:010d} 00000 n \n".encode() for place in places)
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n".encode()
    return bytes(out)
