"""Chats for a large record: made-up talk with the statistics of real one.

The words at the head are English and in almost every chat, those of the tail are made up and in few: the n-th of them
is said about 1/n as often as the first. Names, topics and order numbers come on top. The same seed, the same chats;
any seed, the same words.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from transcripts.entry import ChatBatch, Entry, Opening
from transcripts.ticket import ticket_of

ENTRIES_A_CHAT = 10
DAY = 86_400_000
START = 1_700_000_000_000

COMMON = [
    "the",
    "i",
    "you",
    "to",
    "and",
    "it",
    "a",
    "is",
    "for",
    "my",
    "of",
    "in",
    "that",
    "have",
    "on",
    "not",
    "this",
    "your",
    "be",
    "with",
    "can",
    "was",
    "me",
    "do",
    "but",
    "please",
    "so",
    "are",
    "we",
    "if",
    "order",
    "at",
    "will",
    "no",
    "what",
    "there",
    "thanks",
    "when",
    "still",
    "get",
    "from",
    "now",
    "one",
    "has",
    "just",
    "would",
    "how",
    "an",
    "help",
    "as",
    "did",
    "send",
    "know",
    "need",
    "or",
    "yes",
    "day",
    "check",
    "been",
    "they",
    "back",
    "why",
    "out",
    "time",
    "see",
    "could",
    "about",
    "where",
    "because",
    "after",
    "had",
    "more",
    "any",
    "like",
    "new",
    "again",
    "sorry",
    "hello",
    "arrived",
    "does",
    "address",
    "account",
    "card",
    "pay",
    "money",
    "days",
    "today",
    "want",
    "email",
    "week",
    "number",
    "item",
    "problem",
    "got",
    "tell",
    "receive",
    "long",
    "before",
    "call",
    "wait",
    "never",
    "box",
    "wrong",
    "door",
    "price",
    "name",
    "first",
    "last",
    "then",
    "them",
    "only",
    "very",
]

TOPICS = (
    "Returns and refunds",
    "Delivery",
    "Payment",
    "Account",
    "Broken item",
    "Invoice",
    "Warranty",
    "Gift card",
    "Change of address",
    "Other",
)
FIRST = [
    "Ann",
    "Bob",
    "Mia",
    "Noah",
    "Eva",
    "Pedro",
    "Mei",
    "Omar",
    "Lena",
    "Igor",
    "Sofia",
    "Jamal",
    "Priya",
    "Hana",
    "Lars",
    "Chloe",
    "Tom",
    "Ines",
    "Kofi",
    "Zoe",
]
LAST = [
    "Lee",
    "Stone",
    "Silva",
    "Khan",
    "Novak",
    "Berg",
    "Rossi",
    "Patel",
    "Okafor",
    "Larsen",
    "Moreau",
    "Sato",
    "Costa",
    "Fischer",
    "Reyes",
    "Blake",
]
AGENTS = [f"{first} {last}" for first, last in zip(FIRST, itertools.cycle(LAST), strict=False)]


class Talk:
    """Makes chats, and questions about them."""

    def __init__(self, seed: int = 7) -> None:
        self.random = random.Random(seed)
        syllables = [a + b for a in "bdfgklmnprstvwz" for b in "aeiou"]
        language = random.Random(1)  # everybody speaks the same
        made_up: dict[str, None] = {}
        while len(made_up) < 60_000:
            made_up["".join(language.choices(syllables, k=language.choice((2, 3, 3, 4))))] = None
        self.words = [*COMMON, *(word for word in made_up if word not in COMMON)]
        self.tail = self.words[2_000:]
        self._cumulative = list(itertools.accumulate(1 / (place + 4) for place in range(len(self.words))))
        self.lines: list[str] = []

    def any(self, count: int) -> list[str]:
        """Words as they are said."""
        return self.random.choices(self.words, cum_weights=self._cumulative, k=count)

    def line(self) -> str:
        """A message of four to twenty words."""
        words = self.any(self.random.randint(4, 20))
        if self.random.random() < 0.05:
            words.append(self.order())
        line = " ".join(words)
        if self.random.random() < 0.001:
            self.lines.append(line)
        return line

    def order(self) -> str:
        """An order number."""
        digits = f"{self.random.randrange(10**17):017}"
        return f"{digits[:3]}-{digits[3:10]}-{digits[10:]}"

    def person(self) -> str:
        """A customer's name."""
        return f"{self.random.choice(FIRST)} {self.random.choice(LAST)}"

    def chats(self, first: int, count: int) -> Iterator[ChatBatch]:
        """Chats with the numbers from `first` on, one every ten minutes."""
        return (self._chat(number) for number in range(first, first + count))

    def _chat(self, number: int) -> ChatBatch:
        ticket = ticket_of(10_000 + number)
        at = START + number * 600_000
        names = {"customer": self.person(), "agent": self.random.choice(AGENTS)}
        opening = Opening(
            customer_id=f"c{self.random.randrange(20_000)}",
            department=f"d{number % 8}",
            topic=self.random.choice(TOPICS),
            order=self.order() if self.random.random() < 0.5 else None,
            customer_name=names["customer"],
        )
        entries = [
            Entry(
                **{"ticket": ticket, "seq": seq, "prev": seq - 1, "entry_id": f"{ticket}-{seq}", "at": at + seq},
                **{"kind": "message", "audience": "all", "role": role, "participant_id": role, "name": names[role]},
                text=self.line(),
                **{"device": role, "n": seq},
            )
            for seq, role in zip(range(1, ENTRIES_A_CHAT), itertools.cycle(names), strict=False)
        ]
        closed = {"kind": "closed", "text": None, "data": {"reason": "agent"}, "n": None, "device": None}
        last = {"seq": ENTRIES_A_CHAT, "prev": ENTRIES_A_CHAT - 1, "at": at + 10, "entry_id": f"{ticket}-closed"}
        fields = {name: getattr(entries[1], name) for name in ("ticket", "audience", "role", "participant_id", "name")}
        return ChatBatch(ticket=ticket, epoch=1, opening=opening, entries=(*entries, Entry(**fields | closed | last)))
