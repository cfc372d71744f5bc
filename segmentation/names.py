"""From the name of a ROI to the organ that it is, or the reason why it is none; never a guess (pure).

A name is that of an organ only if every word of it is understood: the words of one organ, its side if it has one, and
nothing else. Case, accents, separators and the order of words do not matter, so that TG-263's primary and reverse order
are one. What is left over, a number, a sign or a word that nobody knows, makes it something else.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from types import MappingProxyType

from segmentation.errors import StructureSetError
from segmentation.organ_words import FILLERS, MARKS, MIDLINE, PAIRED, SIDES, Language
from segmentation.structures import BY_NAME

LONGEST_NAME = 64  # characters, PS3.5 6.2: ROI Name is LO
HAN = "\u3400-\u9fff"
TOKEN = re.compile(rf"[{HAN}]+|[^\W\d_{HAN}]+|\d+|[^\w\s]")
SEPARATORS = frozenset(" -.,:;/\\()[]{}'\"")  # and the underscore, which is a letter to Python
MOST_LONE_LETTERS = 2  # in a word that was written without separators: LOpticN
MOST_READINGS = 32  # of a name; real ones have one or two

Readings = tuple[tuple[str, ...], ...]
OwnNames = Mapping[tuple[str, ...], str]
NO_OWN_NAMES: OwnNames = MappingProxyType({})


@dataclass(frozen=True)
class Match:
    """What a name means.

    Args:
        organ: TG-263 name of one of the twelve organs; None for anything else.
        reason: why it is none of them, or which is not clear; empty where `organ` is given.
    """

    organ: str | None
    reason: str = ""


def own_names(synonyms: Mapping[str, Sequence[str]]) -> OwnNames:
    """Return a site's own names in the form that `match_name` takes; they go before the project's words.

    Args:
        synonyms: TG-263 name to the names that the site uses for it.

    Raises:
        StructureSetError: for an organ that is not one of the twelve, a name without a letter, one of two organs, or
            one that means another organ to everyone else.
    """
    own: dict[tuple[str, ...], str] = {}
    faults = []
    for organ, names in synonyms.items():
        if organ not in BY_NAME:
            faults.append(f"{organ} is not an organ of this project")
        for name in names:
            key = _key(name)
            if not any(part.isalpha() for part in key):
                faults.append(f"{organ}: {name!r} is no name")
            elif own.setdefault(key, organ) != organ:
                faults.append(f"{name!r} stands for {own[key]} and for {organ}")
            elif (match_name(name).organ or organ) != organ:
                faults.append(f"{name!r} stands for {organ} and means {match_name(name).organ} everywhere else")
    if faults:
        raise StructureSetError("; ".join(faults))
    return own


def match_name(name: str, own: OwnNames = NO_OWN_NAMES) -> Match:
    """Return which organ a ROI's name means, or why none.

    Args:
        name: ROI Name, as it is written.
        own: the site's own names, from `own_names`.
    """
    if organ := own.get(_key(name)):
        return Match(organ)
    split = [(word, _readings(word)) for word in _tokens(name) if word.isalpha()]
    if reason := _mark_of(split) or _what_is_no_word(name) or _unknown(split):
        return Match(None, reason)
    if math.prod(len(readings) for _, readings in split) >= MOST_READINGS:
        return Match(None, "it can be read in too many ways")
    readings = product(*(readings for _, readings in split))
    matches = [_meaning([word for part in reading for word in part]) for reading in readings]
    organs = sorted({match.organ for match in matches if match.organ})
    if len(organs) > 1:
        return Match(None, f"it can be read as {' and as '.join(organs)}")
    return Match(organs[0]) if organs else matches[0]


def match_names(names: Sequence[str], own: OwnNames = NO_OWN_NAMES) -> dict[str, Match]:
    """Return what each name of a structure set means; an organ that two of them mean belongs to neither.

    Args:
        names: of all ROIs that compete, each as often as it is there; leave out those without contours.
        own: the site's own names, from `own_names`.
    """
    matches = {name: match_name(name, own) for name in names}
    counts = Counter(names)
    claims: dict[str, list[str]] = {}
    for name, match in matches.items():
        if match.organ:
            claims.setdefault(match.organ, []).append(name)
    for organ, claimants in claims.items():
        for name in claimants:
            others = [repr(other) for other in claimants if other != name]
            if counts[name] > 1:
                matches[name] = Match(None, f"{counts[name]} ROIs have this name: which is {organ} is unclear")
            elif others:
                matches[name] = Match(None, f"{organ} is also claimed by {', '.join(others)}: which it is is unclear")
    return matches


def _fold(name: str) -> str:
    """Return the name in lower case without accents, of full-width letters the usual ones."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold())
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def _tokens(name: str) -> list[str]:
    """Return words, numbers and signs, folded; separators fall away."""
    return [token for token in TOKEN.findall(_fold(name)) if token not in SEPARATORS]


def _key(name: str) -> tuple[str, ...]:
    return tuple(sorted(_tokens(name)))


