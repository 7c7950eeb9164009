# Licensed under a 3-clause BSD style license - see LICENSE
"""The report in a real browser, and what is left out of it."""

import base64
import json
import re
import sys
import time

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table
from browser import Browser, find_chromium
from enriched import make_enriched

from astro_xlatent import describe
from astro_xlatent.core.errors import ParameterError, TableError
from astro_xlatent.core.flags import FLAGS
from astro_xlatent.plotting import write_report

pytest.importorskip("plotly", reason="the report needs the extra [plot]")


class Flat:
    """A model whose decoded spectra are flat."""

    latent_space = "test"

    def decode(self, latent):
        """One photon in 1190 bins."""
        return np.full((len(latent), 1190), 1 / 1190, np.float32)


def make_table(rows=300):
    """An enriched table with positions and names."""
    table = make_enriched(rows)
    rng = np.random.default_rng(1)
    table["dec"] = rng.uniform(-60, 60, rows)
    table["xl_latent"][:] = rng.normal(size=(rows, 8))
    for name, factor in (("xl_nh_lolim", 0.5), ("xl_nh_hilim", 2.0)):
        table[name][:] = factor * np.asarray(table["xl_nh"])
    # Not all NumPy integers fit a number of JavaScript's.
    table["obsid"] = 2**60 + np.arange(rows)
    # Nor the bits of JavaScript's operators the highest flags.
    table["xl_flag"] = np.asarray(table["xl_flag"]) | np.where(np.arange(rows) % 5 == 2, FLAGS[-1], 0)
    return table


def payload(path):
    """The data in a page."""
    found = re.search(
        r'<script id="data" type="application/json">(.*?)</script>', path.read_text("utf-8"), re.S
    )
    return json.loads(found[1])


needs_browser = pytest.mark.skipif(find_chromium() is None, reason="no Chromium on this machine")


@pytest.fixture
def browser(tmp_path):
    """A browser whose complaints fail the test."""
    with Browser(tmp_path) as page:
        page.save_to(tmp_path)
        yield page
    assert page.complaints == []


@pytest.fixture
def opened(browser, tmp_path):
    """A browser with the report of a table."""
    table = make_table()
    write_report(table, tmp_path / "report.html", model=Flat())
    browser.open(tmp_path / "report.html")
    return browser, table


def counted(page):
    """Number of rows that the page shows."""
    page.run("new Promise(done => setTimeout(done, 200))")
    return int(page.run("document.getElementById('count').textContent").split()[0].replace(",", ""))


def center(page, selector):
    """Left, top, width and height of an element."""
    return page.run(f"(r => [r.left, r.top, r.width, r.height])(document.querySelector({selector!r})"
                    ".getBoundingClientRect())")


def download(path):
    """Wait for a file and give it as a table."""
    end = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < end, f"{path.name} did not come"
        time.sleep(0.05)
    time.sleep(0.1)
    return Table.read(path, format="ascii.csv" if path.suffix == ".csv" else "votable")


@needs_browser
def test_brushing_selects_and_export_saves_them(opened, tmp_path):
    """The rows inside the rectangle, and no others, are counted, marked on the sky, and saved."""
    page, table = opened
    left, top, width, height = center(page, "#plane .nsewdrag")
    page.drag(left + 0.3 * width, top + 0.3 * height, left + 0.7 * width, top + 0.7 * height)
    page.wait("brushed")
    latent = np.asarray(table["xl_latent"])[:-1, :2]
    low, high = np.transpose(page.run("(a => [a.xaxis.range, a.yaxis.range])(plane.box.layout)"))
    place = (latent - low) / (high - low)
    inside = np.flatnonzero(((place > 0.3) & (place < 0.7)).all(axis=1))
    edge = ((np.abs(place - 0.3) < 0.005) | (np.abs(place - 0.7) < 0.005)).any(axis=1).sum()
    assert abs(counted(page) - len(inside)) <= edge
    assert 20 < counted(page) < 250
    # The sky, too, has so many bright points.
    bright = page.run("maps[1].box.data.map(t => t.selectedpoints?.length || 0)")
    assert sum(bright) == counted(page)
    page.run("document.getElementById('csv').click()")
    page.run("document.getElementById('votable').click()")
    saved, again = download(tmp_path / "selection.csv"), download(tmp_path / "selection.vot")
    assert len(saved) == len(again) == counted(page)
    assert len(set(saved["row"]) ^ set(inside)) <= edge
    rows = np.asarray(saved["row"])
    np.testing.assert_allclose(saved["xl_nh"], table["xl_nh"][rows], rtol=1e-6)
    np.testing.assert_allclose(again["xl_latent_3"], table["xl_latent"][rows, 3], rtol=1e-6)
    assert list(saved["obsid"].astype(str)) == list(table["obsid"][rows].astype(str))
    assert again["xl_nh"].unit == table["xl_nh"].unit
    assert again["xl_nh"].meta["ucd"] == "phys.columnDensity;meta.modelled"
    page.key("Escape")
    assert counted(page) == len(table)


