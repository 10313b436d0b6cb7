# ruff: noqa: E501 (a table of sentences: one a line is easier to read)
"""What the made-up chats are about: how customers say it, what agents answer, and how somebody asks for it later.

`ask` are the questions that the search was tuned on, `held` those that it was not: they are only measured with.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scenario:
    """One thing that goes wrong. `{item}`, `{colour}`, `{city}`, `{amount}`, `{tracking}` are filled in."""

    topic: str
    said: tuple[str, ...]
    answered: tuple[str, ...]
    ask: tuple[str, ...]
    held: tuple[str, ...]


SCENARIOS = (
    Scenario(
        "Delivery",
        ("my {colour} {item} never arrived, tracking {tracking} says delivered", "the {item} was supposed to come on monday, nothing here. tracking is {tracking}"),
        ("I see {tracking} was handed to a neighbour in {city}.", "The carrier lost the {item}, I am sending it again."),
        ("parcel with the {item} never arrived", "{item} marked as delivered but it did not come"),
        ("delivery of the {item} went missing", "where is the {item} that never came"),
    ),
    Scenario(
        "Delivery",
        ("can you send the {item} to {city} instead? i moved last week", "I gave the wrong address for the {item}, please change it to {city}"),
        ("I changed the delivery address of the {colour} {item} to {city}.", "Done, the new address in {city} is on the label."),
        ("changing the address of the {item} to {city}", "moved to {city}, {item} sent to the old address"),
        ("new address in {city} for the {item}", "asked to redirect the {item} to {city}"),
    ),
    Scenario(
        "Delivery",
        ("the driver left the {item} in the rain, the box is soaked", "the courier threw the {item} over the fence, cardboard all wet"),
        ("I am sorry the {colour} {item} got wet. A new one leaves today.", "Thank you for the photo of the soaked box."),
        ("box of the {item} was soaked by rain", "courier threw the {item} over the fence"),
        ("{item} left outside in the rain", "wet packaging of a {item}, photo sent"),
    ),
    Scenario(
        "Returns",
        ("I want to return the {colour} {item}, it does not fit", "how do i send the {item} back? too small for me"),
        ("A return label for the {item} is in your mail.", "Once the {item} is back you get {amount} refunded."),
        ("returning a {colour} {item} because it does not fit", "return label for the {item}"),
        ("sending back a {item} that is too small", "how can I return the {item}"),
    ),
    Scenario(
        "Returns",
        ("still waiting for my refund of {amount} for the {item}", "i sent the {item} back three weeks ago, no money yet"),
        ("The refund of {amount} was booked today.", "Refunds for returned goods take five days, yours for the {item} is late."),
        ("refund of {amount} for the {item} is late", "sent back the {item} and got no money"),
        ("waiting weeks for the refund of a {item}", "when do I get my {amount} back for the {item}"),
    ),
    Scenario(
        "Returns",
        ("can i swap the {item} for the {colour} one", "I would like to exchange my {item} for a {colour} one"),
        ("We can exchange the {item}, the {colour} one is in stock.", "Your {colour} {item} leaves as soon as we have the other one."),
        ("exchange of the {item} for a {colour} one", "swapping a {item} for {colour}"),
        ("wanted a {colour} {item} instead of the one delivered", "exchanged {item}, other colour {colour}"),
    ),
    Scenario(
        "Payment",
        ("i was charged twice for the {item}, {amount} each time", "there are two payments of {amount} on my account for one {item}"),
        ("The second charge of {amount} is cancelled.", "It was a double booking, you get {amount} back."),
        ("charged twice for a {item}", "double payment of {amount}"),
        ("paid two times for the same {item}", "{amount} was taken twice from my account"),
    ),
    Scenario(
        "Payment",
        ("my card gets declined when I buy the {item}", "payment fails at checkout every time, i only want the {colour} {item}"),
        ("Your bank declined it. Please try another card or PayPal.", "Our checkout had an outage, the {item} is reserved for you."),
        ("card declined when buying a {item}", "checkout payment fails for the {colour} {item}"),
        ("could not pay for the {item} at checkout", "bank refused my card for a {item}"),
    ),
    Scenario(
        "Payment",
        ("the discount code is not working for the {item}", "voucher SPRING gives an error with the {item}"),
        ("The voucher was not valid for the {colour} {item}, I took {amount} off by hand.", "I added the discount of {amount} for you."),
        ("voucher error when ordering the {item}", "discount code not working on {item}"),
        ("coupon was rejected for the {colour} {item}", "promo code did not work for my {item}"),
    ),
    Scenario(
        "Broken item",
        ("the handle of the {colour} {item} broke off after two days", "handle came off my {item}, cheap plastic"),
        ("A new handle for the {item} is on its way.", "Please send a picture of the broken handle."),
        ("broken handle of a {colour} {item}", "handle broke off the {item}"),
        ("{item} with a handle that fell off", "replacement handle for the {item}"),
    ),
    Scenario(
        "Broken item",
        ("my {item} makes a loud humming noise and smells burnt", "the {colour} {item} hums like crazy and it smells of smoke"),
        ("Unplug the {item} at once, please. We replace it.", "That sounds like the motor of the {item}."),
        ("{item} humming and smells burnt", "loud noise from the {colour} {item}"),
        ("smoke smell from a {item}", "noisy {item}, motor replaced"),
    ),
    Scenario(
        "Broken item",
        ("there is a big scratch on the {item} right out of the box", "the {item} came with scratches all over, looks used"),
        ("I can offer {amount} off if you keep the scratched {item}.", "We take the scratched {colour} {item} back, of course."),
        ("scratched {item} out of the box", "scratches all over a {colour} {item}"),
        ("{item} looked used, with a scratch", "offered {amount} for a scratch on the {item}"),
    ),
    Scenario(
        "Broken item",
        ("parts are missing, no screws in the box of the {item}", "the bag with the screws for the {colour} {item} was not in the package"),
        ("I send you a bag of screws for the {item}.", "The missing screws leave {city} today."),
        ("missing screws for the {item}", "no screws in the box of the {colour} {item}"),
        ("{item} without its screws", "could not assemble the {item}, parts missing"),
    ),
    Scenario(
        "Invoice",
        ("i need an invoice for the {item} with my company name", "please send me the invoice of the {item}, VAT number must be on it"),
        ("The invoice with your VAT number is in your mail.", "I corrected the company name on the invoice for {amount}."),
        ("invoice with VAT number for the {item}", "company name on the invoice over {amount}"),
        ("billing document for a {item} with the company's name", "invoice correction, VAT, {item}"),
    ),
    Scenario(
        "Warranty",
        ("is the {item} still under warranty? bought it last year in {city}", "the battery of my {item} is dead after 14 months, warranty?"),
        ("The warranty of the {colour} {item} is two years.", "Yes, the battery is covered by the warranty."),
        ("warranty for the battery of a {item}", "{item} bought in {city}, still under warranty"),
        ("is a dead battery in the {item} covered", "guarantee on the {item} bought in {city}"),
    ),
    Scenario(
        "Account",
        ("i cannot log in, the reset mail never comes", "password reset for my account does not work, tried ten times for the {item} order"),
        ("I sent the reset mail again, look into your spam folder.", "Your account was locked, it is open again. The {item} is in your list."),
        ("password reset mail never comes", "account locked, cannot log in, {item}"),
        ("unable to sign in to my account because of the reset mail", "locked account with a {item} order"),
    ),
    Scenario(
        "Account",
        ("please delete my account and all my data", "I want to close my account, i only bought a {colour} {item} once"),
        ("Your account will be deleted within 30 days.", "The data of the {item} order stays for tax reasons."),
        ("delete my account and data, {colour} {item}", "closing an account after buying a {item}"),
        ("account deletion, only a {item} bought", "data protection, remove my account, {item}"),
    ),
    Scenario(
        "Products",
        ("does the {colour} {item} work with european plugs", "can I use the {item} in {city}? they have 230 volts there"),
        ("Yes, the {item} works with 110 to 230 volts.", "You need an adapter for the {colour} {item} in {city}."),
        ("{item} with european plugs", "adapter for the {item} in {city}, 230 volts"),
        ("voltage question about the {item} in {city}", "is the {colour} {item} usable in europe"),
    ),
    Scenario(
        "Products",
        ("when will the {colour} {item} be back in stock", "the {item} is sold out everywhere, will you get more"),
        ("The {colour} {item} is back in stock in two weeks.", "I put you on the list for the {item}."),
        ("{colour} {item} back in stock", "sold out {item}, waiting list"),
        ("{item} out of stock, told me two weeks", "when can I buy the {colour} {item} again"),
    ),
    Scenario(
        "Products",
        ("how do i clean the {item}? there are coffee stains on it", "is the {colour} {item} dishwasher safe"),
        ("Clean the {item} by hand with vinegar.", "The {item} is not dishwasher safe, sorry."),
        ("cleaning stains from a {item}", "dishwasher safe {colour} {item}"),
        ("how to wash the {item}", "vinegar to clean a {item}"),
    ),
    Scenario(
        "Gift card",
        ("my gift card of {amount} shows a balance of zero", "the gift card i got in {city} is not accepted"),
        ("The gift card had not been activated in {city}, now it has {amount}.", "I activated the card, you can buy the {item} now."),
        ("gift card of {amount} with no balance", "gift card from {city} not accepted"),
        ("balance of zero on a gift card bought in {city}", "gift card activated, {amount}"),
    ),
    Scenario(
        "Cancellation",
        ("please cancel the order of the {colour} {item}, i found it cheaper", "i ordered the {item} by mistake, can you stop it"),
        ("The order of the {item} is cancelled.", "It has left {city} already; please refuse the parcel."),
        ("cancelled order of a {colour} {item}", "ordered the {item} by mistake"),
        ("stop the order, {item} found cheaper", "cancelling my {item} order"),
    ),
    Scenario(
        "Wrong item",
        ("i ordered a {colour} {item} and got a different one", "you sent the wrong {item}, i wanted {colour}"),
        ("Keep the wrong one, the {colour} {item} leaves {city} today.", "I am sorry for the mix-up with the {item}."),
        ("wrong {item} sent instead of {colour}", "mix-up with a {colour} {item}"),
        ("received another {item} than the {colour} one I ordered", "got the wrong {item}"),
    ),
    Scenario(
        "Subscription",
        ("i want to pause my monthly box until june", "please stop the subscription, {amount} a month is too much"),
        ("Your subscription is paused until June.", "The subscription of {amount} ends this month."),
        ("pause the monthly subscription of {amount}", "stop subscription, too much at {amount}"),
        ("subscription paused until june, {amount}", "ending the monthly box of {amount}"),
    ),
)  # fmt: skip

ITEMS = (
    "kettle", "toaster", "floor lamp", "rain jacket", "running shoes", "headphones", "monitor", "office chair", "mattress", "bicycle pump",
    "tent", "blender", "coffee grinder", "backpack", "phone case", "keyboard", "tablet", "camera", "board game", "guitar", "curtains", "rug",
    "bookshelf", "yoga mat", "water bottle", "sunglasses", "wristwatch", "necklace", "sweater", "hiking boots", "umbrella", "pillow", "blanket",
    "frying pan", "knife set", "vacuum cleaner", "air fryer", "heater", "drone", "printer", "router", "speaker", "sewing machine", "stroller",
)  # fmt: skip
COLOURS = (
    "blue",
    "red",
    "green",
    "black",
    "white",
    "silver",
    "purple",
    "orange",
    "yellow",
    "turquoise",
    "beige",
    "pink",
)
CITIES = (
    "Leeds", "Hamburg", "Lyon", "Porto", "Kraków", "Malmö", "Zürich", "Boston", "Austin", "Dublin", "Gent", "Torino", "Sevilla", "Oslo",
    "Toronto", "Cardiff",
)  # fmt: skip
FIRST = (
    "Ann", "Bob", "Mia", "Noah", "Zoë", "Pedro", "Mei", "Omar", "Lena", "Igor", "Sofía", "Jamal", "Priya", "Hana", "Lars", "Chloé", "Tom", "Inés",
    "Kofi", "Björn", "Renée", "Aoife", "Mateusz", "Yuki",
)  # fmt: skip
LAST = (
    "Lee", "Stone", "Silva", "Khan", "Novák", "Berg", "Rossi", "Patel", "Okafor", "Larsen", "Moreau", "Satō", "Müller", "Fischer", "Reyes", "Blake",
    "Núñez", "O'Brien", "Lindström", "Kowalski", "Delacroix", "Haddad", "Nguyen", "Schröder",
)  # fmt: skip
AGENTS = (
    "Grace Hill",
    "Victor Ramos",
    "Elif Demir",
    "Jonas Weber",
    "Nadia Petrova",
    "Samuel Adeyemi",
    "Karin Holm",
    "Diego Torres",
)

GREETINGS = ("hi", "hello", "hey there", "good morning", "hi, anyone there?", "Hello, I have a question about my order")
WELCOMES = (
    "Hello, how can I help?",
    "Hi, thanks for waiting. What can I do for you?",
    "Good day, you are talking to {agent}.",
)
THANKS = ("thanks", "thx a lot", "ok great, thank you", "perfect, bye", "cheers", "ty!!")
GOODBYES = ("You are welcome. Have a nice day!", "Glad I could help, bye.", "Anything else I can do for you?")
SMALL_TALK = (
    "one moment please, I am looking at your order", "sorry for the wait, our system is slow today", "are you still there?", "yes still here",
    "could you tell me your order number", "no problem", "I understand, that is annoying", "let me check with the warehouse",
)  # fmt: skip
SLANG = {
    "you": "u",
    "please": "pls",
    "are": "r",
    "because": "cuz",
    "going to": "gonna",
    "thanks": "thx",
    "okay": "kk",
    "what": "wat",
    "your": "ur",
}

FOREIGN = (
    # (what was said, an answer, questions tuned on, questions held out)
    (("水壶漏水了，我想退货", "您好，请寄回水壶，我们会退款"), ("水壶漏水",), ("退货 水壶",)),
    (("注文した炊飯器が届きません", "申し訳ございません、明日発送します"), ("炊飯器が届きません",), ("炊飯器 届",)),
    (("주문한 헤드폰이 고장났어요", "새 제품을 보내 드리겠습니다"), ("헤드폰 고장",), ("헤드폰이 고장났어요",)),
    (("包裹送错地址了，送到上海了", "我们联系快递员"), ("包裹 上海",), ("送错地址",)),
    (("東京都庁の近くの店舗で受け取れますか", "はい、新宿店で受け取れます"), ("新宿店",), ("都庁の近く",)),
    (("Der Wasserkocher ist undicht, ich möchte mein Geld zurück", "Die Rückerstattung erfolgt in fünf Tagen"), ("wasserkocher undicht",), ("rückerstattung wasserkocher", "Ruckerstattung")),
    (("Où est mon colis ? La livraison était prévue hier à Besançon", "Désolé, le colis est bloqué au dépôt"), ("colis depot besancon",), ("livraison prevue hier",)),
    (("La cafetera llegó rota, quiero una devolución", "Le enviamos una cafetera nueva mañana"), ("cafetera rota devolucion",), ("enviamos cafetera manana",)),
    (("A máquina de lavar não liga, já tentei três vezes", "O técnico vai à sua casa amanhã"), ("maquina de lavar nao liga",), ("tecnico casa amanha",)),
    (("Чайник протекает, верните деньги", "Мы вернём деньги в течение недели"), ("чайник протекает",), ("вернём деньги",)),
)  # fmt: skip
