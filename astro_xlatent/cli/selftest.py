# Licensed under a 3-clause BSD style license - see LICENSE
"""``astro-xlatent selftest``: whether the models give what they gave when they were made."""

from astro_xlatent.cli.shell import say, subcommand, tell

#: Largest deviation from the stored self-test vector that passes, in latent units.
TOLERANCE = 1e-4


add_parser = subcommand("selftest", "check that the models reproduce their release", None,
                        ("--model", "NAME", "only this model"))


def run(args):
    """Compare every model with the self-test vector stored with it."""
    from astro_xlatent.model.bundled import BUNDLED
    from astro_xlatent.model.pretrained import selftest

    names = [args.model] if args.model else list(BUNDLED)
    if not names:
        say("error", "no model is installed; reinstall the package, its weights are missing")
        return 1
    found = {name: float(selftest(name)) for name in names}
    for name, deviation in found.items():
        tell(f"{name}: largest deviation {deviation:.1e}, allowed {TOLERANCE:.0e}: "
             f"{'ok' if deviation <= TOLERANCE else 'FAILED'}")
    return 0 if all(deviation <= TOLERANCE for deviation in found.values()) else 1
