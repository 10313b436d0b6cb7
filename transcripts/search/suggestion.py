"""The query as it may have been meant: words that nobody said, replaced by words from the chats that were found."""

from collections.abc import Iterable, Mapping

from transcripts.search.analyser import fold, terms, words
from transcripts.search.query import MAX_CHARS
from transcripts.search.spelling import distance


def suggestion(query: str, guesses: Mapping[str, tuple[str, ...]], texts: Iterable[str]) -> str | None:
    """The query with other words in it, None if none of the guesses is there.

    The index knows stems only; how a word is written is taken from what the asker is about to read. So nobody is shown
    a word from a chat that is not for them.

    Args:
        query: as it was typed.
        guesses: {term of the query: terms that may have been meant}.
        texts: what was said in the chats found, and what they are called.
    """
    wanted = {term for row in guesses.values() for term in row}
    written: dict[str, set[str]] = {}
    for text in texts:
        for word in words(text):
            if word.term in wanted:
                written.setdefault(word.term, set()).add(fold(text[word.start : word.end]))
    pieces: list[str] = []
    at = 0
    for word in words(query[:MAX_CHARS]):
        typed = fold(query[word.start : word.end])
        forms = [form for term in guesses.get(word.term, ()) for form in written.get(term, ()) if terms(form) == [term]]
        if forms and not _names_a_filter(query, word.end):
            pieces += [query[at : word.start], min(forms, key=lambda form: (distance(typed, form, len(typed)), form))]
            at = word.end
    return "".join([*pieces, query[at:MAX_CHARS]]) if pieces else None


def _names_a_filter(query: str, end: int) -> bool:
    return query[end : end + 1] == ":"
