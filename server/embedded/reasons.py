"""Says in a sentence why a mongod ended, from what it left in its log."""

import re
import shutil
import subprocess
from pathlib import Path

PACKAGES = {"libcurl.so.4": "libcurl4", "libssl.so.3": "libssl3", "libcrypto.so.3": "libssl3"}
TAIL = 64 * 1024


def why_mongod_ended(binary: Path, *, log: Path, code: int | None) -> str:
    """Return the reason, with what to do where that is known."""
    text = log.read_bytes()[-TAIL:].decode(errors="replace")
    if "error while loading shared libraries" in text:
        return _missing_libraries(binary, text)
    if "No space left on device" in text:
        return f"the disk of {log.parent} is full; free some or choose another --data-dir"
    if "Address already in use" in text:
        return "its port was taken by another process; try again"
    if code == -4:
        return "this processor lacks instructions that it needs (MongoDB 5 and newer need AVX)"
    problems = [line for line in text.splitlines() if re.search(r'"s":"[EF]"', line)]
    return f"it ended with code {code}: {problems[0][:500]}" if problems else f"it ended with code {code}"


def _missing_libraries(binary: Path, text: str) -> str:
    """Name all missing libraries where ldd can tell, else the first, which the loader named."""
    names = re.findall(r"error while loading shared libraries: ([^\s:]+)", text)
    if ldd := shutil.which("ldd"):
        listing = subprocess.run([ldd, str(binary)], capture_output=True, text=True, check=False).stdout
        names = re.findall(r"(\S+) => not found", listing) or names
    packages = sorted({PACKAGES[name] for name in names if name in PACKAGES})
    hint = f"; on Debian and Ubuntu: apt-get install {' '.join(packages)}" if packages else ""
    return f"it needs the libraries {', '.join(sorted(set(names)))}{hint}"
