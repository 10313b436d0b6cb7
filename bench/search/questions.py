"""Questions about made-up dialogues, and which of these answer them.

An answer is judged by what a chat is about, not by its words: a question about a broken handle of a red kettle is
answered by the chats of that scenario with that item and colour in what was said.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bench.search.dialogues import Dialogue, slip
from bench.search.scenarios import FOREIGN, SCENARIOS

_MOST_ANSWERS = 5
_GAP = re.compile(r"{(\w+)}")
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Question:
    """What somebody types, and the tickets of all chats that answer it."""

    kind: str
    query: str
    answers: frozenset[int]


class Asker:
    """Asks about dialogues. `held`: with the wordings that the search was not tuned on."""

    def __init__(self, dialogues: Sequence[Dialogue], *, held: bool, seed: int) -> None:
        self.dialogues = dialogues
        self.held = held
        self.random = random.Random(seed)
        self._kinds: dict[str, Callable[[], Question | None]] = {
            "words": self._words,
            "word forms": self._forms,
            "typos": self._typos,
            "vague sentences": self._vague,
            "two topics": self._two,
            "phrases": self._phrase,
            "prefixes": self._prefix,
            "numbers": self._number,
            "numbers, other dashes": self._number_otherwise,
            "parts of numbers": self._part,
            "tickets": self._ticket,
            "names": self._name,
            "names and words": self._name_and_words,
            "filters": self._filters,
            "other languages": self._foreign,
        }

    def questions(self, of_each: int) -> list[Question]:
        """So many of each kind."""
        return [question for kind in self._kinds for question in self._of_kind(kind, of_each)]

    def _of_kind(self, kind: str, count: int) -> Iterator[Question]:
        asked: set[str] = set()
        for _ in range(10_000):
            made = self._kinds[kind]()
            if made is None or made.query in asked or not 0 < len(made.answers) <= _MOST_ANSWERS:
                continue
            asked.add(made.query)
            yield made
            if len(asked) == count:
                return

    def _about(self) -> tuple[int, str, dict[str, str]] | None:
        """(scenario, wording, what stands in the gaps) of a matter of some chat."""
        dialogue = self.random.choice(self.dialogues)
        if not dialogue.matters:
            return None
        scenario, gaps = self.random.choice(dialogue.matters)
        wordings = SCENARIOS[scenario].held if self.held else SCENARIOS[scenario].ask
        wording = self.random.choice(wordings)
        known = {name: gaps[name] for name in _GAP.findall(wording)}
        return (scenario, wording, known) if known else None

    def _answers(self, scenario: int, known: dict[str, str]) -> frozenset[int]:
        return frozenset(one.ticket for one in self.dialogues if _is_about(one, scenario, known))

    def _words(self) -> Question | None:
        if (about := self._about()) is None:
            return None
        scenario, wording, known = about
        return Question("words", wording.format(**known), self._answers(scenario, known))

    def _forms(self) -> Question | None:
        if (asked := self._words()) is None:
            return None
        query = " ".join(_other_form(word, self.random) for word in asked.query.split())
        return Question("word forms", query, asked.answers) if query != asked.query else None

    def _typos(self) -> Question | None:
        if (asked := self._words()) is None:
            return None
        words = asked.query.split()
        places = [place for place, word in enumerate(words) if len(word) >= 5 and word.isalpha()]
        if not places:
            return None
        for place in self.random.sample(places, min(len(places), self.random.choice((1, 1, 2)))):
            words[place] = slip(words[place], self.random)
        query = " ".join(words)
        return Question("typos", query, asked.answers) if query != asked.query else None

    def _vague(self) -> Question | None:
        if (asked := self._words()) is None:
            return None
        frames = (
            (
                "can you find the chat where I told you about {} some time ago",
                "what was it again that you said about the {}",
                "I think we once talked about {} and you wanted to help me",
            )
            if self.held
            else (
                "where is the conversation in which somebody asked about {} please",
                "I had a problem with {} and one of you helped me with it",
                "there was a customer who wrote to us because of {} I believe",
            )
        )
        return Question("vague sentences", self.random.choice(frames).format(asked.query), asked.answers)

    def _two(self) -> Question | None:
        dialogue = self.random.choice(self.dialogues)
        if len(dialogue.matters) < 2:
            return None
        queries, answers = [], []
        for scenario, gaps in dialogue.matters:
            wording = self.random.choice(SCENARIOS[scenario].held if self.held else SCENARIOS[scenario].ask)
            known = {name: gaps[name] for name in _GAP.findall(wording)}
            queries.append(wording.format(**known))
            answers.append(self._answers(scenario, known))
        joint = " also " if self.held else " and "
        return Question("two topics", joint.join(queries), answers[0] & answers[1])

    def _phrase(self) -> Question | None:
        dialogue = self.random.choice(self.dialogues)
        said = [text for _, text in dialogue.lines if len(text.split()) > 6]
        if not said or not dialogue.matters:
            return None
        words = self.random.choice(said).split()
        at = self.random.randrange(len(words) - 3)
        phrase = " ".join(words[at : at + 4]).strip(".,?!")
        if '"' in phrase:
            return None
        bare = _bare(phrase)
        answers = frozenset(one.ticket for one in self.dialogues if any(bare in _bare(text) for _, text in one.lines))
        return Question("phrases", f'"{phrase}"', answers)

    def _prefix(self) -> Question | None:
        if (about := self._about()) is None:
            return None
        scenario, wording, known = about
        words = wording.format(**known).split()
        long = [place for place, word in enumerate(words) if len(word) >= 6 and word.isalpha()]
        if not long:
            return None
        place = self.random.choice(long)
        words[place] = words[place][:4] + "*"
        return Question("prefixes", " ".join(words), self._answers(scenario, known))

    def _number(self) -> Question | None:
        dialogue = self.random.choice(self.dialogues)
        number = self.random.choice(self._numbers(dialogue))
        before = self.random.choice(("", "", "phone or order ") if self.held else ("", "my number is "))
        return Question("numbers", before + number, self._with_number(number))

    def _number_otherwise(self) -> Question | None:
        dialogue = self.random.choice(self.dialogues)
        number = self.random.choice(self._numbers(dialogue))
        other = self.random.choice((number.replace("-", ""), number.replace("-", " "), number.replace("-", ".")))
        other = other.lower() if self.random.random() < 0.5 else other
        return Question("numbers, other dashes", other, self._with_number(number)) if other != number else None

    def _part(self) -> Question | None:
        dialogue = self.random.choice(self.dialogues)
        number = self.random.choice(self._numbers(dialogue))
        digits = re.sub(r"\D", "", number)
        length = self.random.randint(5, 8)
        at = self.random.choice((0, len(digits) - length, self.random.randrange(len(digits) - length + 1)))
        part = digits[at : at + length]
        ask = self.random.choice(
            ("{}", "ends with {}", "order number with {} in it") if self.held else ("{}", "{} order")
        )
        answers = frozenset(
            one.ticket
            for one in self.dialogues
            if any(part in re.sub(r"\D", "", known) for known in self._numbers(one))
        )
        return Question("parts of numbers", ask.format(part), answers)

    def _ticket(self) -> Question | None:
        ticket = self.random.choice(self.dialogues).ticket
        text = f"{ticket}"
        ways = (
            f"#{text}",
            text,
            f"ticket {text}",
            f"{text[:3]} {text[3:]}",
            f"ticket:{text}",
            f"chat ticket #{text} please",
        )
        return Question("tickets", self.random.choice(ways[2:] if self.held else ways[:4]), frozenset({ticket}))

    def _name(self) -> Question | None:
        name = self.random.choice(self.dialogues).customer
        answers = frozenset(one.ticket for one in self.dialogues if one.customer == name)
        typed = self.random.choice((name, name.lower(), _plain(name)))
        return Question("names", typed, answers)

    def _name_and_words(self) -> Question | None:
        dialogue = self.random.choice(self.dialogues)
        if not dialogue.matters:
            return None
        _, gaps = self.random.choice(dialogue.matters)
        item, person = gaps["item"], dialogue.customer
        answers = frozenset(one.ticket for one in self.dialogues if one.customer == person and item in one.text.lower())
        ways = (f"{item} of {_plain(person)}", f"{_plain(person)} {item}")
        return Question("names and words", ways[self.held], answers)

    def _filters(self) -> Question | None:
        dialogue = self.random.choice(self.dialogues)
        if not dialogue.matters:
            return None
        _, gaps = dialogue.matters[0]
        item = gaps["item"]
        month, first = _month(dialogue), dialogue.customer.split()[0]
        tests: list[tuple[str, Callable[[Dialogue], bool]]] = [
            (f'agent:"{dialogue.agent}"', lambda one: one.agent == dialogue.agent),
            (f'topic:"{dialogue.topic}"', lambda one: one.topic == dialogue.topic),
            (f"on:{month}", lambda one: _month(one) == month),
            (f"customer:{_plain(first)}", lambda one: one.customer.split()[0] == first),
        ]
        chosen = self.random.sample(tests, 2)
        answers = frozenset(
            one.ticket for one in self.dialogues if item in one.text.lower() and all(test(one) for _, test in chosen)
        )
        parts = [item, *(text for text, _ in chosen)]
        return Question("filters", " ".join(reversed(parts) if self.held else parts), answers)

    def _foreign(self) -> Question | None:
        number = self.random.randrange(len(FOREIGN))
        asked = FOREIGN[number][2] if self.held else FOREIGN[number][1]
        answers = sorted(one.ticket for one in self.dialogues if one.foreign == number)
        # All of them say the same: they may be more than a screen full, and any will do.
        return Question(
            "other languages", self.random.choice(asked), frozenset(answers[:_MOST_ANSWERS]) and frozenset(answers)
        )

    def _numbers(self, dialogue: Dialogue) -> list[str]:
        said = [gaps["tracking"] for _, gaps in dialogue.matters if gaps["tracking"] in dialogue.text]
        if dialogue.phone in dialogue.text:
            said.append(dialogue.phone)
        return [dialogue.order, *said]

    def _with_number(self, number: str) -> frozenset[int]:
        return frozenset(one.ticket for one in self.dialogues if number in self._numbers(one))


def _is_about(one: Dialogue, scenario: int, known: dict[str, str]) -> bool:
    text = one.text.lower()
    return any(
        number == scenario and all(gaps[name] == value and value.lower() in text for name, value in known.items())
        for number, gaps in one.matters
    )


def _month(dialogue: Dialogue) -> str:
    return datetime.fromtimestamp(dialogue.opened_at / 1000, UTC).strftime("%Y-%m")


def _plain(text: str) -> str:
    """As somebody types it who has no accents on the keyboard."""
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))


def _bare(text: str) -> str:
    words = _WORD.findall(text.lower())
    return f" {' '.join(words)} "


def _other_form(word: str, chance: random.Random) -> str:
    if not word.isalpha() or len(word) < 4 or word in _FIXED:
        return word
    if word.endswith("ed"):
        return word[:-2] + chance.choice(("ing", "ed"))
    if word.endswith("ing"):
        return word[:-3] + chance.choice(("ed", "s"))
    if word.endswith("s"):
        return word[:-1]
    return word + "s" if chance.random() < 0.6 else word.upper()


_FIXED = frozenset(
    ("with", "from", "that", "this", "when", "where", "only", "same", "them", "back", "over", "mail", "does", "into")
)
