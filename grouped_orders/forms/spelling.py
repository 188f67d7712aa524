"""A slip of the thumb in an e-mail address: asked about, never refused, for there may be such a domain."""

from os.path import commonprefix

# Where parents of Belgium and France have their mail. Real ones that look like a slip of another stand here too,
# so that nobody is asked about them.
_WELL_KNOWN = """
gmail.com hotmail.com hotmail.fr hotmail.be outlook.com outlook.fr outlook.be live.com live.fr live.be msn.com
yahoo.com yahoo.fr yahoo.be icloud.com me.com proton.me protonmail.com gmx.com gmx.fr gmx.net aol.com
mail.com email.com ymail.com skynet.be proximus.be telenet.be voo.be scarlet.be orange.fr orange.be
wanadoo.fr free.fr sfr.fr laposte.net bbox.fr neuf.fr numericable.fr
hotmail.de hotmail.fi hotmail.se outlook.de outlook.ie yahoo.de yahoo.ie yahoo.se
"""
_DOMAINS = frozenset(_WELL_KNOWN.split())
# Domains that give nobody an address, and are written all the time.
_MEANT = {"gmail.fr": "gmail.com", "gmail.be": "gmail.com", "laposte.fr": "laposte.net", "laposte.com": "laposte.net"}
# In a shorter one, one letter is too much of it: « tree.fr » is not « free.fr ».
_SHORTEST = 8


def suggest_email(email: str) -> str:
    """The address that was probably meant, when a well-known domain is one slip away; empty when there is none.

    A slip is one letter too many, too few or another one, or two neighbours changed about.
    """
    name, _at, domain = email.rpartition("@")
    domain = domain.lower()
    if domain in _DOMAINS:
        return ""
    close = [known for known in sorted(_DOMAINS) if len(known) >= _SHORTEST and _is_one_slip(domain, known)]
    meant = _MEANT.get(domain) or (close[0] if len(close) == 1 else "")
    return f"{name}@{meant}" if meant else ""


def _is_one_slip(written: str, meant: str) -> bool:
    start = len(commonprefix([written, meant]))
    written, meant = written[start:], meant[start:]
    end = len(commonprefix([written[::-1], meant[::-1]]))
    written, meant = written[: len(written) - end], meant[: len(meant) - end]
    return max(len(written), len(meant)) <= 1 or (len(written) == 2 and written == meant[::-1])
