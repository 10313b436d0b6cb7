"""How costs grow: with chats, with entries in a chat, with clients that come back at once, with watching agents.

    python -m bench.growth [chats] [entries] [resume] [watchers] [--out FOLDER]

Each part starts an installation of its own and ends it. Written are `growth.json`, `growth.html`, the curves,
and each of them as a picture, `*.svg`.
"""
