"""The dial policy: nothing is called or opened unless it is this machine, or an authorisation names it (domain 4.5).

The string that is checked is the string that is dialled, so only one plain way of writing it is let through; whatever
is spelled otherwise is refused rather than understood.
"""

from __future__ import annotations

import re
from datetime import datetime
from urllib.parse import SplitResult, urlsplit

from harness.authorisation import Authorisation
from harness.phone_number import never_dialled, normal, permits, plain, refused_kind
from harness.refusal import Refusal, insist
from probes.address import host_of, is_loopback

_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]"
_SIP = re.compile(
    rf"sips?:(?P<user>[A-Za-z0-9+._-]{{1,64}})@(?P<host>{_HOST})(?::[0-9]{{1,5}})?(?:;transport=(?:udp|tcp|tls))?",
    re.ASCII,
)
_TRUNK = re.compile(rf"sips?:(?:{_HOST})(?::[0-9]{{1,5}})?(?:;transport=(?:udp|tcp|tls)|;lr)*", re.ASCII)
_NETLOC = re.compile(rf"(?:{_HOST})(?::[0-9]{{1,5}})?", re.ASCII)
_NUMBER = re.compile(r"\+?[0-9]{2,20}", re.ASCII)
_URL = re.compile(r"[!-\[\]^_a-z{|}~]+", re.ASCII)  # visible ASCII but for the backslash and the backtick
_LONGEST = 2000
KINDS = {
    "a feature code": "功能码", "a mobile number": "手机号码", "an international number": "境外号码",
    "a single digit": "一位数字",
}  # fmt: skip
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def check_call(uri: str, authorisation: Authorisation | None, now: datetime) -> None:
    """Lets a call through, or refuses it. To be asked again at the instant of dialling, and for every redirection.

    Args:
        uri: the very SIP URI that will be dialled: ``sip:NUMBER@HOST[:PORT]``.
        authorisation: the client's permission; None reaches loopback only.
        now: an aware datetime.

    Raises:
        PolicyRefused: one sentence that says why, and the cure.
    """
    insist(never(uri))
    if not is_loopback(host_of(uri)):
        signed = in_force(uri, authorisation, now)
        insist(unnamed_number(uri, signed))
        insist(unnamed_host(uri, signed))


def check_trunk(uri: str, authorisation: Authorisation | None, now: datetime) -> None:
    """Lets a registration through, or refuses it: our own trunk is this machine, or named in the authorisation.

    Hours and recording do not matter for it: nobody is called.

    Args:
        uri: the registrar or outbound proxy, ``sip:HOST[:PORT]``.
        authorisation: the client's permission.
        now: an aware datetime.

    Raises:
        PolicyRefused: one sentence that says why, and the cure.
    """
    insist(no_trunk(uri))
    if is_loopback(host_of(uri)):
        return
    signed = _given(uri, authorisation)
    insist(signed.unsigned(now) or signed.out_of_date(now))
    insist(unnamed_host(uri, signed))


def check_chat(url: str, authorisation: Authorisation | None, now: datetime) -> None:
    """Lets a chat page or interface be opened, or refuses it.

    Args:
        url: the very URL that will be opened.
        authorisation: the client's permission; None reaches loopback only.
        now: an aware datetime.

    Raises:
        PolicyRefused: one sentence that says why, and the cure.
    """
    insist(no_page(url))
    if not is_local_page(url):
        insist(unnamed_page(url, in_force(url, authorisation, now)))


def in_force(what: str, authorisation: Authorisation | None, now: datetime) -> Authorisation:
    """Returns the authorisation if there is one and it holds now.

    Raises:
        PolicyRefused: none, unsigned, out of date, without a ground for recording, or outside its hours.
    """
    signed = _given(what, authorisation)
    insist(signed.refused(now))
    return signed


def never(uri: str) -> Refusal | None:
    """Says why ``uri`` is not dialled under any authorisation: the fixed list, the kinds, and other spellings."""
    shown = _short(uri)
    if len(uri) > _LONGEST:
        return Refusal.of(
            f"{shown} is longer than {_LONGEST} letters, so it is not dialled.",
            f"{shown} 超过 {_LONGEST} 个字符，不拨打。",
        )
    if never_dialled(uri):
        return Refusal.of(
            f"{shown} leads to an emergency or public-service number, which is never dialled.",
            f"{shown} 指向紧急或公共服务号码，任何情况下都不拨打。",
        )
    kind = refused_kind(uri)
    if kind:
        return Refusal.of(
            f"{shown} is {kind}, and those are never dialled.", f"{shown} 属于{KINDS[kind]}，任何情况下都不拨打。"
        )
    if _SIP.fullmatch(uri) is None:
        return Refusal.of(
            f"{shown} is not written as sip:NUMBER@HOST[:PORT], so it is not dialled.",
            f"{shown} 不是 sip:号码@主机[:端口] 的写法，不拨打。",
        )
    return None


def unnamed_number(uri: str, signed: Authorisation) -> Refusal | None:
    """Says why the number of ``uri`` (which :func:`never` lets through) is not covered."""
    user = _user(uri)
    if not _NUMBER.fullmatch(user):
        return Refusal.of(
            f"{_short(uri)} names no telephone number, so no authorisation can cover it.",
            f"{_short(uri)} 不含电话号码，任何授权都不能覆盖。",
        )
    if any(permits(number, user) for number in signed.numbers):
        return None
    return Refusal.of(
        f"Number {plain(uri)} is not in the authorisation of {signed.client}.",
        f"号码 {plain(uri)} 不在“{signed.client}”的授权书中。",
        "correct the target, or have the client sign it into numbers.",
        "请更正被测目标，或请被测机构将其列入 numbers。",
    )


