"""Write the table of all metrics, with the floor and the published figures, as CSV, PDF and PNG."""

from mosaicmr.evaluation.summary import to_metric
from mosaicmr.figures.metrics_table import draw_metrics, subset_block, tidy_metrics, utility_block
from mosaicmr.figures.style import save_figure
from mosaicmr.io import load_json, load_table, write_atomically
from mosaicmr.segmentation.scores import dice_gain
from mosaicmr.stage import stage


def main(snakemake) -> None:
    params, output = snakemake.params, snakemake.output
    summary = load_json(snakemake.input.summary)
    scores = {arm: load_table(path) for arm, path in zip(params.arms, snakemake.input.patients, strict=True)}
    gains = {
        arm: to_metric(dice_gain(scores["real"], own, params.seed, params.bootstrap))
        for arm, own in scores.items()
        if arm != "real"
    }
    blocks = [subset_block(summary), utility_block(summary, gains)]
    write_atomically(output.csv, lambda path: tidy_metrics(blocks, summary).to_csv(path, index=False))
    save_figure(draw_metrics(blocks, summary), output.pdf, output.png)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)
