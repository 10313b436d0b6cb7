"""Words that say little about what a chat was about, however rare they are in a small record: the grammar of a
sentence, and what people say about looking for a chat ("the conversation in which somebody told me …").
"""

from functools import cache

from transcripts.search.analyser import terms

_GRAMMAR = """
a about above after again against all already also am an and any are as at back be because been before being below
between both but by can cannot could did do does doing done down during each either else ever every few for from
further get gets getting got had has have having he her here hers him his how however i if in into is it its itself
just let like made make many may me might mine more most much must my myself never no nor not now of off on once one
ones only onto or other our ours out over own per please quite rather really said same say she should since so some
such than that the their theirs them then there these they this those though through till to too toward under until
up upon us very was we well were what whatever when where whether which while who whom whose why will with within
without would yes yet you your yours
"""

_LOOKING = """
agent anyone anybody ask asked asking before believe chat chats client colleague conversation conversations customer
dialogue discuss discussed discussion earlier find found going guess help helped helping issue know lady last long look
looking maybe mention mentioned message messages once people person problem question recently remember second show
somebody somehow someone something sometime speak spoke support talk talked talking tell think thought ticket time told
transcript trying want wanted write writing wrote yesterday
"""


@cache
def common_words() -> frozenset[str]:
    """Their terms."""
    return frozenset(terms(_GRAMMAR + _LOOKING))
