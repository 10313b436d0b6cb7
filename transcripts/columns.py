"""Column types that mean the same on both engines."""

from sqlalchemy import BigInteger, Integer
from sqlalchemy import Text as _Text

BigKey = BigInteger().with_variant(Integer(), "sqlite")
"""64 bits. SQLite makes a column its own row id only when the type is written INTEGER (which has 64 bits there)."""

Text = _Text().with_variant(_Text(collation="C"), "postgresql")
"""Text that compares and sorts by its bytes, as in SQLite. With a collation of the system, an upgrade of the system's
library may change the order under the indexes, which then find nothing any more.
"""
