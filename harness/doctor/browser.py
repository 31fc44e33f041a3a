"""The browser: found, starts, shows a page; and the fonts without which screenshots of a chat show boxes."""

from __future__ import annotations

import shutil
import time
from functools import partial

from playwright.async_api import Error as PlaywrightError

from harness.doctor.audit import Audit
from harness.doctor.check import Check
from harness.doctor.child import run
from harness.doctor.finding import Figure, Finding, fail, of_error, ok, skipped, warn
from probes.chat.browser import Browser, find_chromium, first_line
from scenarios.errors import ProbeFault, ToolMissing
from scenarios.model import Text

SLOW_S = 10.0
PAGE = "data:text/html;charset=utf-8,<title>doctor</title><p id=p>您好</p>"
INSTALL = Text(
    zh="运行 make setup 安装 Chromium，或用 SHOPPER_CHROMIUM 指向已有的",
    en="run make setup, which installs Chromium, or set SHOPPER_CHROMIUM to one",
)


def checks(audit: Audit) -> list[Check]:
    """Returns the checks of the browser; without a chat in the target there is none to start."""
    return [
        Check("browser", Text(zh="浏览器", en="browser"), partial(_browser, audit), patience_s=60, alone=True),
        Check("fonts", Text(zh="中文字体", en="Chinese fonts"), _fonts),
    ]


async def _browser(audit: Audit) -> Finding:
    if audit.readable_target is not None and not audit.chats:
        return skipped("没有网页聊天", "the audit has no chat")
    browser = Browser()
    started = time.monotonic()
    try:
        path = find_chromium()
        context = await browser.context("http://127.0.0.1/", "zh")
        page = await context.new_page()
        await page.goto(PAGE)
        shown = await page.inner_text("#p")
        seconds = time.monotonic() - started
        version = "" if context.browser is None else context.browser.version
    except ToolMissing as error:
        return of_error(error, INSTALL)
    except (PlaywrightError, ProbeFault) as error:
        words = first_line(error)
        return fail(Text(zh=f"打不开页面：{words}", en=f"cannot open a page: {words}"), INSTALL)
    finally:
        await browser.close()
    figures: dict[str, Figure] = {"version": version, "path": str(path or ""), "seconds": round(seconds, 2)}
    found = Text(
        zh=f"Chromium {version}，{seconds:.1f} 秒打开一页", en=f"Chromium {version}, a page is open in {seconds:.1f} s"
    )
    if shown != "您好":
        return fail(Text(zh=f"页面显示不对：{shown}", en=f"shows a page wrongly: {shown}"), INSTALL, **figures)
    if seconds > SLOW_S:
        cure = Text(
            zh="机器太忙或磁盘太慢：换一台，或减少 at_once",
            en="busy machine or slow disk: use another, or lower at_once",
        )
        return warn(found, cure, **figures)
    return ok(found.zh, found.en, **figures)


async def _fonts() -> Finding:
    if shutil.which("fc-list") is None:
        return skipped("没有 fc-list，无从得知", "there is no fc-list to ask")
    listed = (await run("fc-list", ":lang=zh", "family")).out.splitlines()
    families = sorted({line.split(",")[0].strip() for line in listed if line.strip()})
    if not families:
        cure = Text(
            zh="apt install fonts-wqy-microhei（或 fonts-noto-cjk）",
            en="apt install fonts-wqy-microhei (or fonts-noto-cjk)",
        )
        return warn(
            Text(zh="没有：截图里的汉字会是方框", en="none: screenshots would show boxes"), cure, families=families
        )
    more_zh, more_en = (f" 等 {len(families)} 种", f" and {len(families) - 1} more") if len(families) > 1 else ("", "")
    return ok(f"{families[0]}{more_zh}", f"{families[0]}{more_en}", families=families)
