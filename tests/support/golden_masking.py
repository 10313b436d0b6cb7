"""The golden cases of masking, tests/fixtures/masking.json: read by pytest and by the widget's tests, so that both
languages mask alike.

    python -m tests.support.golden_masking

writes the file anew: what people may say (below) and some cases of the generator, each with what Python makes of it.
Look at the difference before it is committed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.masking.cases import cases
from bench.masking.kept import KEPT
from bench.masking.secrets import SECRETS
from transcripts.masking import mask

FILE = Path(__file__).parents[1] / "fixtures" / "masking.json"
GENERATED = 8  # of each row of the generator
SEED = 5

SAID = """\
4111 1111 1111 1111 exp 12/27 cvv 123
card 4111-1111-1111-1111, expires 12/2027, security code: 123
4111.1111.1111.1111
4.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1
4111 1111 and then 1111 1111
first half is 41111111 and the second half is 11111111
4111|1111|1111|1111
4111*1111*1111*1111
(4111) (1111) (1111) (1111)
4️⃣1️⃣1️⃣1️⃣ 1️⃣1️⃣1️⃣1️⃣ 1️⃣1️⃣1️⃣1️⃣ 1️⃣1️⃣1️⃣1️⃣
𝟒𝟏𝟏𝟏 𝟏𝟏𝟏𝟏 𝟏𝟏𝟏𝟏 𝟏𝟏𝟏𝟏
my cvv is 123
CVC: 1234
123 is the cvv
the security code on the back is 123
exp 12/25 cvv 123 card 4111111111111111
12/25 4111111111111111
My SSN is 078-05-1120
078-05-1120
ssn: 078051120
my social security number is 078 05 1120
social is 123456789
My social, since you ask for it, is 536221234
IBAN DE89 3704 0044 0532 0130 00
DE89370400440532013000
gb29nwbk60161331926819
GB29 NWBK 6016 1331 9268 19 please
FR14 2004 1010 0505 0001 3M02 606
NL91ABNA0417164300
my iban: de89 3704 0044 0532 0130 00 thanks
NINO AB123456C
AB 12 34 56 C
my national insurance number is ab 12 34 56 c
QQ123456C
My SIN is 046 454 286
DE90 3704 0044 0532 0130 00
NL91ABNA04171643001
2341 2341 2346 and 2341 2341 2345
046-454-286 and 046-454-287
000-05-1120 and 078-00-1120 and 666-05-1120
912-70-1234 and 912-40-1234
AB123456C and BG123456C and AB123456E
4111 1111 1111 1112
046-454-286
social insurance number 046454286
Aadhaar 2341 2341 2346
2341 2341 2346
my aadhaar number is 234123412346
account number 12345678
My bank account is 000123456789 and the routing number is 021000021
routing 021000021, account 123456789
sort code 12-34-56 account 12345678
routing/account: 021000021 / 123456789
Kontonummer 1234567890, BLZ 37040044
acct #12345678
a/c no. 12345678
my password is hunter2
password: letmein
Password = "correct horse battery"
my password is hunter
Passwort: geheim123
mot de passe : soleil99
contraseña: abc123
mi contraseña es abc123
hunter2! is my password
pw: abc
the password for my account is S3cret!x
password S3cret!x
my pin is 1234
PIN: 4711
1234 is my pin
pin 12 34
my card pin is 0000
Meine PIN lautet 4711
mon code pin est 1234
the code is 482913
482913 is your Amazon verification code
your OTP is 482 913
verification code: 482-913
G-482913 is your Google verification code
code: G-482913
I got the code 123456
one-time password 884422
the 6 digit code you sent me is 123456
TAN 123456
Sicherheitscode: 123
２３４１ ２３４１ ２３４６
2 x 4111111111111111
visa4111111111111111exp12/25
card #4111111111111111
order 4111 1111 1111 1111
4111\n1111\n1111\n1111
41111 11111 111111
٤١١١ ١١١١ ١١١١ ١١١١
4242 4242 4242 4242 4242 4242 4242
room 4\\n2341 2341 2346
no 4\\nAB 12 34 56 C
４１１１　１１１１　１１１１　１１１１
"""

LEFT_ALONE = """\
order 112-7788231-1234567
order 4012888888881881
my order number is 4012888888881881
4012888888881881 is my order number
Regarding my order from last week: 4012888888881881
order #100234
ORD-2024-000123
tracking 1Z999AA10123456784
tracking number 9400111899223197428490
FedEx 7712 3456 7890
DHL 00340434161094042557
RR123456785DE
ticket #123456
call me at +1 (555) 123-4567
phone 555-123-4567
my number is 0170 1234567
+44 20 7946 0958
on 12/03/2025 at 14:03
2025-11-22
it cost 1,299.99 and 49.99
prices 49.99, 39.99, 29.99, 19.99
ISBN 978-3-16-148410-0
EAN 4006381333931
4006381333931
serial SN-4012888888881881
serial number C02XK1ABJGH5
IMEI 356938035643809
password reset link does not work
my password is not working
I forgot my password, order 12345
password is wrong
the password doesn't work since 12/03/2025
shipping code 1234567
discount code 12345
zip code 90210
error code 500123
error 404
pin the message 2 times
my account was charged 1234.56
my account 3 times
account balance 12345.67
customer number 12345678
invoice 20240001234
I paid 1234 euros on account
voucher expires 12/25
order AB123456C
serial no. AB123456C
model 123-45-6789
my address is 123 Main St 12345
lot 2341 2341 2346
can you check the status of 2024-123456-78
the pincode lock broke, 2 items
2021 2022 2023 2024
we are 4 people, 2 adults
RMA 046-454-286
parcel 046 454 286
meeting at 10 30 11 30 12 30 13 30
Article 123.456.78
I changed my password 3 times
the password for the shop is broken
my password is kind of long
code 20% off
my card was charged 2 times 1234
I used card ending 1111 for order 12345678
card ending in 4242
pass: 2 tickets
boarding pass A12345
Order 12345678 was paid with visa 1111
bank transfer 1500 euros
transaction 123456789012
PO 4500012345
bank holiday 2025
code of conduct 2024
"""

KEPT_BY_THEIR_AUTHOR = [
    ("IBAN DE89 3704 0044 0532 0130 00, pin 1234", ["iban"]),
    ("card 4111 1111 1111 1111 and pin 1234", ["card", "pin"]),
    ("my password is hunter2", ["password"]),
]


def golden() -> list[dict[str, Any]]:
    """Every case with its result."""
    said = [(text.replace("\\n", "\n"), list[str]()) for text in (SAID + LEFT_ALONE).splitlines()]
    made = [(case.text, list[str]()) for _, case in cases(SEED, GENERATED, SECRETS | KEPT)]
    rows = []
    for text, keep in [*said, *KEPT_BY_THEIR_AUTHOR, *made]:
        masked = mask(text, keep)
        rows.append({"text": text, "keep": keep, "masked": masked.text, "kinds": sorted(masked.kinds)})
    return rows


def written(rows: list[dict[str, Any]]) -> str:
    """One case a line."""
    return "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n"


if __name__ == "__main__":
    FILE.write_text(written(golden()))
