# Licensed under a 3-clause BSD style license - see LICENSE
"""What ``astro-xlatent evaluate`` does."""

from pathlib import Path

from astro_xlatent.core.errors import ParameterError, XlatentError

__all__ = ["check_sklearn", "run_evaluate", "run_simulated"]


def check_sklearn():
    """
    Say how to get scikit-learn where it is missing.

    Raises
    ------
    ImportError
        With the remedy.
    """
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        msg = 'evaluation needs scikit-learn: pip install "astro_xlatent[evaluate]"'
        raise ImportError(msg) from error


def run_simulated(n, *, model=None, responses=None, seed=1, log=None):
    """
    Score a model on fresh simulations.

    Parameters
    ----------
    n : int
        Observations in either mode.
    model : str, optional
        See `~astro_xlatent.load_model`.
    responses : path-like, optional
        Folder with real ARF and RMF files, used beside the shipped curves.
    seed : int, optional
    log : callable, optional
        Receives lines on progress.

    Returns
    -------
    results : `~astro_xlatent.evaluate.results.Results`
    """
    check_sklearn()
    from astro_xlatent.evaluate.simulated import evaluate_simulated
    from astro_xlatent.model.pretrained import load_model
    from astro_xlatent.simulate.instruments import default_instruments, load_instruments

    log = log or (lambda line: None)
    instruments = default_instruments()
    if responses is not None:
        instruments = load_instruments(responses, log=lambda line: None) + instruments
    log(f"{len(instruments)} instruments")
    results = evaluate_simulated(load_model(model), instruments, n, seed, log)
    if responses is not None:
        results.facts["command"] += f" --responses {Path(responses).name or '.'}"
    return results


def run_evaluate(args, say):
    """
    Run the subcommand.

    Parameters
    ----------
    args : `~argparse.Namespace`
        Of `astro_xlatent.cli.make_parser`.
    say : callable
        Receives lines on progress.

    Returns
    -------
    code : int
        0, or 1 if nothing could be evaluated.
    """
    check_sklearn()
    out = _output_path(args.output)
    if (args.table is None) == (not args.simulated):
        msg = "evaluate takes either a TABLE with --label COLUMN, or --simulated"
        raise ParameterError(msg)
    if args.simulated:
        results = run_simulated(args.n, model=args.model, responses=args.responses, seed=args.seed, log=say)
    else:
        from astro_xlatent.evaluate.real import evaluate_file

        results = evaluate_file(
            args.table,
            args.label,
            model=args.model,
            spectra=args.spectra,
            information=args.information,
            quick=args.quick,
            minimum=args.minimum,
            seed=args.seed,
            log=say,
        )
    print(results.text(), flush=True)
    if args.figures is not None:
        from astro_xlatent.evaluate.figures import draw_figures

        for path in draw_figures(results, args.figures):
            print(path)
    if out is not None:
        results.write(out)
        print(f"\n{out}: {len(results.numbers)} numbers")
    return 0 if results.numbers else 1


def _output_path(text):
    """Refuse an output name before any work is done."""
    if text is None:
        return None
    path = Path(text)
    if path.suffix not in (".json", ".ecsv"):
        msg = f"--output {path}: must end in .json or .ecsv"
        raise ParameterError(msg)
    if not path.parent.is_dir():
        msg = f"{path.parent}: no such folder; make it first"
        raise XlatentError(msg)
    return path
