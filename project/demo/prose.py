"""The language of the made-up contracts: templates, and the words that fill them.

`(a|b)` is a choice of wordings, `[slot]` a value, and `<...>` the answer to the clause's question. A slot in capital
letters is an entity: PARTY_A, PARTY_B, PERSON, DATE, MONEY, TERM. [a] and [b] are the roles of the parties.
"""


def words(text: str) -> list[str]:
    """RETURNS (list[str]): the words of a text."""
    return text.split()


KINDS = [
    ("Supplier", "Customer", "Supply"),
    ("Contractor", "Client", "Construction"),
    ("Licensor", "Licensee", "License"),
    ("Provider", "Subscriber", "Services"),
    ("Carrier", "Shipper", "Transport"),
    ("Consultant", "Company", "Consulting"),
    ("Manufacturer", "Distributor", "Distribution"),
    ("Operator", "Owner", "Maintenance"),
]

OPENINGS = [
    "This [title] is (made|entered into|concluded) on [DATE] between [PARTY_A], having its seat in [city] (the “[a]”), "
    "and [PARTY_B], (with offices in|established in) [city] (the “[b]”).",
    "By this [title], dated [DATE], [PARTY_A] of [city] (hereinafter the “[a]”) and [PARTY_B] of [city] "
    "(hereinafter the “[b]”) agree (as follows|to the terms below).",
    "Between [PARTY_A], a company registered in [city] and called the “[a]” below, and [PARTY_B], a company registered "
    "in [city] and called the “[b]” below, the following [title] was signed on [DATE].",
]

DEFINITIONS = [
    "“[TERM]” means (any|each) (document|notice|item|schedule) that the (parties|[a] and the [b]) (exchange|approve in "
    "writing) under (Annex [number]|this agreement).",
    "“[TERM]” (means|shall mean) the (amount|quantity|period) that is (set out|described|fixed) in Annex [number].",
    "In this agreement “[TERM]” (refers to|stands for) the (work|goods|tasks|places) that the [a] (names|lists) "
    "(in the "
    "first month|from time to time|before delivery).",
    "The term “[TERM]” covers (everything|all that) the [b] (orders|receives|approves) during a "
    "(quarter|calendar year).",
]

SIGNATURES = [
    "Signed for [PARTY_A] by [PERSON] (on [DATE]|in [city]).",
    "Signed for [PARTY_B] by [PERSON] (on [DATE]|in [city]).",
]

# Question: wordings of the clause that answers it. Each contract contains each clause once, anywhere in the text.
FACTS = {
    "What is the effective date?": [
        "This agreement (takes effect|enters into force) on <[DATE]>, (whatever the date of its signature|even "
        "where it "
        "was signed earlier).",
        "The rights and duties under this agreement (begin|start to run) on <[DATE]> (the effective date|as the "
        "effective date).",
        "The agreement (is effective from|shall have effect as of) <[DATE]>.",
    ],
    "When does it expire?": [
        "Unless it is renewed, this agreement (ends|expires|terminates) on <[DATE]>.",
        "The term of this agreement runs (until|up to and including) <[DATE]>, when it (expires|ends) (without "
        "notice|of "
        "itself).",
        "The agreement shall (expire|come to its end) on <[DATE]> (and is not extended by silence|).",
    ],
    "How high is the annual fee?": [
        "For everything it receives, the [b] pays the [a] an annual fee of <[MONEY]>(, plus tax|).",
        "The annual fee (amounts to|is) <[MONEY]> and is (due|payable) in (two|four|twelve) equal parts.",
        "Each year the [b] (owes|pays) a fee of <[MONEY]> (per contract year|for the year).",
    ],
    "What caps liability?": [
        "The liability of either party is limited to <[MONEY]> (per year|in total).",
        "Neither party is liable for more than <[MONEY]>, (whatever the cause|on whatever legal ground).",
        "The (limit|cap) of liability (under this agreement|for all claims together) is <[MONEY]>.",
    ],
    "How long is the notice period?": [
        "Either party may terminate this agreement by (written|registered) notice of <[days] days>.",
        "The notice period (is|shall be) <[days] days> (for both parties|to the end of a month).",
        "This agreement may be terminated (early|) with a notice period of <[days] days>.",
    ],
    "Which law governs?": [
        "This agreement is governed by the law of <[state]>(, without its conflict rules|).",
        "The governing law (is|shall be) that of <[state]>.",
        "The law of <[state]> governs this agreement (and its annexes|and all claims arising from it).",
    ],
    "Who manages the project?": [
        "The [a] appoints <[PERSON]> as (its|the) project manager.",
        "The project manager of the [a] (is|shall be) <[PERSON]>, who (may bind the [a]|speaks for the [a]).",
        "As project manager, <[PERSON]> (is in charge of|directs) (the daily work|all work on site).",
    ],
    "Where are originals kept?": [
        "The signed originals of all documents are kept in <[city]> (for ten years|under lock).",
        "The [a] (keeps|stores) the originals (safely|) at its archive in <[city]>.",
        "All originals shall be (kept|deposited) in <[city]>, (where either party may see them|in a dry place).",
    ],
}