@needs_browser
@pytest.mark.parametrize(("text", "rows"), [
    ('"source 17"', lambda t: np.char.find(np.asarray(t["name"]).astype(str), "source 17") >= 0),
    ("no_data", lambda t: (np.asarray(t["xl_flag"]) & 1) > 0),
    (FLAGS[-1].name, lambda t: (np.asarray(t["xl_flag"]) & FLAGS[-1]) > 0),
    ("xl_nh>5e21 ra<180", lambda t: (np.ma.filled(t["xl_nh"], 0) > 5e21) & (np.asarray(t["ra"]) < 180)),
    ("LMXB", lambda t: np.ma.filled(t["xl_class"], "") == "LMXB"),
])
def test_search_filters(opened, text, rows):
    """Names, flags, classes and comparisons are found, without regard to case."""
    page, table = opened
    page.type("search", text)
    page.run("new Promise(done => setTimeout(done, 300))")
    assert counted(page) == np.sum(rows(table)) > 0


@needs_browser
def test_table_sorts_and_keyboard_walks(opened):
    """A click sorts, missing values last; arrows move through the rows and show the card."""
    page, table = opened
    page.run(
        "[...document.querySelectorAll('#head button')].find(b => b.textContent.startsWith('xl_nh ')).click()"
    )
    order = np.argsort(np.ma.filled(table["xl_nh"], np.inf), kind="stable")
    assert page.run("+document.querySelector('.row').dataset.row") == order[0]
    assert page.run("document.querySelectorAll('.row').length") < 60
    page.run("document.getElementById('grid').focus()")
    page.key("ArrowDown")
    page.key("ArrowDown")
    assert page.run("+document.querySelector('.row.active').dataset.row") == order[1]
    card = page.run("document.getElementById('card').textContent")
    name, named, column, *_ = describe(table[order[1]]).sentences[0]
    assert name in card and named in card and column in card and "BANDS_ONLY" in card
    assert page.run("document.querySelector('#sketch .scatterlayer path') !== null")


@needs_browser
def test_keyboard_selects_what_is_in_view(opened):
    """Plus zooms the map, Enter selects what is left in it, 0 shows all again."""
    page, table = opened
    page.run("document.getElementById('plane').focus()")
    whole = page.run("plane.box.layout.xaxis.range")
    for key in "++++++":
        page.key(key)
    page.key("Enter")
    assert 0 < counted(page) < len(table) / 2
    page.key("ArrowRight")
    assert np.mean(page.run("plane.box.layout.xaxis.range")) > np.mean(whole)
    page.key("0")
    np.testing.assert_allclose(page.run("plane.box.layout.xaxis.range"), whole, rtol=0.1)


@needs_browser
def test_legend_selects_a_class(opened):
    """A click on a class in the legend selects its rows."""
    page, table = opened
    page.run("[...document.querySelectorAll('#legend button')]"
             ".find(b => /^LMXB/.test(b.textContent)).click()")
    assert counted(page) == np.sum(np.ma.filled(table["xl_class"], "") == "LMXB") > 0


@needs_browser
def test_card_follows_the_mouse(opened):
    """Over a point the card names the source."""
    page, _ = opened
    left, top, _, _ = center(page, "#plane .nsewdrag")
    x, y = page.run("(a => [a.xaxis.d2p(plane.x[5]), a.yaxis.d2p(plane.y[5])])(plane.box._fullLayout)")
    page.mouse("mouseMoved", left + x - 1, top + y)
    page.mouse("mouseMoved", left + x, top + y)
    page.wait("!document.getElementById('card').hidden")
    assert "source" in page.run("document.querySelector('#card b').textContent")