def unnamed_host(uri: str, signed: Authorisation) -> Refusal | None:
    """Says why the host of a SIP URI is not one of our own lines."""
    host = host_of(uri)
    if host.lower() in {trunk.lower().strip("[]") for trunk in signed.trunks}:
        return None
    return Refusal.of(
        f"Trunk {_short(host)} is not in the authorisation of {signed.client}.",
        f"中继 {_short(host)} 不在“{signed.client}”的授权书中。",
        "name it in trunks if it is your own line.",
        "如确系我方线路，请列入 trunks。",
    )


def no_trunk(uri: str) -> Refusal | None:
    """Says why ``uri`` cannot be a registrar or proxy: only the plain spelling is what it seems to be."""
    if len(uri) <= _LONGEST and _TRUNK.fullmatch(uri):
        return None
    return Refusal.of(
        f"{_short(uri)} is not written as sip:HOST[:PORT], so nothing is sent there.",
        f"{_short(uri)} 不是 sip:主机[:端口] 的写法，不向其发送任何内容。",
        "leave out user and parameters; ;transport= and ;lr are allowed.",
        "请去掉用户名和参数；可保留 ;transport= 和 ;lr。",
    )


def not_ours(account_uri: str | None, signed: Authorisation) -> Refusal | None:
    """Says why a line may not call under the name of its account."""
    cure = (
        "give the line an account whose user is in identities.",
        "请为线路设置账号，其用户名须列入 identities。",
    )
    if account_uri is None:
        return Refusal.of(
            "The line names no account, so nobody knows who calls.", "线路没有账号，主叫身份不明。", *cure
        )
    if _SIP.fullmatch(account_uri) is None:
        return Refusal.of(
            f"{_short(account_uri)} is not written as sip:USER@HOST, so nobody calls under that name.",
            f"{_short(account_uri)} 不是 sip:用户@主机 的写法，不以此身份呼叫。",
            *cure,
        )
    user, host = _user(account_uri), host_of(account_uri)
    hosts = {trunk.lower().strip("[]") for trunk in signed.trunks}
    for identity in signed.identities:
        name, _, at = identity.partition("@")
        same = name == user or (bool(_NUMBER.fullmatch(user)) and normal(name) == normal(user))
        if same and (host.lower() == at.lower() if at else host.lower() in hosts):
            return None
    return Refusal.of(
        f"Caller identity {user}@{host} is not in the authorisation of {signed.client}.",
        f"主叫身份 {user}@{host} 不在“{signed.client}”的授权书中。",
        "if the line is your own, name its user in identities and its host in trunks.",
        "如确系我方线路，请将用户名列入 identities，主机列入 trunks。",
    )


def no_page(url: str) -> Refusal | None:
    """Says why ``url`` is not opened under any authorisation."""
    if _split(url) is not None:
        return None
    return Refusal.of(
        f"{_short(url)} is not written as http(s)://HOST[:PORT]/PATH, so it is not opened.",
        f"{_short(url)} 不是 http(s)://主机[:端口]/路径 的写法，不打开。",
    )


def is_local_page(url: str) -> bool:
    """Says whether ``url`` is a page of this machine."""
    parts = _split(url)
    return parts is not None and is_loopback(parts.hostname or "")


def unnamed_page(url: str, signed: Authorisation) -> Refusal | None:
    """Says why a page is not covered."""
    parts = _split(url)
    if parts is not None and any(_covers(entry, parts) for entry in signed.urls):
        return None
    return Refusal.of(
        f"{_short(url)} is not in the authorisation of {signed.client}.",
        f"{_short(url)} 不在“{signed.client}”的授权书中。",
        "correct the target, or have the client sign it into urls.",
        "请更正被测目标，或请被测机构将其列入 urls。",
    )


def ungiven(what: str) -> Refusal:
    """Says that ``what`` is not on this machine and nobody has signed for it."""
    return Refusal.of(
        f"{_short(what)} is not on this machine and there is no authorisation for it.",
        f"{_short(what)} 不在本机，也没有授权书。",
        "put authorisation.yaml beside the target, or name one with --authorisation.",
        "请将 authorisation.yaml 放在被测目标文件旁，或用 --authorisation 指定。",
    )


def _given(what: str, authorisation: Authorisation | None) -> Authorisation:
    if authorisation is None:
        raise ungiven(what).error()
    return authorisation


def _user(uri: str) -> str:
    match = _SIP.fullmatch(uri)
    return "" if match is None else match["user"]


def _split(url: str) -> SplitResult | None:
    """Parses a URL of the one plain form, or returns None."""
    if not _URL.fullmatch(url) or len(url) > _LONGEST:
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not _NETLOC.fullmatch(parts.netloc):
        return None
    return None if re.search(r"(^|/|%2f)(\.|%2e){1,2}($|/|%2f)", parts.path.lower()) else parts


def _covers(entry: str, url: SplitResult) -> bool:
    """Says whether an entry of the authorisation (a host, or a URL prefix) covers ``url``."""
    given = _split(entry if "://" in entry else f"{url.scheme}://{entry}")
    if given is None or (given.scheme, given.hostname) != (url.scheme, url.hostname):
        return False
    if (given.port or _PORTS[given.scheme]) != (url.port or _PORTS[url.scheme]):
        return False
    if given.query:  # on a host that many share, the query says whose chat it is
        return (given.path, given.query) == (url.path, url.query)
    prefix = given.path.rstrip("/")
    return url.path == prefix or url.path.startswith(prefix + "/") or not prefix


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
