"""Numbers that are known by their form and check digits alone: IBANs and the identity numbers of four countries.

Sources: ISO 13616 with ISO/IEC 7064 (IBAN); US Social Security Administration, "SSN randomization" (2011: area not 000,
666 or 9xx; 9xx with certain groups are ITINs of the IRS); HM Revenue & Customs, NIM39110 (NINO); Luhn for the Canadian
SIN; UIDAI's Verhoeff digit for Aadhaar. Without a label only the usual grouping counts, because one in ten numbers has
a right check digit by chance; after a label of something else (an order, a telephone) nothing does.
"""

import re
from collections.abc import Iterator

from stdnum import luhn, verhoeff
from stdnum.iso7064 import mod_97_10

from transcripts.masking.folding import Folded
from transcripts.masking.found import Found, last_four
from transcripts.masking.labels import Labels, labels_after, labels_before
from transcripts.masking.table import RULES

_IBAN_SEPARATORS = " -./:"
_COUNTRY_SEPARATORS = " .:-"
_COUNTRY = re.compile(r"(?<![a-z0-9])[a-z]{2}[ .:-]{0,2}\Z")
# How the digits of a number are grouped, and what may stand between the groups.
_SHAPES = {(3, 2, 4): ("ssn", "-."), (3, 3, 3): ("sin", " -"), (4, 4, 4): ("aadhaar", " -")}
_GOES_ON_BEFORE = re.compile(r"(?:[a-z0-9+]|\d[ .-])\Z")
_GOES_ON = re.compile(r"[a-z0-9]|[ .-]\d")
_NINO_REST = re.compile(r"\d\d[ -]{0,2}\d\d[ -]{0,2}\d\d[ -]{0,2}[a-d](?![a-z0-9])")
_NINO_BEGIN = re.compile(r"(?<![a-z0-9])([a-z]{2})([ -]{0,2})\Z")
# QQ is given to nobody; it is what examples have.
_NINO_PREFIX = re.compile(r"(?!bg|gb|nk|kn|tn|nt|zz)[a-ceghj-prstw-z][a-ceghj-nprstw-z]|qq")
_ITIN_GROUPS = frozenset({*range(50, 66), *range(70, 89), *range(90, 93), *range(94, 100)})


def _structures() -> dict[str, str]:
    """{country: one of `n` (digit), `a` (letter), `c` (either) for each character behind the check digits}."""
    parts = re.compile(r"(\d+)([nac])")
    return {
        country: "".join(kind * int(count) for count, kind in parts.findall(form))
        for country, form in RULES["ibans"].items()
    }


_STRUCTURES = _structures()


def passes_check(kind: str, digits: str) -> bool:
    """Whether a number of this kind can have these digits."""
    match kind:
        case "ssn":
            return _is_ssn(digits)
        case "sin":
            return digits[0] != "8" and luhn.is_valid(digits)
        case "aadhaar":
            return digits[0] not in "01" and verhoeff.is_valid(digits)
        case _:
            return False


def _is_ssn(digits: str) -> bool:
    area, group, serial = int(digits[:3]), int(digits[3:5]), int(digits[5:])
    if not group or not serial:
        return False
    return area not in (0, 666) if area < 900 else group in _ITIN_GROUPS


def find_identities(folded: Folded) -> Iterator[Found]:
    """Social security, social insurance and Aadhaar numbers in their usual groups."""
    text, groups = folded.text, folded.groups
    for (start, one), (two, three), (four, end) in zip(groups, groups[1:], groups[2:], strict=False):
        kind, separators = _SHAPES.get((one - start, three - two, end - four), ("", ""))
        if not kind or text[one:two] != text[three:four] or two - one != 1 or text[one] not in separators:
            continue
        if _GOES_ON.match(text, end) or _GOES_ON_BEFORE.search(text[max(0, start - 2) : start]):
            continue
        digits = text[start:one] + text[two:three] + text[four:end]
        if passes_check(kind, digits) and not _is_something_else(text, start, end, kind):
            yield Found(start, end, kind, last_four(digits))


def _is_something_else(text: str, start: int, end: int, kind: str) -> bool:
    labels = labels_before(text, start) or labels_after(text, end)
    return bool(labels) and all(label.kind != kind for label in labels)


def find_ninos(folded: Folded) -> Iterator[Found]:
    """National insurance numbers; in small letters and with gaps only where a label says so."""
    text = folded.text
    for place, stop in folded.groups:
        if stop - place not in (2, 6) or (rest := _NINO_REST.match(text, place)) is None:
            continue
        look = max(0, place - 5)
        begin = _NINO_BEGIN.search(text[look:place])
        if begin is None or not _NINO_PREFIX.fullmatch(begin[1]):
            continue
        start, end = look + begin.start(), rest.end()
        labels = labels_before(text, start) or labels_after(text, end)
        if _names_nino(labels) or (not labels and (not begin[2] or not folded.written(start, start + 2).islower())):
            yield Found(start, end, "nino", last_four(text[start:end]))


def _names_nino(labels: Labels) -> bool:
    return any(label.name == "nino" for label in labels)


def find_ibans(folded: Folded) -> Iterator[Found]:
    """IBANs of the registry's countries with their structure and right check digits."""
    text, done = folded.text, 0
    for place, _ in folded.groups:
        before = text[max(0, place - 5) : place]
        structure = _STRUCTURES.get(before.rstrip(_COUNTRY_SEPARATORS)[-2:])
        if structure is None or place < done or (country := _COUNTRY.search(before)) is None:
            continue
        start, end = place - len(country[0]), _walk(text, place, "nn" + structure)
        if end is None:
            continue
        number = "".join(char for char in text[start:end] if char.isalnum()).upper()
        if mod_97_10.is_valid(number[4:] + number[:4]):
            done = end
            yield Found(start, end, "iban", last_four(number))


def _walk(text: str, place: int, structure: str) -> int | None:
    """Where the number ends that goes on at `place`, when each character is of the wanted kind."""
    for wanted in structure:
        gap = 0
        while gap < 3 and text[place : place + 1] in _IBAN_SEPARATORS and place < len(text):
            place, gap = place + 1, gap + 1
        char = text[place : place + 1]
        if (
            not (char.isascii() and char.isalnum())
            or (wanted == "n") > char.isdigit()
            or (wanted == "a") > char.isalpha()
        ):
            return None
        place += 1
    following = text[place : place + 1]
    return None if following.isascii() and following.isalnum() else place