@needs_browser
def test_dark_and_phone(opened, tmp_path):
    """The button turns colors around; on a narrow screen the maps stack and nothing sticks out."""
    page, _ = opened
    before = page.run("getComputedStyle(document.body).backgroundColor")
    page.run("document.getElementById('theme').click()")
    assert page.run("getComputedStyle(document.body).backgroundColor") != before
    page.resize(390, 844, mobile=True)
    assert page.run("document.documentElement.scrollWidth") <= 390
    plane, sky = center(page, "#plane"), center(page, "#sky")
    assert sky[1] >= plane[1] + plane[3]


@needs_browser
def test_html_in_names_is_text(browser, tmp_path):
    """Names, units, titles and headers with markup are shown as they are, in page and exports."""
    table = make_table(20)
    bad = '</script><img src=x onerror="window.broken=1"><script>window.broken=1</script>&amp;'
    table["name"] = np.array([f"{bad}{i}" for i in range(20)])
    table[bad] = np.arange(20.0)
    table[bad].unit, table[bad].description = "deg", bad
    write_report(table, tmp_path / "report.html", title=bad, model=Flat())
    browser.open(tmp_path / "report.html")
    assert browser.run("window.broken === undefined")
    assert browser.run("document.querySelectorAll('img').length") == 0
    assert browser.run("document.title") == bad
    assert browser.run("document.querySelector('.row .cell').textContent") == f"{bad}0"
    for box in "x", "color":
        browser.run(f"document.getElementById({box!r}).value = {json.dumps(bad)};"
                    f"document.getElementById({box!r}).onchange()")
    browser.wait("document.querySelector('#plane .cbtitle')")
    for text in ".xtitle", ".cbtitle":
        assert browser.run(f"document.querySelector('#plane {text}').textContent") == f"{bad} [deg]"
    browser.run("document.getElementById('csv').click()")
    browser.run("document.getElementById('votable').click()")
    assert list(download(tmp_path / "selection.csv")["name"]) == list(table["name"])
    assert list(download(tmp_path / "selection.vot")["name"]) == list(table["name"])


@needs_browser
def test_large_tables_open_soon(browser, tmp_path):
    """100,000 rows open, in less than 5 s on a free machine, and are searched."""
    table = make_table(100_000)
    write_report(table, tmp_path / "report.html", model=Flat())
    browser.open(tmp_path / "report.html")
    assert counted(browser) == 100_000
    browser.type("search", '"source 99999"')
    browser.wait("shown.length === 1", timeout=60)
    assert counted(browser) == 1


@needs_browser
@pytest.mark.parametrize("kind", ["empty", "no latents", "masked", "one", "text only"])
def test_odd_tables(browser, tmp_path, kind):
    """Each opens without a complaint and says what it lacks."""
    table = make_table(8)
    if kind == "empty":
        table = table[:0]
    elif kind == "no latents":
        table = table["name", "ra", "dec"]
    elif kind == "masked":
        for name in ("ra", "dec", "xl_latent", "xl_nh", "xl_class"):
            table[name] = MaskedColumn(table[name], mask=np.ones(table[name].shape, bool))
    elif kind == "one":
        table = table[:1]
    else:
        table = Table({"note": ["a", "b"]})
    notes = write_report(table, tmp_path / "report.html", model=Flat())
    browser.open(tmp_path / "report.html")
    shown = browser.run("document.getElementById('notes').textContent")
    assert shown == "; ".join(notes)
    expected = {"empty": "no rows", "no latents": "no latents", "text only": "no positions"}.get(kind, "")
    assert expected in shown
    assert counted(browser) == len(table)


@needs_browser
@pytest.mark.parametrize("spread", [0.1, 60.0])
def test_colors_by_numbers_and_fields(browser, tmp_path, spread):
    """A number has a scale; a small field is a plane with right ascension to the left, 0h crossed."""
    table = make_table(50)
    table["ra"] = np.linspace(-spread, spread, 50) % 360
    table["dec"] = 10 + np.linspace(-spread, spread, 50) / 2
    write_report(table, tmp_path / "report.html", model=Flat())
    browser.open(tmp_path / "report.html")
    browser.run("document.getElementById('color').value = 'xl_nh'; recolor()")
    browser.wait("document.querySelector('#plane .cbtitle')")
    assert browser.run("document.querySelector('#plane .cbtitle').textContent") == "log xl_nh [cm-2]"
    assert browser.run("(r => r[0] > r[1])(maps[1].box.layout.xaxis.range)")
    assert browser.run("maps[1].x.every((v, i, x) => !i || v > x[i - 1])")
    assert ("title" in payload(tmp_path / "report.html")["sky"]["layout"]["xaxis"]) == (spread < 1)


