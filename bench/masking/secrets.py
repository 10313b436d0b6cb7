"""Messages with secrets, by what is secret in them."""

from __future__ import annotations

import random
import string
from collections.abc import Callable

from stdnum import luhn, verhoeff
from stdnum.iso7064 import mod_97_10

from bench.masking.cases import Case, Maker, card_number, digits, grouped, message

SECRETS: dict[str, Maker] = {}


def _secret(kind: str) -> Callable[[Callable[[random.Random], tuple[str, str]]], None]:
    def add(make: Callable[[random.Random], tuple[str, str]]) -> None:
        SECRETS[make.__name__.strip("_")] = lambda rng: Case(kind, *make(rng))

    return add


_DIGIT_FORMS = [
    str.maketrans(string.digits, form) for form in ("０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹", "०१२३४५६७८९")
]

_CARD_SENTENCES = [
    "my card is {}", "card number {}", "here is the number: {}", "{}", "it was charged to {}",
    "can you refund it to {}", "I paid with {}",
    "use this one {} for the payment", "visa {}", "the number on the front says {}", "cc {}",
    "Meine Kreditkarte ist {}", "ma carte est {}",
    "mi tarjeta es {}", "{} is my card", "You asked for the card: {}", "number={}", "my new card ({}) does not work",
    "here: {} ok?",
]  # fmt: skip


def _shape_of(number: str) -> tuple[int, ...]:
    return {15: (4, 6, 5), 14: (4, 6, 4)}.get(len(number), (4, 4, 4, 4, 3))


@_secret("card")
def _card_in_one_piece(rng: random.Random) -> tuple[str, str]:
    number = card_number(rng)
    return message(rng, rng.choice(_CARD_SENTENCES).format(number)), number


@_secret("card")
def _card_in_groups(rng: random.Random) -> tuple[str, str]:
    number = card_number(rng)
    separator = rng.choice(
        [
            " ",
            " ",
            " ",
            "-",
            "-",
            ".",
            "/",
            "  ",
            " - ",
            "_",
            ",",
            "\u00a0",
            "\u2009",
            "\u2013",
            "\u2011",
            "|",
            "*",
            "\n",
            ". ",
        ]
    )
    return message(rng, rng.choice(_CARD_SENTENCES).format(grouped(number, _shape_of(number), separator))), number


