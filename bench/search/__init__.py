"""How well the search finds (`make search-report`), and how fast it does in a large record (`make search-bench`)."""
