"""Small English-like texts for toy vocabularies and toy corpora: no files, no network, the same in every run."""

import random

WORDS = """
the of and to in a is that for it as was with be by on not he his but at are this have from or had an which
they you were all their one we has there been if more when will would who so no out up into than them can only
other new some time may these two first then do any my now such like our over man me even most made after also
did many before must through years where much your way well down should because each just those people how too
little state good very make world still own see men work long get here between both life being under never day
same another know while last might us great old year off come since against go came right used take three
small large house water river mountain city street church school company court contract agreement party
parties date law term notice payment service product license exclusive assign terminate expire effective
govern governing state laws patient patients trial treatment dose placebo effect risk group results study
clinical letter captain ship sea island king queen queen's lord lady horse garden morning evening winter
summer spring doctor question answer reads writes reading writing written sign signs signed end ends ended
ending begin begins began beginning cell cells energy light sound electron atom force mass number numbers
equation figure table chapter section page pages
"""
NAMES = """
Anna Berlin Clara Darwin Elizabeth Florence George Hannah Istanbul James Kyoto London Mary Norfolk Oxford
Paris Quebec Robert Sarah Thomas Ursula Victoria William Xavier York Zürich José Élodie Müller Åsa Björn Çelik
Dvořák Łódź Señora Smith Jones
"""
EXTRAS = ["café", "naïve", "façade", "résumé", "Ångström", "don't", "it's", "e-mail", "U.S.", "Mr.", "Dr.", "No."]


def toy_text(seed: int, num_sentences: int = 12) -> str:
    """A text of English-like sentences with names, numbers and punctuation."""
    rng = random.Random(seed)
    sentences = []
    for _ in range(num_sentences):
        words = rng.choices(WORDS.split(), k=rng.randint(4, 14))
        words[rng.randrange(len(words))] = rng.choice(NAMES.split())
        if rng.random() < 0.5:
            words[rng.randrange(len(words))] = rng.choice(EXTRAS)
        if rng.random() < 0.4:
            words[rng.randrange(len(words))] = (
                f"{rng.randint(0, 20_000):,}" if rng.random() < 0.5 else str(rng.randint(0, 2030))
            )
        if rng.random() < 0.3:
            position = rng.randrange(len(words))
            words[position] = rng.choice(
                ['"{}"', "({})", "'{}'", "[{}]", "{};", "{}:", "{} -", "{} & co", "{}/{}", "{}%"]
            ).format(words[position], words[0])
        if rng.random() < 0.4:
            words[rng.randrange(len(words))] += ","
        sentence = " ".join(words)
        sentences.append(sentence[0].upper() + sentence[1:] + rng.choice("....?!"))
    return " ".join(sentences)


def toy_texts(number: int, num_sentences: int = 12) -> list[str]:
    """Several of them, each with its own seed."""
    return [toy_text(seed, num_sentences) for seed in range(number)]
