# Licensed under a 3-clause BSD style license - see LICENSE
"""
Draw the pictures of the documentation that come from the demo and its report.

    PYTHONPATH=tests python tools/draw_docs.py

writes docs/images/demo.png, report.png, report_dark.png and report_phone.png. Needs Chromium.
"""

import tempfile
import time
from pathlib import Path

from browser import Browser

from astro_xlatent.cli.main import main

IMAGES = Path(__file__).parents[1] / "docs" / "images"


def shoot(folder):
    """Show the report as it is found, with a selection in the dark, and on a phone."""
    with Browser(folder, 1280, 800) as page:
        page.open(folder / "out" / "report.html")
        left, top, width, height = page.run(
            "(r => [r.left, r.top, r.width, r.height])"
            "(document.querySelector('#plane .nsewdrag').getBoundingClientRect())"
        )
        page.run("document.documentElement.dataset.theme = 'light'; recolor()")
        page.drag(left + 0.05 * width, top + 0.2 * height, left + 0.4 * width, top + 0.9 * height)
        page.wait("brushed")
        x, y = page.run("((i, a) => [a.xaxis.d2p(plane.x[i]), a.yaxis.d2p(plane.y[i])])"
                        "(shown[Math.floor(shown.length / 2)], plane.box._fullLayout)")
        page.mouse("mouseMoved", left + x - 1, top + y)
        page.mouse("mouseMoved", left + x, top + y)
        page.wait("!document.getElementById('card').hidden")
        time.sleep(1)
        page.screenshot(IMAGES / "report.png")
        page.run("document.getElementById('theme').click()")
        time.sleep(1)
        page.screenshot(IMAGES / "report_dark.png")
        page.run("document.getElementById('theme').click()")
        page.key("Escape")
        page.resize(390, 844, mobile=True)
        page.mouse("mouseMoved", 1, 1)
        time.sleep(1)
        page.run("card(-1)")
        page.screenshot(IMAGES / "report_phone.png")
        assert page.complaints == [], page.complaints


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        main(["demo", "-o", f"{place}/out"])
        (IMAGES / "demo.png").write_bytes((Path(place) / "out" / "demo.png").read_bytes())
        shoot(Path(place))
