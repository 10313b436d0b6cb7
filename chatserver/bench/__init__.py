"""The load generator behind `chatserver bench`: real sockets, real sign-ins, all checks of the server on.

It knows the server from outside only: its command line, its HTTP interface and its protocol.
"""
