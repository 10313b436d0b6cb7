"""Messages in which nothing is secret, though it may look so."""

from __future__ import annotations

import random
import string
from collections.abc import Callable

from stdnum import ean, isbn, luhn

from bench.masking.cases import Case, Maker, card_number, digits, grouped, message

KEPT: dict[str, Maker] = {}


def _kept(make: Callable[[random.Random], str]) -> None:
    name = make.__name__.strip("_")
    KEPT[name] = lambda rng: Case(name, make(rng))


def _order_number(rng: random.Random) -> str:
    sixteen = "4" + "".join(rng.choices(string.digits, k=14))
    return rng.choice([
        f"{rng.randint(100, 999)}-{digits(rng, 7)}-{digits(rng, 7)}",
        f"{rng.randint(100, 999)}-{digits(rng, 7)}-{digits(rng, 7)}", f"#{digits(rng, rng.randint(4, 7))}",
        digits(rng, rng.randint(6, 12)),
            f"{rng.choice(['ORD', 'SO', 'AB', 'WEB', 'EX'])}-{digits(rng, rng.randint(5, 10))}",
            f"{rng.choice(['SO', 'AB', 'R'])}{digits(rng, 9)}",
        f"2026-{digits(rng, 6)}", f"{digits(rng, 3)}-{digits(rng, 6)}",
        f"D{digits(rng, 2)}-{digits(rng, 7)}-{digits(rng, 7)}", sixteen + str(luhn.calc_check_digit(sixteen)),
    ])  # fmt: skip


@_kept
def _order_number_in_a_chat(rng: random.Random) -> str:
    sentence = rng.choice([
        "my order {} has not arrived", "order {}", "order number {}", "It is about order {}",
        "the order number is {}", "Where is my order {}?",
        "I ordered two kettles, order no. {}", "my order number: {}", "Order #{} was cancelled",
        "can you look up order {} for me", "Bestellung {}",
        "meine Bestellnummer ist {}", "commande {}", "pedido {}", "for order {} I paid 49.99", "order id {}",
        "{} is my order number", "Regarding order {} from 12/03/2026",
        "the kettle from order {} is dented, I want to return it", "I have two orders: {} and the one from May",
        "invoice {}", "Auftragsnummer: {}",
    ])  # fmt: skip
    return message(rng, sentence.format(_order_number(rng)))


@_kept
def _order_that_passes_luhn(rng: random.Random) -> str:
    number = card_number(rng)
    sentence = rng.choice(
        [
            "order {}",
            "my order number is {}",
            "order no. {}",
            "Order #{}",
            "#{}",
            "order id: {}",
            "Bestellnummer {}",
            "commande n° {}",
            "booking {}",
            "invoice number {}",
            "{} is my order number",
            "WEB{}",
        ]
    )
    return message(rng, sentence.format(number))


@_kept
def _tracking(rng: random.Random) -> str:
    number = rng.choice([
        "1Z" + "".join(rng.choices(string.ascii_uppercase + string.digits, k=6)) + digits(rng, 10),
        "94001" + digits(rng, 17), digits(rng, 12), grouped(digits(rng, 12), (4, 4, 4), " "),
        f"RR{digits(rng, 9)}DE", "00340" + digits(rng, 15), digits(rng, 15), f"JD0{digits(rng, 17)}",
        f"TBA{digits(rng, 12)}", digits(rng, 14),
    ])  # fmt: skip
    sentence = rng.choice(
        [
            "tracking number {}",
            "tracking: {}",
            "the tracking says {}",
            "track {}",
            "my shipment {} is stuck",
            "DHL Sendungsnummer {}",
            "UPS {}",
            "FedEx tracking {}",
            "parcel {}",
            "Tracking ID {} has not moved",
        ]
    )
    return message(rng, sentence.format(number))


@_kept
def _ticket(rng: random.Random) -> str:
    sentence = rng.choice(
        [
            "ticket {}",
            "ticket #{}",
            "my ticket number is {}",
            "Regarding chat ticket #{}",
            "case {}",
            "reference {}",
            "Ticketnummer {}",
            "I have ticket {} open since Monday",
        ]
    )
    return message(rng, sentence.format(digits(rng, rng.randint(5, 9))))


@_kept
def _phone(rng: random.Random) -> str:
    area, middle, last = f"{rng.randint(201, 989)}", digits(rng, 3), f"{rng.randint(0, 9999):04}"
    number = rng.choice([
        f"({area}) {middle}-{last}", f"{area}-{middle}-{last}", f"+1 {area} {middle} {last}",
        f"+1-{area}-{middle}-{last}", f"{area}{middle}{last}", f"+49 170 {digits(rng, 7)}",
        f"0170 {digits(rng, 7)}", f"+44 20 {digits(rng, 4)} {digits(rng, 4)}", f"07{digits(rng, 9)}",
        f"+33 6 {grouped(digits(rng, 8), (2, 2, 2, 2), ' ')}", f"06 {grouped(digits(rng, 8), (2, 2, 2, 2), ' ')}",
        f"+91 {digits(rng, 5)} {digits(rng, 5)}", f"0049 {digits(rng, 3)} {digits(rng, 7)}",
        f"{area}.{middle}.{last}", f"+34 {grouped('6' + digits(rng, 8), (3, 3, 3), ' ')}",
    ])  # fmt: skip
    sentence = rng.choice(
        [
            "call me at {}",
            "my phone number is {}",
            "phone: {}",
            "{}",
            "my number is {}",
            "tel. {}",
            "you can reach me on {}",
            "mobile {}",
            "WhatsApp {}",
            "please ring {} after 5 pm",
        ]
    )
    return message(rng, sentence.format(number))


