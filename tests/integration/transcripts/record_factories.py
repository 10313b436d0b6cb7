"""Chats with defaults, for the tests of the record."""

from typing import Any

from transcripts.entry import ChatBatch, Entry, Opening, Participant

TICKET = 100009
OTHER_TICKET = 100014
EPOCH = 77
CUSTOMER = "cust-mia"
START = 1_795_000_000_000


def make_entry(seq: int, **fields: Any) -> Entry:
    ticket = fields.pop("ticket", TICKET)
    defaults: dict[str, Any] = {
        "ticket": ticket,
        "seq": seq,
        "prev": seq - 1,
        "entry_id": f"e{ticket}-{seq}",
        "at": START + seq * 1000,
        "kind": "message",
        "audience": "all",
        "role": "customer",
        "participant_id": "p-mia",
        "name": "Mia",
        "text": f"line {seq}" if fields.get("kind", "message") in {"message", "note"} else None,
    }
    return Entry(**{**defaults, **fields})


def make_batch(*entries: Entry, **fields: Any) -> ChatBatch:
    ticket = fields.pop("ticket", entries[0].ticket if entries else TICKET)
    defaults: dict[str, Any] = {"ticket": ticket, "epoch": EPOCH, "entries": entries}
    if entries and entries[0].seq == 1:
        defaults["opening"] = make_opening()
        defaults["participants"] = (MIA, ANN)
    return ChatBatch(**{**defaults, **fields})


def make_opening(**fields: Any) -> Opening:
    defaults: dict[str, Any] = {
        "customer_id": CUSTOMER,
        "department": "support",
        "topic": "Returns",
        "order": "112-7788231-1234567",
        "customer_name": "Mia",
    }
    return Opening(**{**defaults, **fields})


def make_chat(ticket: int = TICKET, *, closed: bool = True, **opening: Any) -> ChatBatch:
    """Opened, asked, assigned to Ann, a note of hers, answered, closed: six entries, the fourth for staff."""
    ann = {"role": "agent", "participant_id": "p-ann", "name": "Ann"}
    entries = [
        make_entry(1, ticket=ticket, kind="opened", data={"topic": "Returns", "department": {"id": "support"}}),
        make_entry(2, ticket=ticket, text="Where do I send the blue kettle?", device="dev-mia-0000000000", n=1),
        make_entry(3, ticket=ticket, kind="assigned", data={"owner": "p-ann", "name": "Ann", "gen": 1}, **ann),
        make_entry(4, ticket=ticket, kind="note", audience="staff", text="She is a wholesale client.", **ann),
        make_entry(5, ticket=ticket, text="To the address on the label.", prev=3, device="dev-ann", n=2, **ann),
    ]
    if closed:
        entries.append(make_entry(6, ticket=ticket, kind="closed", data={"reason": "agent"}, **ann))
    return make_batch(*entries, opening=make_opening(**opening))


MIA = Participant(participant_id="p-mia", role="customer", person_id=CUSTOMER, name="Mia", joined_at=START)
ANN = Participant(
    participant_id="p-ann",
    role="agent",
    person_id="agent-ann",
    name="Ann",
    rights="post note close",
    joined_at=START + 1,
)
