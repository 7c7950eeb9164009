# Licensed under a 3-clause BSD style license - see LICENSE
"""The command line: exit codes, messages, files. The model has tests of its own."""

import json
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.table import Table
from enriched import make_enriched

from astro_xlatent.cli import main as cli
from astro_xlatent.core.errors import ModelError
from astro_xlatent.core.flags import Flag
from astro_xlatent.table.files import read_table


@pytest.fixture
def calls(monkeypatch):
    """Replace the table code by one that records how it is called."""
    seen = []

    def add_latents(table, spectra=None, *, model, **options):
        seen.append((spectra, {"model": model.name, **options}))
        return make_enriched(len(table))

    def predict_spectra(paths):
        table = make_enriched(len(paths) + 1)[:-1]
        table["file"] = paths
        table["xl_flag"] = np.where(["bad" in p for p in paths], Flag.SPECTRUM_UNREADABLE, 0)
        table["xl_reason"] = ["is an HRC spectrum" if "bad" in p else "" for p in paths]
        return table

    fake = SimpleNamespace(add_latents=add_latents, predict_spectra=predict_spectra)
    monkeypatch.setitem(sys.modules, "astro_xlatent.table.add_latents", fake)
    models = SimpleNamespace(load_model=lambda name: SimpleNamespace(name=name, sha256="0f"))
    monkeypatch.setitem(sys.modules, "astro_xlatent.model.pretrained", models)
    return seen


@pytest.fixture
def table(tmp_path):
    """A small input table."""
    path = tmp_path / "in.ecsv"
    Table({"ra": [1.0, 2.0, 3.0], "pha": ["a", "b", "c"]}).write(path)
    return path


def run(*args):
    """Exit code of a command line, also where argparse leaves by itself."""
    try:
        return cli.main([str(a) for a in args])
    except SystemExit as stop:
        return stop.code


@pytest.mark.parametrize("suffix", ["fits", "vot", "ecsv", "csv"])
def test_enrich_writes_the_table(calls, table, tmp_path, capsys, suffix):
    """The output exists in the asked format and the summary tells rows and flags."""
    out = tmp_path / f"out.{suffix}"
    assert run("enrich", table, "-o", out, "--no-progress") == 0
    assert len(read_table(out)) == 3
    printed = capsys.readouterr().out
    assert "3 rows, 2 with results, model test-1" in printed
    assert "NO_DATA 1, BANDS_ONLY 2" in printed


def test_enrich_hands_options_on(calls, table, tmp_path):
    """Mission, model, prior and spectra reach `add_latents` as it wants them."""
    prior = tmp_path / "prior.json"
    prior.write_text(json.dumps({"AGN": 1.0}))
    base = ["enrich", table, "-o", tmp_path / "o.ecsv", "--overwrite", "--no-progress"]
    assert run(*base) == 0
    assert run(*base, "--spectra", tmp_path, "--mission", "csc", "--prior", prior) == 0
    assert run(*base, "--spectra", "pha", "--model", "m-1", "--prior", "survey") == 0
    assert run(*base, "--group-by", "pha") == 0
    common = {"mission": None, "model": None, "prior": None, "progress": False, "group_by": None,
              "evidence": None, "replace": False, "relative_error": None}
    assert calls == [
        (None, common),
        (tmp_path, {**common, "mission": "csc", "prior": {"AGN": 1.0}}),
        ("pha", {**common, "model": "m-1", "prior": "survey"}),
        (None, {**common, "group_by": "pha"})]


def test_enrich_sends_the_result(calls, table, tmp_path, monkeypatch, capsys):
    """``--samp`` hands what was written to the programs on the desktop, under the file's name."""
    sent = []
    monkeypatch.setattr("astro_xlatent.plotting.desktop.send", lambda *what: sent.append(what) or ["TOPCAT"])
    assert run("enrich", table, "-o", tmp_path / "mine.fits", "--samp", "--no-progress") == 0
    assert len(sent[0][0]) == 3 and sent[0][1] == "mine"
    assert "sent to TOPCAT" in capsys.readouterr().out


def test_existing_output_stops_before_work(calls, table, tmp_path, capsys):
    """Without --overwrite nothing is computed and nothing is touched."""
    out = tmp_path / "out.ecsv"
    out.write_text("mine")
    assert run("enrich", table, "-o", out) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert calls == []


@pytest.mark.parametrize(("args", "message"), [
    (["IN", "-o", "out.txt"], "allowed: .fits"),
    (["in.dat", "-o", "out.fits"], "allowed: .fits"),
    (["IN", "-o", "out.fits", "--prior", "flat"], "--prior must be none, survey or a .json"),
    (["IN", "-o", "out.fits", "--prior", "missing.json"], "cannot be read as JSON"),
    (["IN", "-o", "out.fits", "--spectra", "nowhere"], "neither a folder nor a column; columns: ra, pha"),
    (["IN"], "required: -o"),
    ([], "required: TABLE"),
])
def test_wrong_usage_is_2(calls, table, tmp_path, monkeypatch, capsys, args, message):
    """A wrong command line is exit code 2, with what is allowed, before any work."""
    monkeypatch.chdir(tmp_path)
    assert run("enrich", *(table if a == "IN" else a for a in args)) == 2
    assert message in capsys.readouterr().err
    assert calls == []


def test_missing_table_is_1(calls, tmp_path, capsys):
    """A missing input is named in one line."""
    assert run("enrich", tmp_path / "no.fits", "-o", tmp_path / "o.fits") == 1
    error = capsys.readouterr().err
    assert error.startswith("astro-xlatent: error: ")
    assert error.endswith("no.fits: no such file\n")