def _what_is_no_word(name: str) -> str:
    """Return the reason why a name cannot be an organ's that lies beside its words, or nothing."""
    if not 0 < len(name.strip()) <= LONGEST_NAME:
        return f"a name has 1 to {LONGEST_NAME} characters"
    tokens = _tokens(name)
    if not any(token.isalpha() for token in tokens):
        return "it has no word"
    if name.lstrip().startswith("_"):
        return "an underscore before the name marks a helper (TG-263)"  # as does a z, which is among the words
    if signs := [token for token in tokens if not token.isalnum()]:
        return f"the sign {signs[0]!r} marks something else than the organ"
    if numbers := [token for token in tokens if not token.isalpha()]:
        return f"the number {numbers[0]} marks a margin, a dose or another version"
    return ""


def _mark_of(split: Sequence[tuple[str, Readings]]) -> str:
    """Return what a word says that the ROI is instead of an organ, or nothing."""
    for word, readings in split:
        for piece in (piece for reading in readings for piece in reading):
            if piece in MARKS and piece not in ORGAN_WORDS:
                return f"{piece!r} says that it is {MARKS[piece]}"
        if word in MARKS and word not in ORGAN_WORDS:
            return f"{word!r} says that it is {MARKS[word]}"
    return ""


def _unknown(split: Sequence[tuple[str, Readings]]) -> str:
    """Return which word nobody knows, or nothing."""
    unknown = [word for word, readings in split if not readings]
    return f"{unknown[0]!r} is no word of an organ" if unknown else ""


def _meanings() -> dict[tuple[str, ...], dict[str, frozenset[Language]]]:
    """Return for each phrase, its words in alphabetical order, the organs that it names and in which languages."""
    meanings: dict[tuple[str, ...], dict[str, frozenset[Language]]] = {}
    for organ, by_language in {**MIDLINE, **PAIRED}.items():
        for language, phrases in by_language.items():
            for phrase in phrases:
                organs = meanings.setdefault(tuple(sorted(phrase.split())), {})
                organs[organ] = organs.get(organ, frozenset()) | {language}
    return meanings


MEANINGS = _meanings()
ORGAN_WORDS = frozenset(word for phrase in MEANINGS for word in phrase)
VOCABULARY = ORGAN_WORDS | SIDES.keys() | FILLERS | MARKS.keys()


@lru_cache(maxsize=4096)
def _readings(word: str) -> Readings:
    """Return the plainest ways to read a word: as itself if it is known, else as known words written as one."""
    if word in VOCABULARY:
        return ((word,),)
    if len(word) > LONGEST_NAME:
        return ()
    # Up to each place, the plainest ways to cut what stands before it: effort adds up, so no better whole is lost.
    cuts: list[list[tuple[str, ...]]] = [[()], *([] for _ in word)]
    for end in range(1, len(word) + 1):
        starts = [start for start in range(end) if cuts[start] and word[start:end] in VOCABULARY]
        ways = [(*before, word[start:end]) for start in starts for before in cuts[start]]
        plainest = min(map(_effort, ways), default=None)
        cuts[end] = [parts for parts in ways if _effort(parts) == plainest][:MOST_READINGS]
    return tuple(parts for parts in cuts[-1] if _effort(parts)[0] <= MOST_LONE_LETTERS)


def _effort(parts: Sequence[str]) -> tuple[int, int]:
    """Return how far-fetched a reading is, by its lone letters and its words: a gland is no "g", "l" and "and"."""
    return sum(len(part) == 1 and part.isascii() for part in parts), len(parts)


def _meaning(words: Sequence[str]) -> Match:
    """Return what known words mean together."""
    spoken = [word for word in words if word not in FILLERS]
    sides = [word for word in spoken if word in SIDES]
    rest = tuple(sorted(word for word in spoken if word not in SIDES))
    meanings = MEANINGS.get(rest)
    if not meanings:
        if marks := [word for word in rest if word in MARKS]:
            return Match(None, f"{marks[0]!r} says that it is {MARKS[marks[0]]}")
        return Match(None, "its words together name none of the organs" if rest else "it names a side and no organ")
    if len(meanings) > 1:
        return Match(None, f"it can be read as {' and as '.join(sorted(meanings))}")
    [(organ, languages)] = meanings.items()
    return _with_side(organ, languages, sides)


def _with_side(organ: str, languages: frozenset[Language], sides: Sequence[str]) -> Match:
    """Return the organ on the side that the words name."""
    if foreign := [word for word in sides if not SIDES[word][1] & languages]:
        return Match(None, f"what {foreign[0]!r} means beside {organ} is unclear")
    named = sorted({SIDES[word][0] for word in sides})
    if organ in MIDLINE:
        return Match(None, f"{organ} has no sides: it is a part of it") if named else Match(organ)
    if len(named) != 1:
        return Match(None, f"the side is missing: {organ}_L or {organ}_R" if not named else "it names both sides")
    return Match(f"{organ}_{named[0]}")
