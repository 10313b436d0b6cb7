"""`make search-report`: how well the search finds, by kind of question, on both engines; and 10,000 odd queries.

Two sets of questions are asked of the same chats: those that the search was tuned on, and those held out (other
wordings, other chats, other slips). The second is what counts. `--held` measures it; while tuning, leave it out.
"""

from __future__ import annotations

import argparse
import asyncio
import html
import random
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.search.dialogues import Dialogue, Writer
from bench.search.questions import Asker, Question
from tests.support.postgres import Databases, OwnPostgres
from transcripts.database import open_database
from transcripts.migrate import upgrade
from transcripts.search import Scope, Search
from transcripts.store import Store

CHATS = 3_000
ODD_CHATS = 300  # the odd queries are asked of fewer: no error in a query depends on how many there are
TOP = 10
WANTED = {"MRR@10": 0.90, "success@10": 0.93}


@dataclass(frozen=True)
class Asked:
    """A question and the place of the first answer in what was found, from 1 (0: not in the first ten)."""

    question: Question
    place: int


def mrr(asked: Sequence[Asked]) -> float:
    """Mean reciprocal rank in the first ten."""
    return statistics.fmean(1 / one.place if one.place else 0.0 for one in asked)


def success(asked: Sequence[Asked]) -> float:
    """The share of questions with an answer in the first ten."""
    return statistics.fmean(bool(one.place) for one in asked)


async def ask(search: Search, questions: Sequence[Question]) -> list[Asked]:
    """Asks each question as staff."""
    asked = []
    for question in questions:
        results = await search.search(question.query, scope=Scope.staff(), limit=TOP)
        found = [result.ticket in question.answers for result in results.results]
        asked.append(Asked(question, found.index(True) + 1 if True in found else 0))
    return asked


@asynccontextmanager
async def indexed(url: str, dialogues: Sequence[Dialogue]) -> AsyncIterator[Search]:
    """A record of these chats. Its connections end with it: open ones would keep the server, and us, from ending."""
    engine = open_database(url)
    try:
        await upgrade(engine)
        store, search = Store(engine), Search(engine)
        for first in range(0, len(dialogues), 400):
            await store.append([one.batch() for one in dialogues[first : first + 400]])
        while await search.index_pending(400):
            pass
        yield search
    finally:
        await engine.dispose()


async def fuzz(search: Search, count: int, seed: int = 1) -> int:
    """Asks what nobody would type, of everything and as a customer; returns how many queries it were. Errors escape."""
    chance = random.Random(seed)
    for number in range(count):
        query = odd_query(chance)
        scope = Scope.customer("c-Ann Lee") if number % 3 == 0 else Scope.staff()
        found = await search.search(query, scope=scope, limit=1 + number % 20)
        if found.next is not None and number % 10 == 0:
            await search.search(query, scope=scope, cursor=found.next)
    return count


_ODD = (
    *"\"*-()[]{}:;,.'\\/|&!^~+=<>%$#@?_`\0\t\n ",
    *("agent:", "-agent:", "ticket:", "rating:", "on:", "after:2025-13", "before:0000", "from:", "OR", "AND", "NEAR("),
    *("kettle", "refund", "kettel", "112-7788", "4567", "#100009", '"the box', '"of the"', "ket*", "x*", "-red", "--"),
    *("topic:returns", "é", "ß", "ﬁ", "東京", "水", "한국", "ทดสอบ", "مرحبا", "🙂", "👨\u200d👩", "\u200b", "\u202e"),
    *("\ud800", "Ⅷ", "٣٤٥", "a" * 300, "1" * 60, "'" * 9),
)


def odd_query(chance: random.Random) -> str:
    """Pieces of the query language, words, scripts and noise in any order."""
    pieces = [chance.choice(_ODD) for _ in range(chance.randrange(9))]
    if chance.random() < 0.3:
        pieces += [chr(chance.randrange(0x11_0000)) for _ in range(chance.randrange(6))]
    chance.shuffle(pieces)
    return chance.choice(("", " ")).join(pieces)


@contextmanager
def databases() -> Iterator[dict[str, tuple[str, str]]]:
    """Two empty databases of each engine."""
    with tempfile.TemporaryDirectory() as folder, OwnPostgres() as server:
        made = Databases(server.url, kept=True)
        yield {
            "SQLite": (f"sqlite:///{Path(folder) / 'chat.db'}", f"sqlite:///{Path(folder) / 'odd.db'}"),
            "PostgreSQL": (made.empty(), made.empty()),
        }