@_kept
def _date(rng: random.Random) -> str:
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(2020, 2027)
    date = rng.choice(
        [
            f"{day:02}/{month:02}/{year}",
            f"{year}-{month:02}-{day:02}",
            f"{day}.{month}.{year}",
            f"{month}/{day}/{year % 100:02}",
            f"{day} March {year}",
            f"{year}-{month:02}-{day:02} {rng.randint(0, 23):02}:{rng.randint(0, 59):02}",
            f"{month:02}/{year % 100:02}",
        ]
    )
    sentence = rng.choice(
        [
            "I bought it on {}",
            "it should have come by {}",
            "delivery date {}",
            "from {} to 12/12/2026",
            "{}",
            "the voucher expires {}",
            "am {} bestellt",
            "my password expired on {}",
            "warranty until {}",
            "it was {}, not later",
        ]
    )
    return message(rng, sentence.format(date))


@_kept
def _price(rng: random.Random) -> str:
    amount = f"{rng.randint(1, 4999)}.{rng.randint(0, 99):02}"
    price = rng.choice(
        [
            f"${amount}",
            f"{amount} €",
            f"EUR {amount}",
            f"{rng.randint(1, 9)},{rng.randint(100, 999)}.00",
            f"{rng.randint(1, 4000)} euros",
            f"£{amount}",
            amount,
            amount.replace(".", ",") + " €",
            f"${rng.randint(1, 40)},000",
        ]
    )
    sentence = rng.choice(
        [
            "I paid {}",
            "it was {}",
            "my account was charged {}",
            "the refund is {} not 12.50",
            "{} on my card",
            "balance {}",
            "prices: {}, 39.99, 29.99 and 19.99",
            "the total was {} for 3 items",
            "Why {}?",
            "you took {} from my bank account",
        ]
    )
    return message(rng, sentence.format(price))


@_kept
def _isbn_or_ean(rng: random.Random) -> str:
    twelve = rng.choice(
        [
            "978" + digits(rng, 9),
            "40" + digits(rng, 10),
            "50" + digits(rng, 10),
            "87" + digits(rng, 10),
            "0" + digits(rng, 11),
        ]
    )
    number = twelve + str(ean.calc_check_digit(twelve))
    if twelve.startswith("978") and rng.random() < 0.5:
        number = isbn.format(number)
    sentence = rng.choice(
        [
            "EAN {}",
            "the barcode says {}",
            "{}",
            "ISBN {}",
            "article {}",
            "EAN: {} is out of stock",
            "do you have {}?",
            "product {}",
            "GTIN {}",
        ]
    )
    return message(rng, sentence.format(number))


@_kept
def _serial(rng: random.Random) -> str:
    number = rng.choice([
        "".join(rng.choices(string.ascii_uppercase + string.digits, k=12)), f"SN-{digits(rng, 10)}",
        f"{digits(rng, 4)}-{digits(rng, 4)}-{digits(rng, 4)}", digits(rng, 15), f"35{digits(rng, 13)}",
        f"C02{''.join(rng.choices(string.ascii_uppercase + string.digits, k=9))}", digits(rng, 16),
        f"{rng.choice('ABCDE')}{digits(rng, 11)}",
    ])  # fmt: skip
    sentence = rng.choice(
        [
            "serial number {}",
            "serial: {}",
            "S/N {}",
            "the serial is {}",
            "Seriennummer {}",
            "serial no. {}",
            "model K-200, serial {}",
            "IMEI {}",
        ]
    )
    return message(rng, sentence.format(number))


@_kept
def _other_codes(rng: random.Random) -> str:
    sentence = rng.choice([
        f"discount code {digits(rng, 5)}", f"zip code {digits(rng, 5)}", f"error code {digits(rng, 6)}",
        f"my postcode is {digits(rng, 5)}", f"voucher code {digits(rng, 8)}", f"promo code SAVE{digits(rng, 2)}",
        f"customer number {digits(rng, 8)}", f"Kundennummer {digits(rng, 8)}", f"product code {digits(rng, 6)}",
        f"article number {digits(rng, 7)}", f"Artikelnummer {digits(rng, 6)}", f"error {digits(rng, 4)}",
        f"house number {digits(rng, 3)}", f"{digits(rng, 4)} Main Street", f"VAT number DE{digits(rng, 9)}",
        f"area code {digits(rng, 3)}", f"member {digits(rng, 7)}", f"RMA {digits(rng, 7)}",
        f"gift card code {digits(rng, 8)}",
    ])  # fmt: skip
    return message(rng, sentence)


@_kept
def _talk_of_secrets(rng: random.Random) -> str:
    return message(rng, rng.choice([
        "I forgot my password", "my password is not working", "the password is wrong", "I reset my password 3 times",
        "the password reset link has expired", "password does not work since yesterday",
        "I never got the code", "the code did not come by sms", "the code does not work", "my PIN was declined",
        "I forgot the pin for my card", "do you need my account number?",
        "which account should I use?", "is my card safe with you?", "my card ending in 4242 was charged twice",
        "paid with the card ending 1111 on 12/03/2026", "my account is locked",
        "I can not sign in to my account since 2024",
        "what is an IBAN?", "the verification code takes 10 minutes", "I changed the password 2 days ago",
        "please pin the chat", "the password field is empty", "I have 2 accounts and 1 password",
        "my card expires 12/27",
        "the password for the shop is broken", "Mein Passwort ist falsch", "mot de passe oublié",
        "mi contraseña no funciona", "password: forgotten", "I paid by bank transfer 2 weeks ago",
        "Is my password secure?",
    ]))  # fmt: skip
