"""The version of the hearing: it grows whenever the same recording may be heard differently."""

HEARING_VERSION = 2  # 1: the live ear alone, without a measuring pass