def test_hammer_is_that_of_wcslib(tmp_path):
    """The whole sky lies where wcslib's AIT projection puts it."""
    from astropy.wcs import WCS

    table = make_table(50)
    write_report(table, tmp_path / "report.html", model=Flat())
    sky = payload(tmp_path / "report.html")["sky"]
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---AIT", "DEC--AIT"], [0.0, 0.0]
    expected = np.radians(wcs.wcs_world2pix(table["ra"], table["dec"], 0) - np.full((2, 1), -1.0))
    for name, values in zip("xy", expected, strict=True):
        np.testing.assert_allclose(np.frombuffer(base64.b64decode(sky[name]), "<f4"), values, atol=1e-5)


def test_positions_as_text(tmp_path):
    """Hours and degrees as archives write them lie where degrees do."""
    table = make_table(2)
    places = {}
    for ra, dec in ((["09 57 46.18", "10:01:17.12"], ["+01 57 12.74", "-02:52:55.29"]),
                    ([149.4424167, 150.3213333], [1.9535389, -2.8820250])):
        table["ra"], table["dec"] = ra, dec
        write_report(table, tmp_path / "report.html", model=Flat(), overwrite=True)
        sky = payload(tmp_path / "report.html")["sky"]
        for name in "xy":
            places.setdefault(name, []).append(np.frombuffer(base64.b64decode(sky[name]), "<f4"))
    for one, other in places.values():
        assert np.isfinite(other).all()
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_missing_plotly_is_named(tmp_path, monkeypatch):
    """The remedy is said, and no file is left."""
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with pytest.raises(ImportError, match=r'pip install "astro_xlatent\[plot\]"'):
        write_report(make_table(4), tmp_path / "a.html", model=Flat())
    assert not (tmp_path / "a.html").exists()


def test_long_table_says_what_it_samples(tmp_path):
    """Of two million rows 100,000 are drawn, always the same; the page says so."""
    table = Table({"x": np.arange(2_000_000, dtype=np.float32)})
    notes = write_report(table, tmp_path / "a.html")
    assert "100,000 of 2,000,000 rows, drawn at random" in notes
    write_report(table, tmp_path / "b.html", title="a")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert payload(tmp_path / "a.html")["rows"] == 100_000


def test_own_columns(tmp_path):
    """Beyond forty columns of the user's own are left out, unless they are named."""
    table = make_table(4)
    for k in range(50):
        table[f"c{k}"] = float(k)
    notes = write_report(table, tmp_path / "a.html", model=Flat())
    assert any("columns left out" in note for note in notes)
    write_report(table, tmp_path / "b.html", model=Flat(), columns=["c49"])
    names = [c["name"] for c in payload(tmp_path / "b.html")["columns"]]
    assert "c49" in names and "c3" not in names and "xl_nh" in names
    with pytest.raises(TableError, match="nowhere, which the table lacks"):
        write_report(table, tmp_path / "c.html", columns=["nowhere"])


def test_other_latent_space_is_not_decoded(tmp_path):
    """Spectra of another model's latents would be wrong: there are none, and the page says why."""
    table = make_table(4)
    table.meta["XLSPACE"] = "another"
    notes = write_report(table, tmp_path / "a.html", model=Flat())
    assert any("latents are of another" in note for note in notes)
    assert payload(tmp_path / "a.html")["spectra"] is None


def test_files_are_kept(tmp_path):
    """An existing file, a place that is none, and a wrong number are refused."""
    (tmp_path / "a.html").write_text("mine")
    with pytest.raises(TableError, match="exists"):
        write_report(make_table(4), tmp_path / "a.html", model=Flat())
    assert (tmp_path / "a.html").read_text() == "mine"
    with pytest.raises(TableError, match="no such folder"):
        write_report(make_table(4), tmp_path / "no" / "a.html", model=Flat())
    with pytest.raises(ParameterError, match="max_rows must be 1 or more, got 0"):
        write_report(make_table(4), tmp_path / "b.html", max_rows=0)