async def measure(
    urls: dict[str, tuple[str, str]], sets: dict[str, list[Question]], dialogues: list[Dialogue], odd: int
) -> Measured:
    """Everything, on each engine."""
    found: Measured = {}
    for engine, (url, odd_url) in urls.items():
        async with indexed(url, dialogues) as search:
            found[engine] = {name: await ask(search, questions) for name, questions in sets.items()}
        if odd:
            async with indexed(odd_url, dialogues[:ODD_CHATS]) as search:
                asked = await fuzz(search, odd)
            print(f"{engine}: {asked:,} odd queries answered without an error", flush=True)
    return found


Measured = dict[str, dict[str, list[Asked]]]
"""{engine: {name of the set: its questions}}."""


def table(found: Measured, name: str) -> list[list[str]]:
    """Rows by kind: how many questions, and MRR and success on each engine."""
    engines = list(found)
    head = ["kind", "questions", *(f"{engine} {figure}" for engine in engines for figure in WANTED)]
    kinds = dict.fromkeys(one.question.kind for one in found[engines[0]][name])
    rows = [head]
    for kind in (*kinds, "all"):
        chosen = [[one for one in found[engine][name] if kind in (one.question.kind, "all")] for engine in engines]
        figures = (f"{value(asked):.3f}" for asked in chosen for value in (mrr, success))
        rows.append([kind, str(len(chosen[0])), *figures])
    return rows


def written(rows: list[list[str]]) -> str:
    """As Markdown."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def page(found: Measured) -> str:
    """As one HTML file: bars by kind, the tables, and each question that was not answered at once."""
    parts = [_HEAD]
    for name in next(iter(found.values())):
        rows = table(found, name)
        parts.append(f"<h2>{html.escape(name)}</h2><table>")
        for place, row in enumerate(rows):
            tag = "td" if place else "th"
            cells = "".join(
                f"<{tag}>{_bar(cell) if place and at > 1 else html.escape(cell)}</{tag}>" for at, cell in enumerate(row)
            )
            parts.append(f"<tr>{cells}</tr>")
        parts.append("</table><details><summary>Not at once</summary><table>")
        for engine, sets in found.items():
            for one in sets[name]:
                if one.place != 1:
                    cells = (engine, one.question.kind, one.question.query, str(one.place or "not in the first ten"))
                    parts.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>")
        parts.append("</table></details>")
    return "".join(parts)


def _bar(value: str) -> str:
    return f'<span class="bar"><i style="width:{float(value):.1%}"></i></span>{value}'


_HEAD = """<!doctype html><meta charset="utf-8"><title>How well the search finds</title>
<style>
body { font: 15px/1.45 system-ui; margin: 2rem auto; max-width: 70rem; padding: 0 1rem }
td, th { padding: .2rem .8rem; text-align: left; border-bottom: 1px solid #ddd; font-variant-numeric: tabular-nums }
.bar { display: inline-block; width: 6rem; height: .7rem; background: #eee; margin-right: .5rem }
.bar i { display: block; height: 100%; background: #0f766e }
</style><h1>How well the search finds</h1>"""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--of-each", type=int, default=12, help="questions of each kind")
    parser.add_argument("--held", action="store_true", help="ask the questions held out, too")
    parser.add_argument("--odd", type=int, default=0, help="odd queries to try")
    parser.add_argument("--misses", action="store_true", help="show what was not answered at once")
    parser.add_argument("--page", type=Path, help="write the report there, as HTML")
    options = parser.parse_args()
    dialogues = Writer().dialogues(CHATS)
    sets = {"tuned on": Asker(dialogues, held=False, seed=1).questions(options.of_each)}
    if options.held:
        sets["held out"] = Asker(dialogues, held=True, seed=99).questions(options.of_each)
    with databases() as urls:
        found = asyncio.run(measure(urls, sets, dialogues, options.odd))
    for name in sets:
        print(f"\n{name}\n\n{written(table(found, name))}")
        if options.misses:
            for one in found["SQLite"][name]:
                if one.place != 1:
                    print(f"  {one.place:2} {one.question.kind}: {one.question.query} ({len(one.question.answers)})")
    if options.page:
        options.page.parent.mkdir(parents=True, exist_ok=True)
        options.page.write_text(page(found))
        print(f"\n{options.page}")
    if options.held:
        short = [engine for engine in found if mrr(found[engine]["held out"]) < WANTED["MRR@10"]]
        short += [engine for engine in found if success(found[engine]["held out"]) < WANTED["success@10"]]
        sys.exit(1 if short else 0)


if __name__ == "__main__":
    main()