@_secret("card")
def _card_in_odd_groups(rng: random.Random) -> tuple[str, str]:
    number = card_number(rng)
    size = rng.choice([1, 2, 8])
    shape = (size,) * (len(number) // size) if len(number) % size == 0 else (4, len(number) - 4)
    separator = rng.choice([" ", "-", ".", "\u200b", "\u00ad", "\u2060"])
    written = grouped(number, shape, separator)
    return message(rng, rng.choice(_CARD_SENTENCES).format(written)), number


@_secret("card")
def _card_in_other_digits(rng: random.Random) -> tuple[str, str]:
    number = card_number(rng)
    separator = rng.choice(["", " ", "\u3000", "-"])
    form = rng.choice(_DIGIT_FORMS)
    return message(
        rng, rng.choice(_CARD_SENTENCES).format(grouped(number, _shape_of(number), separator)).translate(form)
    ), number


@_secret("card")
def _card_split_by_words(rng: random.Random) -> tuple[str, str]:
    number = card_number(rng)
    while len(number) != 16:
        number = card_number(rng)
    words = rng.choice([" then ", " and then ", ", next ", " and ", " followed by ", " dash ", " ... "])
    shape = rng.choice([(4, 4, 4, 4), (8, 8)])
    return message(
        rng, rng.choice(["card: {}", "it is {}", "my card is {}", "{}"]).format(grouped(number, shape, words))
    ), number


@_secret("card")
def _expiry_and_code_beside(rng: random.Random) -> tuple[str, str]:
    number, code = card_number(rng), f"{rng.randint(0, 999):03}"
    expiry = f"{rng.randint(1, 12):02}{rng.choice('/-')}{rng.choice(['', '20'])}{rng.randint(26, 32)}"
    form = rng.choice([
        "{} {} {}", "{}, {}, {}", "{} exp {} cvv {}", "{} exp. {}, CVV: {}", "{}, expires {}, security code {}",
        "{} valid thru {} cvc {}",
        "{} {} cvv2 {}", "{} expiry date {} and the code is {}", "{} / {} / {}", "{}\n{}\n{}", "{} Exp {} CVC {}",
        "{} gültig bis {}, Prüfziffer {}",
    ])  # fmt: skip
    return message(rng, form.format(grouped(number, _shape_of(number), rng.choice(["", " ", "-"])), expiry, code)), code


@_secret("card")
def _security_code(rng: random.Random) -> tuple[str, str]:
    code = f"{rng.randint(0, 999):03}"
    form = rng.choice([
        "the cvv is {}", "CVV {}", "cvc: {}", "security code {}", "CVV2={}", "my cvc code is {}", "{} is the cvv",
        "the security code is {}",
        "die Prüfnummer ist {}", "código de seguridad {}", "the 3 digits on the back are {}", "cvv number: {}",
    ])  # fmt: skip
    return message(rng, form.format(code)), code


@_secret("ssn")
def _ssn(rng: random.Random) -> tuple[str, str]:
    number = (
        f"{rng.choice([rng.randint(1, 665), rng.randint(667, 899)]):03}{rng.randint(1, 99):02}{rng.randint(1, 9999):04}"
    )
    if rng.random() < 0.6:
        form = rng.choice(
            [
                "{}",
                "my SSN is {}",
                "ssn {}",
                "here you go: {}",
                "social security number: {}",
                "it's {}",
                "for the form, {}",
            ]
        )
        return message(rng, form.format(grouped(number, (3, 2, 4), rng.choice("---."))).replace("..", ".")), number
    form = rng.choice([
        "my SSN is {}", "ssn: {}", "SSN {}", "my social security number is {}", "social security no. {}",
        "my social is {}", "{} is my social security number",
        "Social Security # {}",
    ])  # fmt: skip
    return message(rng, form.format(grouped(number, rng.choice([(9,), (3, 2, 4)]), " "))), number


_BANKS = {"DE": "n18", "GB": "a4n14", "FR": "n10c11n2", "NL": "a4n10", "ES": "n20", "IT": "a1n10c12", "AT": "n16",
    "CH": "n5c12", "PL": "n24",
          "BE": "n12", "SE": "n20", "IE": "a4n14", "NO": "n11", "MT": "a4n5c18", "PT": "n21", "DK": "n14",
          "SA": "n2c18", "TR": "n6c16"}  # fmt: skip


@_secret("iban")
def _iban(rng: random.Random) -> tuple[str, str]:
    country = rng.choice(list(_BANKS))
    form, body, place = _BANKS[country], "", 0
    while place < len(form):
        kind, stop = form[place], place + 1
        while stop < len(form) and form[stop].isdigit():
            stop += 1
        letters = {"n": string.digits, "a": string.ascii_uppercase, "c": string.digits + string.ascii_uppercase}[kind]
        body += "".join(rng.choices(letters, k=int(form[place + 1 : stop])))
        place = stop
    number = country + mod_97_10.calc_check_digits(body + country) + body
    written = number if rng.random() < 0.4 else grouped(number, (4,) * 9, rng.choice([" ", " ", "-", "\u00a0", "."]))
    written = written.lower() if rng.random() < 0.2 else written
    sentence = rng.choice(
        [
            "{}",
            "my IBAN is {}",
            "IBAN: {}",
            "please send it to {}",
            "Konto {}",
            "refund to {} please",
            "iban {}",
            "{} is my account",
        ]
    )
    return message(rng, sentence.format(written)), number


@_secret("nino")
def _nino(rng: random.Random) -> tuple[str, str]:
    prefix = rng.choice("ABCEGHJKLMNOPRSTWXYZ") + rng.choice("ABCEGHJKLMNPRSTWXYZ")
    while prefix in ("BG", "GB", "NK", "KN", "TN", "NT", "ZZ"):
        prefix = "A" + rng.choice("ABCEGHJKLMNPRSTWXYZ")
    number = prefix + digits(rng, 6) + rng.choice("ABCD")
    written = number if rng.random() < 0.5 else grouped(number, (2, 2, 2, 2, 1), rng.choice([" ", "-"]))
    sentence = rng.choice(
        [
            "{}",
            "my NI number is {}",
            "National Insurance number: {}",
            "NINO {}",
            "it's {}",
            "here is my national insurance number {}",
        ]
    )
    return message(rng, sentence.format(written)), number


@_secret("sin")
def _sin(rng: random.Random) -> tuple[str, str]:
    number = rng.choice("1234567") + "".join(rng.choices(string.digits, k=7))
    number += str(luhn.calc_check_digit(number))
    if rng.random() < 0.5:
        sentence = rng.choice(["{}", "my SIN is {}", "here: {}", "SIN: {}", "it's {}", "social insurance {}"])
        return message(rng, sentence.format(grouped(number, (3, 3, 3), rng.choice(" -")))), number
    sentence = rng.choice(
        ["my SIN is {}", "SIN {}", "social insurance number {}", "my SIN number: {}", "NAS {}", "{} is my SIN"]
    )
    return message(rng, sentence.format(number)), number


@_secret("aadhaar")
def _aadhaar(rng: random.Random) -> tuple[str, str]:
    number = rng.choice("23456789") + "".join(rng.choices(string.digits, k=10))
    number += str(verhoeff.calc_check_digit(number))
    if rng.random() < 0.5:
        sentence = rng.choice(["{}", "my Aadhaar is {}", "here is it {}", "Aadhaar: {}"])
        return message(rng, sentence.format(grouped(number, (4, 4, 4), rng.choice(" -")))), number
    sentence = rng.choice(
        ["my Aadhaar number is {}", "aadhar no {}", "Aadhaar card number: {}", "adhar {}", "{} is my aadhaar number"]
    )
    return message(rng, sentence.format(number)), number


@_secret("account")
def _account(rng: random.Random) -> tuple[str, str]:
    number = digits(rng, rng.randint(7, 12))
    sentence = rng.choice([
        "my account number is {}", "account no. {}", "acct {}", "bank account: {}", "my bank account number is {}",
        "Account #{}", "Kontonummer {}",
        "checking account {}", "send it to account {}", "a/c no {}", "numéro de compte {}", "número de cuenta: {}",
        "savings account number: {}",
        "{} is my account number", "my acct number: {}", "Konto-Nr. {}", "account number, {}",
    ])  # fmt: skip
    return message(rng, sentence.format(number)), number


@_secret("account")
def _routing(rng: random.Random) -> tuple[str, str]:
    if rng.random() < 0.3:
        number = digits(rng, 6)
        sentence = rng.choice(["sort code {}", "sort code: {}", "my sort code is {}", "the sortcode is {}"])
        return message(rng, sentence.format(grouped(number, (2, 2, 2), rng.choice(["-", " ", ""])))), number
    eight = f"{rng.randint(1, 12):02}" + "".join(rng.choices(string.digits, k=6))
    number = eight + str(
        -sum(int(one) * weight for one, weight in zip(eight, (3, 7, 1, 3, 7, 1, 3, 7), strict=True)) % 10
    )
    sentence = rng.choice([
        "routing number {}", "my routing number is {}", "routing: {}", "ABA {}", "aba routing number: {}", "RTN {}",
        "transit number {}",
        "routing no. {}", "{} is the routing number",
    ])  # fmt: skip
    return message(rng, sentence.format(number)), number


def password(rng: random.Random) -> str:
    """As people choose them."""
    word = rng.choice(
        ["sunshine", "Kettle", "dragon", "hunter", "Paris", "letmein", "Schalke", "iloveyou", "qwerty", "Blue-Moon"]
    )
    return rng.choice([
        f"{word}{rng.randint(1, 9999)}", f"{word}!", f"{word}_{rng.randint(10, 99)}", f"{rng.randint(10, 99)}{word}",
        f"{word.capitalize()}#{rng.randint(1, 99)}",
        "".join(rng.choices(string.ascii_letters + string.digits, k=10)) + "7", f"{word[:4]}${rng.randint(10, 99)}x",
        f"{word}{rng.randint(1980, 2012)}!",
    ])  # fmt: skip


@_secret("password")
def _password(rng: random.Random) -> tuple[str, str]:
    secret = password(rng)
    sentence = rng.choice([
        "my password is {}", "password: {}", "Password {}", "pw: {}", "the password is {}", "pwd={}",
        "my login is ann and my password is {}", "Passwort: {}",
        "mein Passwort ist {}", "mot de passe : {}", "mi contraseña es {}", "the password for my account is {}",
        "{} is my password", "password = {}",
        "user ann password {}", "my old password was {}", 'the password is "{}"', "pass: {}", "passcode: {}",
        "la contraseña: {}", "senha: {}", "wachtwoord: {}",
    ])  # fmt: skip
    return message(rng, sentence.format(secret)), secret


@_secret("pin")
def _pin(rng: random.Random) -> tuple[str, str]:
    secret = "".join(rng.choices(string.digits, k=rng.choice([4, 4, 4, 6])))
    sentence = rng.choice([
        "my PIN is {}", "pin {}", "PIN: {}", "the pin is {}", "pin code {}", "my pin number is {}", "PIN={}",
        "Meine PIN ist {}", "die Geheimzahl lautet {}",
        "mon code PIN est {}", "{} is my pin", "mi pin es {}", "my card's PIN is {}", "the PIN of my card is {}",
        "pin: {}",
    ])  # fmt: skip
    return message(rng, sentence.format(secret)), secret


@_secret("code")
def _one_time_code(rng: random.Random) -> tuple[str, str]:
    secret = "".join(rng.choices(string.digits, k=rng.choice([6, 6, 6, 4, 5, 8])))
    shown = secret if len(secret) != 6 or rng.random() < 0.7 else grouped(secret, (3, 3), rng.choice(" -"))
    sentence = rng.choice([
        "the code is {}", "my verification code is {}", "OTP {}", "the OTP is {}", "code: {}", "{} is the code",
        "I got the code {}", "one-time code {}",
        "{} is my one time password", "the code you sent me is {}", "sms code {}", "my 2FA code is {}",
        "Your verification code is: {}", "login code: {}",
        "der Code lautet {}", "TAN: {}", "mein Bestätigungscode ist {}", "le code de vérification est {}",
        "mi código de verificación es {}",
        "security code: {}" if len(secret) > 4 else "authentication code: {}", "the confirmation code is {}",
        "{} is your Example verification code",
    ])  # fmt: skip
    return message(rng, sentence.format(shown)), secret
