# Licensed under a 3-clause BSD style license - see LICENSE
"""``astro-xlatent train``: simulated skies in, a model out."""

from dataclasses import replace

from astro_xlatent.cli.shell import subcommand, tell

add_parser = subcommand(
    "train", "train a model on simulated sources",
    "Train teacher and encoder, calibrate, and write a model folder. A run that was cut goes on with "
    "--resume. Needs the extra [train].",
    ("--config", "FILE", "JSON with settings (default: those of the release, with --resume of the run)"),
    ("--data", "DIR", "folder of ARF and RMF files to observe through, beside the shipped curves"),
    ("--instruments", "FILE", "observe through these, made by --prepare"),
    ("--prepare", "FILE", "only write the instruments of --data and the shipped curves to FILE"),
    ("-o --output", "DIR", "folder of the run: log, checkpoints, model"),
    ("--resume", None, "go on with the run in DIR"),
    ("--finish", None, "train no further: calibrate what the run in DIR has reached"),
    ("--device", "NAME", "such as cpu or cuda; instead of the setting"),
    ("--workers", "N", "processes that simulate; instead of the setting", {"type": int}),
    ("--max-seconds", "S", "stop with a checkpoint after S seconds; instead of the setting", {"type": float}),
    ("--threads", "N", "CPU threads", {"type": int}),
    ("--bundle", "PACKAGE",
     "copy the model into this source folder of astro_xlatent and make it the default"))


def run(args):
    """Train a model, and put it into a checkout if asked; 1 if it stopped before the model was made."""
    from astro_xlatent.core.errors import ParameterError
    from astro_xlatent.train.export import bundle
    from astro_xlatent.train.run import prepare_instruments, train
    from astro_xlatent.train.settings import Settings, stored_settings

    if args.prepare:
        prepare_instruments(args.prepare, args.data)
        return 0
    if not args.output:
        raise ParameterError("--output is missing; give the folder of the run, or --prepare FILE")
    settings = Settings.read(args.config) if args.config else stored_settings(args.output)
    here = {name: getattr(args, name) for name in ("device", "workers", "max_seconds")}
    settings = replace(settings, **{name: value for name, value in here.items() if value is not None})
    folder = train(args.data, args.output, settings, instruments=args.instruments,
                   resume=args.resume or args.finish, finish=args.finish, threads=args.threads)
    if folder is None:
        return 1
    tell(f"{folder}: use it with --model {folder}")
    if args.bundle:
        tell(f"{args.bundle}: bundled as {bundle(folder, args.bundle)}")
    return 0
