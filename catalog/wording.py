"""How words are compared: one function for what is imported and for what is typed."""

import re
import unicodedata

_LIGATURES = str.maketrans({"œ": "oe", "Œ": "oe", "æ": "ae", "Æ": "ae", "ß": "ss"})
# What NFKD has parted from Latin letters.
_MARKS = re.compile("[\u0300-\u036f]+")
_NOT_A_WORD = re.compile(r"[^0-9a-z]+")
_ARTICLES = {"l", "le", "la", "les", "un", "une", "des", "du", "de", "d"}
# Words too common to ask for, unless nothing else is asked.
FUNCTION_WORDS = _ARTICLES | {"et", "a", "au", "aux", "en", "qu", "que", "qui", "ou", "the", "of"}


def normalise(text: str) -> str:
    """Without accents, ligatures, capitals, apostrophes or punctuation: « L’Étranger ! » is « l etranger »."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_LIGATURES))
    return _NOT_A_WORD.sub(" ", _MARKS.sub("", decomposed).casefold()).strip()


def title_key(title: str) -> str:
    """A title as it is sorted and compared whole: without its leading article."""
    words = normalise(title).split()
    return " ".join(words[1:] if len(words) > 1 and words[0] in _ARTICLES else words)


def tokens(text: str) -> list[str]:
    """The words of a question, the common ones left out unless there is no other; at most twelve."""
    words = normalise(text).split()
    return ([word for word in words if word not in FUNCTION_WORDS] or words)[:12]
