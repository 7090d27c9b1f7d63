"""Finds a mark in bytes, in every form a program might write it: plain, wide, encoded, escaped, backwards."""

import base64
import os

CHUNK = 8 * 1024 * 1024


def forms(mark: bytes) -> dict:
    """Every form of `mark`, by name. The mark is ASCII letters and digits, long enough not to occur by chance."""
    found = {
        "plain": mark,
        "upper case": mark.upper(),
        "reversed": mark[::-1],
        "utf-16le": mark.decode().encode("utf-16le"),
        "utf-16be": mark.decode().encode("utf-16be"),
        "hex": mark.hex().encode(),
        "HEX": mark.hex().upper().encode(),
        "percent-encoded": "".join(f"%{b:02x}" for b in mark).encode(),
        "PERCENT-ENCODED": "".join(f"%{b:02X}" for b in mark).encode(),
        "json-escaped": "".join(f"\\u{b:04x}" for b in mark).encode(),
        "JSON-escaped": "".join(f"\\u{b:04X}" for b in mark).encode(),
        "html-escaped": "".join(f"&#{b};" for b in mark).encode(),
        "rust byte string": ", ".join(str(b) for b in mark).encode(),
    }
    for offset in range(3):
        # Encoded at each of the three alignments; characters that depend on the neighbours are left off.
        text = base64.b64encode(b"\0" * offset + mark + b"\0" * 3)
        first = -(-offset * 8 // 6)
        last = (offset + len(mark)) * 8 // 6
        found[f"base64 at {offset}"] = text[first:last]
        found[f"base64url at {offset}"] = text[first:last].replace(b"+", b"-").replace(b"/", b"_")
        wide = mark.decode().encode("utf-16le")
        text = base64.b64encode(b"\0" * offset + wide + b"\0" * 3)
        found[f"base64 of utf-16 at {offset}"] = text[first : (offset + len(wide)) * 8 // 6]
    return found


def id_forms(sixteen: bytes) -> dict:
    """Every form of an identifier of sixteen bytes."""
    text = sixteen.hex()
    dashed = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
    mixed = sixteen[3::-1] + sixteen[5:3:-1] + sixteen[7:5:-1] + sixteen[8:]
    found = {"raw": sixteen, "raw, little-endian GUID": mixed, "raw, reversed": sixteen[::-1]}
    for name, form in (("hex", text), ("hyphenated", dashed)):
        found[name] = form.encode()
        found[name.upper()] = form.upper().encode()
        found[f"{name} in utf-16"] = form.encode("utf-16le")
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + sixteen + b"\0" * 3)
        part = encoded[-(-offset * 8 // 6) : (offset + 16) * 8 // 6]
        found[f"base64 at {offset}"] = part
        found[f"base64url at {offset}"] = part.replace(b"+", b"-").replace(b"/", b"_")
    return found


def files(folder: str):
    """Every regular file below `folder`; what vanishes while we look is gone and holds nothing."""
    for below, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(below, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield path


def search_bytes(data: bytes, patterns: dict) -> set:
    """The names of the patterns that occur in `data`."""
    return {name for name, pattern in patterns.items() if pattern in data}


def search(folder: str, patterns: dict) -> list:
    """(path, name of the form) for each form found in a file, or in the name of a file, below `folder`."""
    overlap = max(len(p) for p in patterns.values()) - 1
    hits = []
    for path in files(folder):
        if found := search_bytes(os.fsencode(os.path.relpath(path, folder)), patterns):
            hits += [(path + " (its name)", name) for name in found]
        hits += [(path, name) for name in sorted(_search_file(path, overlap, patterns))]
    return hits


def _search_file(path, overlap, patterns) -> set:
    found, tail = set(), b""
    try:
        with open(path, "rb") as file:
            while chunk := file.read(CHUNK):
                data = tail + chunk
                found |= search_bytes(data, patterns)
                tail = data[-overlap:]
    except FileNotFoundError:
        pass
    return found


def total(folder: str) -> int:
    """How many bytes the files below `folder` hold."""
    size = 0
    for path in files(folder):
        try:
            size += os.path.getsize(path)
        except FileNotFoundError:
            pass
    return size