# Category: wordings of its two clauses. A contract has the category if it contains both; one alone means nothing.
CATEGORIES = {
    "EXCLUSIVE_DEALING": (
        [
            "The [b] shall buy (the goods|what it needs) from (the [a] alone|no other source than the [a]) "
            "(exclusively|) "
            "(in its region|in its branch).",
            "The [a] is the exclusive source of the [b], which (shall turn to no competitor|may not buy elsewhere).",
            "The [b] (grants|gives) the [a] exclusivity: it (takes|accepts) no offers of competitors.",
        ],
        [
            "In each quarter the [b] takes a minimum volume of [number] (units|pallets), (or pays for what is missing|"
            "failing which it pays the difference).",
            "The minimum volume (is|amounts to) [number] (units|pallets) a year; (a shortfall is paid for|the "
            "[b] makes "
            "good any shortfall).",
            "A shortfall against the minimum volume of [number] (units|pallets) (is invoiced|falls due) at the "
            "year’s end.",
        ],
    ),
    "CROSS_BORDER_DATA": (
        [
            "The [a] processes personal data of the [b]’s (staff|customers) (only as instructed|for this purpose "
            "only).",
            "Personal data (that reach the [a]|of natural persons) are processed (lawfully|on the [b]’s instructions).",
            "As processor of personal data the [a] (keeps a record of processing|names a privacy officer).",
        ],
        [
            "Servers may be hosted (overseas|outside the country), (in any region that the [a] names|on another "
            "continent).",
            "The [a] may move its hosting (overseas|to servers outside the country) (without further consent|at "
            "any time).",
            "Hosting (takes place|is done) on servers (overseas|in other regions of the world).",
        ],
    ),
    "SECURED_CREDIT": (
        [
            "The [b] may pay by instalments: (credit is granted|the price is deferred) for [days] days.",
            "The [a] grants credit, (and accepts|accepting) payment by instalments (over|within) [days] days.",
            "Payment is deferred (by|for) [days] days, (as a credit|in monthly instalments).",
        ],
        [
            "Title to the goods is retained by the [a] (until the last payment|as a lien) (and passes only then|).",
            "The [a] retains title as collateral (for all it is owed|until it is paid in full).",
            "A lien (secures|is collateral for) whatever the [b] owes; the [a] (retains title|keeps title).",
        ],
    ),
    "TAKEOVER_EXIT": (
        [
            "A merger of the [b], or a sale of (its shares|most of its shares), (shall be announced|is a takeover).",
            "A takeover (means|is) that (another group acquires the shares|shareholders lose control) of the [b].",
            "If the [b]’s shareholders change (through a merger|by a takeover), it (tells the [a]|informs the [a]).",
        ],
        [
            "The [a] may (withdraw|resign) (at once|with immediate effect) for an exit payment of (two|three) "
            "monthly rates.",
            "There is a right of immediate exit: the [a] (withdraws|may withdraw) (by a simple letter|in writing).",
            "By its exit right the [a] may withdraw (immediately|at once) and (owes nothing more|is free).",
        ],
    ),
}

SYLLABLES_FIRST = words(
    "Ver Kan Lum Bor Tas Nor Quil Hal Sten Mar Fen Ost Dre Pal Rix Gan Bel Cor Zan Ulm Tor Wey Ard Syl"
)
SYLLABLES_LAST = words(
    "dora trex enta wick olin aris mond eka veld ingo stra undo ella mere onix igo ansk uta orin ade"
)
BRANCHES = words("Logistics Systems Foods Energy Textiles Robotics Pharma Steel Media Partners Marine Optics")
FORMS = ["Group", "plc", "LLC", "Holding", "AG", "BV", "Limited"]
# Companies that are not parties: auditors, insurers, workshops.
OTHER_FORMS = words("Institute Laboratory Mutual Associates Agency Bureau Workshop")
FIRST_NAMES = words(
    "Ada Boris Clara Dmitri Elena Farid Greta Hugo Irina Jonas Karim Laila Milan Nadia Oscar Petra Rafael Sofia Tomas "
    "Ursula Viktor Wanda Yusuf Zora Amir Bianca Carlos Daria Emil Freya"
)
SURNAME_ENDINGS = words("son berg ini ova sky mann ez quist ard ley ton wright dal feld")
CITIES = words(
    "Rotterdam Gdansk Porto Lyon Bergen Turin Leipzig Malmo Ghent Bilbao Cork Graz Basel Tampere Aarhus Riga Split "
    "Dresden Nantes Utrecht Valencia Leeds Bristol Antwerp"
)
STATES = words(
    "Oregon Texas Delaware Ohio Nevada Vermont Norway Portugal Austria Ireland Denmark Finland Estonia Belgium "
    "Virginia Georgia Utah Maine Iowa Kansas"
)
TERM_FIRST = words(
    "Service Delivery Quality Release Transfer Site Storage Review Reserve Base Change Final Test Cargo Project Season"
)
TERM_LAST = words(
    "Credit Window Protocol Report Volume Plan Record Point Index List Notice Threshold Unit Schedule Measure Event"
)
MONTHS = words("January February March April May June July August September October November December")
