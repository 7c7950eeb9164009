# Licensed under a 3-clause BSD style license - see LICENSE
"""``astro-xlatent selftest``: whether the models give what they gave when they were made."""

from astro_xlatent.cli.shell import say, tell

__all__ = ["add_parser", "run"]

#: Largest deviation from the stored self-test vector that passes, in latent units.
TOLERANCE = 1e-4


def add_parser(commands):
    """Add the subcommand; gives its parser."""
    command = commands.add_parser("selftest", help="check that the models reproduce their release")
    command.add_argument("--model", metavar="NAME", help="only this model")
    return command


def run(args):
    """Compare every model with the self-test vector stored with it."""
    from astro_xlatent.model.bundled import BUNDLED
    from astro_xlatent.model.pretrained import selftest

    names = [args.model] if args.model else list(BUNDLED)
    if not names:
        say("error", "no model is installed; reinstall the package, its weights are missing")
        return 1
    passed = True
    for name in names:
        deviation = float(selftest(name))
        good = deviation <= TOLERANCE
        passed = passed and good
        tell(f"{name}: largest deviation {deviation:.1e}, allowed {TOLERANCE:.0e}: "
             f"{'ok' if good else 'FAILED'}")
    return 0 if passed else 1
