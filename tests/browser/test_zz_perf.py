import os
import time

import pytest

from browser.devices import Devices

pytestmark = pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
def cpu():
    t=os.times(); return t.user+t.system
def test_a(chromium, site, watch):
    for i in range(10):
        marks=[]
        def m(n): marks.append((n, time.perf_counter(), cpu()))
        m("start")
        c = chromium.new_context(locale="en-GB"); m("context")
        p = c.new_page(); m("page")
        d = Devices(p).add(); m("device")
        p.goto(site.url+"/"); m("goto")
        p.get_by_role("button", name="Sign in", exact=True).click(); m("click")
        p.locator("#username").fill("a@b.co"); m("fill")
        p.goto("about:blank"); m("blank")
        c.close(); m("close")
        0 and print([f"{b[0]} {1000*(b[1]-a[1]):.0f}/{1000*(b[2]-a[2]):.0f}" for a,b in zip(marks, marks[1:])])
