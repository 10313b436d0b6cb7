"""Finding chats by what was said in them (docs/search.md)."""

from transcripts.search.query import Query, parse
from transcripts.search.results import Facets, Result, Results
from transcripts.search.scope import Scope
from transcripts.search.search import Search

__all__ = ["Facets", "Query", "Result", "Results", "Scope", "Search", "parse"]
