# Licensed under a 3-clause BSD style license - see LICENSE
"""``astro-xlatent extract``: a spectrum from an event list and regions."""

import sys
import warnings
from pathlib import Path

from astro_xlatent.core.errors import SpectrumError, XlatentWarning

__all__ = ["add_extract", "run_extract"]


def add_extract(commands):
    """
    Add the subcommand to a parser.

    Parameters
    ----------
    commands : argparse action
        As `argparse.ArgumentParser.add_subparsers` gives it.
    """
    command = commands.add_parser(
        "extract", help="extract a spectrum from an event list and regions",
        description="Write an OGIP spectrum of a region of an event list (Chandra evt2 and regevt3, eROSITA, "
        "or alike), with its background and responses beside it. Regions are DS9, CRTF or FITS files; "
        "FILE[NAME] chooses an extension.")
    command.add_argument("events", metavar="EVENTS", help="event list in FITS")
    command.add_argument("--source", metavar="REGION", required=True, help="source region")
    command.add_argument("--background", metavar="REGION", help="background region")
    command.add_argument("--arf", metavar="FILE", help="effective area of the source region")
    command.add_argument("--rmf", metavar="FILE", help="redistribution; also tells the channels")
    command.add_argument("--field", metavar="REGION", help="field of view, outside of which no area counts")
    command.add_argument("--energy", metavar=("LOW", "HIGH"), nargs=2, type=float,
                         help="range in keV; channels beyond get bad quality")
    command.add_argument("--select", metavar="COLUMN=VALUES", action="append",
                         help="events to keep, such as ccd_id=7, grade=0,2:4,6 or 'flag&0x30=0'; may be "
                         "repeated")
    command.add_argument("--gti", metavar="FILE", help="further good time intervals")
    command.add_argument("--exposure", metavar="S", type=float, help="live time at the source in s")
    command.add_argument("-o", "--output", metavar="PHA", required=True, help="spectrum to write")
    command.add_argument("--overwrite", action="store_true", help="replace PHA and what lies beside it")
    command.set_defaults(run=run_extract)


def run_extract(args, warn=None):
    """
    Extract, write, and say what was found.

    Parameters
    ----------
    args : argparse.Namespace
    warn : callable, optional
        Takes the text of a warning; by default it goes to standard error.

    Returns
    -------
    code : int
        0; errors are raised.
    """
    from astro_xlatent.events.extract import extract_spectrum

    out = Path(args.output)
    _check_output(out, args.overwrite)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", XlatentWarning)
        spectrum = extract_spectrum(
            args.events, args.source, args.background, arf=args.arf, rmf=args.rmf, field=args.field,
            energy_range=args.energy, select=args.select, good_times=args.gti, exposure=args.exposure)
    for one in caught:
        text = f"astro-xlatent: warning: {one.message}"
        print(text, file=sys.stderr) if warn is None else warn(text)
    spectrum.write(out, overwrite=args.overwrite)
    print("\n".join(_summary(spectrum, out)))
    return 0


def _check_output(out, overwrite):
    """Refuse an output before a large event list is read."""
    if out.exists() and not overwrite:
        msg = f"{out}: the file exists; give --overwrite or another name"
        raise SpectrumError(msg)
    if not out.parent.is_dir():
        msg = f"{out.parent}: no such folder; make it first"
        raise SpectrumError(msg)


def _summary(spectrum, out):
    meta, off = spectrum.meta, spectrum.background
    yield (f"{out}: {spectrum.counts.sum():.0f} counts in {spectrum.counts.size} channels, exposure "
           f"{spectrum.exposure:.6g} s ({meta['exposure_rule']}), BACKSCAL {spectrum.backscale:.4g}")
    if off is not None:
        expected = off.counts.sum() * spectrum.background_scale
        yield f"background: {off.counts.sum():.0f} counts; expected in the source region: {expected:.1f}"
    if spectrum.response is None:
        yield "no response: give --arf and --rmf, or put them beside the file as .arf and .rmf, to predict"
    else:
        yield f"predict from it: astro-xlatent predict {out}"
