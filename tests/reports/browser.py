"""Headless Chromium through its own debugging pipe: nothing to install beside the browser, no port that is opened."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import re
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-default-browser-check",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--disable-dev-shm-usage", "--mute-audio", "--hide-scrollbars", "--force-color-profile=srgb",
    "--remote-debugging-pipe",
)  # fmt: skip
PATIENCE = 60.0
"""Seconds for any one answer: a slow machine with other work takes its time."""

KEYS = {"Enter": ("\r", 13), "Tab": ("", 9), "Escape": ("", 27), " ": (" ", 32), "/": ("/", 191)}


class BrowserError(Exception):
    pass


class Browser:
    """One Chromium with an empty profile. `with Browser() as browser: page = browser.open(path)`."""

    def __enter__(self):
        self.profile = tempfile.mkdtemp(prefix="chromium-")
        down, self.out = os.pipe()
        self.inp, up = os.pipe()
        # Chromium reads its commands from descriptor 3 and answers on 4.
        high = [fcntl.fcntl(each, fcntl.F_DUPFD, 20) for each in (down, up)]

        def place():
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.process = subprocess.Popen(
            [CHROMIUM, *FLAGS, f"--user-data-dir={self.profile}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            pass_fds=(3, 4), preexec_fn=place, start_new_session=True,
        )  # fmt: skip
        for each in (down, up, *high):
            os.close(each)
        self.buffer, self.number, self.pages = b"", 0, {}
        try:
            self.call("Browser.getVersion")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        with contextlib.suppress(BrowserError, OSError):
            self.call("Browser.close", patience=5)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.inp)
        os.close(self.out)
        shutil.rmtree(self.profile, ignore_errors=True)

    def call(self, method, session=None, patience=PATIENCE, **params):
        self.number += 1
        number, message = self.number, {"id": self.number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + patience
        while True:
            answer = self.read(end)
            if answer is None:
                raise BrowserError(f"{method}: no answer within {patience} s")
            if answer.get("id") == number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def read(self, end):
        """The next message; an event goes to its page. None after `end`."""
        while b"\0" not in self.buffer:
            if not select.select([self.inp], [], [], max(0.0, end - time.monotonic()))[0]:
                return None
            got = os.read(self.inp, 1 << 20)
            if not got:
                raise BrowserError("the browser has ended")
            self.buffer += got
        line, self.buffer = self.buffer.split(b"\0", 1)
        message = json.loads(line)
        page = self.pages.get(message.get("sessionId"))
        if page is not None and "method" in message:
            page.event(message["method"], message["params"])
        return message

    def open(self, path: Path, *, width=1280, height=900, dark=False, scripts=True):
        return Page(self, path, width, height, dark, scripts)


class Page:
    """A page, what it asked the network for, and what went wrong in it."""

    def __init__(self, browser, path, width, height, dark, scripts):
        self.browser, self.requests, self.errors, self.dialogs, self.loaded = browser, [], [], [], False
        self.target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=self.target, flatten=True)["sessionId"]
        browser.pages[self.session] = self
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.size(width, height)
        self.media(dark=dark)
        if not scripts:
            self.call("Emulation.setScriptExecutionDisabled", value=True)
        self.go(path)

    def go(self, path):
        self.loaded = False
        self.call("Page.navigate", url=path.resolve().as_uri())
        end = time.monotonic() + PATIENCE
        while not self.loaded and self.browser.read(end) is not None:
            pass
        assert self.loaded

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def event(self, method, params):
        if method == "Page.loadEventFired":
            self.loaded = True
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(params["exceptionDetails"].get("exception", {}).get("description", "exception"))
        elif method == "Runtime.consoleAPICalled":
            self.errors.append(" ".join(str(each.get("value")) for each in params["args"]))
        elif method == "Log.entryAdded":
            self.errors.append(params["entry"]["text"])
        elif method == "Page.javascriptDialogOpening":
            self.dialogs.append(params["message"])

    def size(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def media(self, *, dark=False, media=""):
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])

    def js(self, expression):
        """The value of a JavaScript expression, as JSON has it."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise BrowserError(result["exceptionDetails"]["exception"].get("description", "exception"))
        return result["result"].get("value")

    def texts(self, selector):
        """What is written in each element, as a person sees it."""
        return self.js(f"[...document.querySelectorAll({json.dumps(selector)})].map((each) => each.innerText)")

    def text(self, selector):
        return self.texts(selector)[0]

    def luminance(self, selector, prop):
        """The relative luminance of a colour (WCAG 2)."""
        text = self.js(f"getComputedStyle(document.querySelector({json.dumps(selector)})).{prop}")
        parts = [int(each) / 255 for each in re.findall(r"\d+", text)[:3]]
        linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts]
        return sum(weight * each for weight, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    def click(self, selector):
        """With the mouse, where the first such element is; so whatever covers it gets the click."""
        box = self.js(
            f"(() => {{ const each = document.querySelector({json.dumps(selector)});"
            " each.scrollIntoView({block: 'center', inline: 'center'}); const box = each.getBoundingClientRect();"
            " return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def focus(self, selector):
        self.js(f"document.querySelector({json.dumps(selector)}).focus()")

    def press(self, key, shift=False):
        text, code = KEYS[key]
        common = {"key": key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def screenshot(self, *, full=False):
        """A PNG of what is in sight, or of the `full` page."""
        return base64.b64decode(
            self.call("Page.captureScreenshot", captureBeyondViewport=full, **self._clip(full))["data"]
        )

    def _clip(self, full):
        if not full:
            return {}
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}

    def pdf(self):
        return base64.b64decode(
            self.call("Page.printToPDF", preferCSSPageSize=False, paperWidth=8.27, paperHeight=11.69)["data"]
        )

    def close(self):
        self.browser.pages.pop(self.session, None)
        self.browser.call("Target.closeTarget", targetId=self.target)
