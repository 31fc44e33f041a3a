"""The version of the hearing: it grows whenever the same recording may be heard differently.

1: the live ear alone. 2: the measuring pass. 3: an agent who says nothing for seconds after a ringing that broke off is
taken to have been connected where it broke off, not just before the first word.
"""

HEARING_VERSION = 3
