"""Single alterations of an exported transcript, drawn at random: what a forger would try, and what a fault would do."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

from transcripts.canonical import canonical, canonical_body, commitment
from transcripts.errors import UnreadableError
from transcripts.strict_json import read_json

File = dict[str, Any]


def alter(chance: random.Random, file: File) -> tuple[str, bytes, int | None]:
    """A kind of alteration, the altered file, and the entry that a verifier should name (None: it is not one entry's).

    The alteration is a real one: the altered file says something else than the given one.
    """
    while True:
        kind = chance.choice(list(KINDS))
        altered = copy.deepcopy(file)
        made = KINDS[kind](chance, altered)
        if made is None:
            continue
        body, seq = made if isinstance(made[0], bytes) else (canonical(altered), made[1])
        if _says_something_else(body, file):
            return kind, body, seq


def _says_something_else(body: bytes, file: File) -> bool:
    try:
        return canonical(read_json(body)) != canonical(file)
    except UnreadableError:
        return True


Made = tuple[bytes | None, int | None] | None


def _message(chance: random.Random, file: File) -> dict[str, Any] | None:
    """Any entry that still has its body."""
    whole = [entry for entry in file["entries"] if "salt" in entry]
    return chance.choice(whole) if whole else None


def _changed_text(chance: random.Random, file: File) -> Made:
    texts = [entry for entry in file["entries"] if entry.get("text")]
    if not texts:
        return None
    entry = chance.choice(texts)
    at = chance.randrange(len(entry["text"]))
    entry["text"] = entry["text"][:at] + chance.choice("0aZ é") + entry["text"][at + 1 :]
    return None, entry["seq"]


def _changed_field(chance: random.Random, file: File) -> Made:
    """Time, role, name, kind, who, salt … of an entry."""
    entry = chance.choice(file["entries"])
    name = chance.choice([key for key in entry if key not in ("seq", "data", "attachments", "text", "erased")])
    value = entry[name]
    other = "customer" if value == "agent" else "agent"
    entry[name] = value + chance.choice([-1, 1]) if isinstance(value, int) else _bent(value) if value else other
    return None, entry["seq"]


def _bent(text: str) -> str:
    return ("0" if text[0] != "0" else "1") + text[1:]


def _renumbered(chance: random.Random, file: File) -> Made:
    entry = chance.choice(file["entries"])
    entry["seq"] += chance.choice([-1, 1, 1000])
    return None, None


def _removed(chance: random.Random, file: File) -> Made:
    at = chance.randrange(len(file["entries"]))
    return None, file["entries"].pop(at)["seq"]


def _cut_off(chance: random.Random, file: File) -> Made:
    at = chance.randrange(1, len(file["entries"]))
    first = file["entries"][at]["seq"]
    del file["entries"][at:]
    return None, first


def _swapped(chance: random.Random, file: File) -> Made:
    at = chance.randrange(len(file["entries"]) - 1)
    entries = file["entries"]
    entries[at], entries[at + 1] = entries[at + 1], entries[at]
    return None, None


def _renumbered_swap(chance: random.Random, file: File) -> Made:
    """Two entries change places and take each other's numbers, so that the order looks right."""
    one, other = chance.sample(file["entries"], 2)
    one["seq"], other["seq"] = other["seq"], one["seq"]
    file["entries"].sort(key=lambda entry: entry["seq"])
    return None, min(one["seq"], other["seq"])


def _repeated(chance: random.Random, file: File) -> Made:
    at = chance.randrange(len(file["entries"]))
    file["entries"].insert(at, copy.deepcopy(file["entries"][at]))
    return None, file["entries"][at]["seq"]


def _invented(chance: random.Random, file: File) -> Made:
    entry = _message(chance, file)
    if entry is None:
        return None
    made = {**entry, "seq": entry["seq"] + chance.choice([0, 1, 1000]), "text": "Yes, we promised that.", "name": "Ann"}
    file["entries"].insert(file["entries"].index(entry) + 1, made)
    return None, None


def _exchanged(chance: random.Random, file: File) -> Made:
    """Two entries' bodies change places, with their salts: each still fits its own commitment."""
    whole = [entry for entry in file["entries"] if "salt" in entry]
    if len(whole) < 2:
        return None
    one, other = sorted(chance.sample(whole, 2), key=lambda entry: entry["seq"])
    for name in ("name", "text", "data", "attachments", "salt"):
        a, b = one.pop(name, None), other.pop(name, None)
        one.update({name: b} if b is not None else {})
        other.update({name: a} if a is not None else {})
    return None, one["seq"]


def _passed_off_as_erased(chance: random.Random, file: File) -> Made:
    entry = _message(chance, file)
    if entry is None or entry["kind"] == "redacted":
        return None
    body = canonical_body(
        entry.pop("text", None),
        entry.pop("name", None),
        [bytes.fromhex(one) for one in entry.pop("attachments", ())],
        entry.pop("data", None),
    )
    entry["commitment"] = commitment(bytes.fromhex(entry.pop("salt")), body).hex()
    entry["erased"] = True
    return None, entry["seq"]


def _changed_proof(chance: random.Random, file: File) -> Made:
    segment = chance.choice(file["proof"]["segments"])
    name = chance.choice([key for key in segment if key != "leaves"])
    segment[name] = segment[name] + 1 if isinstance(segment[name], int) else _bent(segment[name])
    return None, None


def _changed_leaf(chance: random.Random, file: File) -> Made:
    leaves = chance.choice([one["leaves"] for one in file["proof"]["segments"] if one["leaves"]])
    leaf = chance.choice(leaves)
    if chance.random() < 0.5:
        leaf[1] = _bent(leaf[1])
    else:
        leaf[0] += 1
    return None, None


def _dropped_segment(chance: random.Random, file: File) -> Made:
    file["proof"]["segments"].pop(chance.randrange(len(file["proof"]["segments"])))
    return None, None


def _changed_heading(chance: random.Random, file: File) -> Made:
    place = chance.choice([file, file["summary"]])
    name = chance.choice([key for key, value in place.items() if isinstance(value, int | str)] or ["ticket"])
    place[name] = place[name] + 1 if isinstance(place[name], int) else _bent(place[name])
    return None, None


def _added_field(chance: random.Random, file: File) -> Made:
    places = [file, file["proof"], chance.choice(file["entries"]), chance.choice(file["proof"]["segments"])]
    chance.choice(places)["remark"] = "The customer agreed."
    return None, None


def _second_key(chance: random.Random, file: File) -> Made:
    """The same key twice in one object: readers differ in which they show."""
    texts = [entry for entry in file["entries"] if entry.get("text")]
    if not texts:
        return None
    said = canonical({"text": chance.choice(texts)["text"]})[1:-1]
    return canonical(file).replace(said, b'"text":"Yes, we promised that.",' + said, 1), None


def _flipped_bit(chance: random.Random, file: File) -> Made:
    body = bytearray(canonical(file))
    body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
    return bytes(body), None


KINDS: dict[str, Callable[[random.Random, File], Made]] = {
    "a character of a text": _changed_text,
    "a field of an entry": _changed_field,
    "an entry's number": _renumbered,
    "an entry taken out": _removed,
    "the end cut off": _cut_off,
    "neighbours swapped": _swapped,
    "two entries trade places and numbers": _renumbered_swap,
    "an entry repeated": _repeated,
    "an entry invented": _invented,
    "two bodies exchanged": _exchanged,
    "passed off as erased": _passed_off_as_erased,
    "a field of the proof": _changed_proof,
    "a leaf of the proof": _changed_leaf,
    "a segment dropped": _dropped_segment,
    "the heading": _changed_heading,
    "a field added": _added_field,
    "a key given twice": _second_key,
    "a bit flipped": _flipped_bit,
}