def test_nothing_usable_is_1(calls, tmp_path, capsys):
    """A table none of whose rows could be used is written, but not called a success."""
    path = tmp_path / "one.ecsv"
    Table({"ra": [1.0]}).write(path)
    assert run("enrich", path, "-o", tmp_path / "o.ecsv", "--no-progress") == 1
    assert "no row could be used; the first says: no usable band" in capsys.readouterr().err


def test_errors_have_no_traceback_unless_asked(monkeypatch, table, tmp_path, capsys):
    """An error of the package is one line; --debug raises it."""

    def add_latents(*args, **options):
        msg = "model 'x' is unknown; installed: y"
        raise ModelError(msg)

    fake = SimpleNamespace(add_latents=add_latents)
    monkeypatch.setitem(sys.modules, "astro_xlatent.table.add_latents", fake)
    args = ["enrich", table, "-o", tmp_path / "o.ecsv"]
    assert run(*args) == 1
    assert capsys.readouterr().err == "astro-xlatent: error: model 'x' is unknown; installed: y\n"
    with pytest.raises(ModelError):
        run("--debug", *args)


def test_predict_prints_a_sentence_each(calls, capsys):
    """One line for each good spectrum on stdout, one for each refused on stderr."""
    assert run("predict", "dir/good.pha", "bad.pha", "last.pha") == 1
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert [line.split()[0] for line in lines] == ["good.pha", "last.pha"]
    assert all("N_H" in line and "gof" in line for line in lines)
    assert printed.err == "astro-xlatent: error: bad.pha: is an HRC spectrum\n"


def test_predict_names_the_command_for_tables(calls, capsys):
    """Who gives a table instead of a spectrum is told where it belongs."""
    run("predict", "bad.vot")
    assert "bad.vot: is it a table? astro-xlatent enrich takes it" in capsys.readouterr().err


def test_predict_all_good_is_0(calls, tmp_path):
    """Without a refused spectrum the code is 0 and the table is written."""
    assert run("predict", "a.pha", "b.pha", "-o", tmp_path / "p.fits") == 0
    assert read_table(tmp_path / "p.fits")["file"].tolist() == ["a.pha", "b.pha"]


def test_interrupt_is_130(monkeypatch, table, tmp_path, capsys):
    """Ctrl-C ends with the code shells expect and no traceback."""

    def add_latents(*args, **options):
        raise KeyboardInterrupt

    fake = SimpleNamespace(add_latents=add_latents)
    monkeypatch.setitem(sys.modules, "astro_xlatent.table.add_latents", fake)
    assert run("enrich", table, "-o", tmp_path / "o.ecsv") == 130
    assert capsys.readouterr().err == "astro-xlatent: error: interrupted\n"
    assert not (tmp_path / "o.ecsv").exists()


def test_selftest_fails_on_deviation(monkeypatch, capsys):
    """A model that does not reproduce its release fails; so does having none."""
    fake = SimpleNamespace(selftest=lambda name: {"good": 1e-7, "off": 0.1}[name])
    monkeypatch.setitem(sys.modules, "astro_xlatent.model.pretrained", fake)
    bundled = SimpleNamespace(BUNDLED={"good": "", "off": ""})
    monkeypatch.setitem(sys.modules, "astro_xlatent.model.bundled", bundled)
    assert run("selftest") == 1
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()] == ["ok", "FAILED"]
    assert run("selftest", "--model", "good") == 0
    bundled.BUNDLED = {}
    assert run("selftest") == 1


def test_deviation_nan_fails(monkeypatch):
    """A model that gives NaN is no success."""
    fake = SimpleNamespace(selftest=lambda name: float("nan"))
    monkeypatch.setitem(sys.modules, "astro_xlatent.model.pretrained", fake)
    assert run("selftest", "--model", "m") == 1


def test_info(capsys):
    """Versions, registries, settings and the weights' place are listed."""
    assert run("info") == 0
    printed = capsys.readouterr().out
    for word in ("astropy", "torch", "csc", "latents", "conf.device", "weights"):
        assert word in printed


def test_output_folder_must_exist(calls, table, tmp_path, capsys):
    """A missing folder is told before the work."""
    assert run("enrich", table, "-o", tmp_path / "no" / "o.fits") == 1
    assert "no such folder" in capsys.readouterr().err
    assert calls == []


def test_closed_pipe_is_quiet():
    """``astro-xlatent ... | head`` ends without a traceback."""
    code = ("from astro_xlatent.cli import main as cli\n"
            "cli.COMMANDS['info'].run = lambda args: print('line\\n' * 200000) or 0\n"
            "raise SystemExit(cli.main(['info']))")
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    error = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), error) == (0, b"")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT between processes")
def test_sigint_of_a_process():
    """A real SIGINT gives one line and 130."""
    # A job in the background of a shell is started with SIGINT ignored.
    code = ("import signal, time\nfrom astro_xlatent.cli import main as cli\n"
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "def wait(args):\n    print('ready', flush=True)\n    time.sleep(60)\n"
            "cli.COMMANDS['info'].run = wait\nraise SystemExit(cli.main(['info']))")
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=30)
    assert (process.returncode, error) == (130, "astro-xlatent: error: interrupted\n")


@pytest.mark.parametrize("command", [[], ["enrich"], ["predict"], ["selftest"], ["demo"]])
def test_help(command, capsys):
    """Every subcommand explains itself."""
    assert run(*command, "--help") == 0
    assert "usage: astro-xlatent" in capsys.readouterr().out


def test_version(capsys):
    """--version prints name and version."""
    assert run("--version") == 0
    assert capsys.readouterr().out.startswith("astro-xlatent ")


def test_module_runs():
    """``python -m astro_xlatent`` is the same program."""
    done = subprocess.run([sys.executable, "-m", "astro_xlatent", "--version"], capture_output=True,
                          text=True, check=True)
    assert done.stdout.startswith("astro-xlatent ")
