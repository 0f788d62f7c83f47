"""Show every subject of a shard with its mask and its brain."""

from mosaicmr.cohort.picture_files import load_pictures
from mosaicmr.figures.cohort import draw_cohort
from mosaicmr.figures.style import save_figure
from mosaicmr.io import load_table
from mosaicmr.stage import stage


def main(snakemake) -> None:
    files = snakemake.input
    verdicts = load_table(files.verdicts).set_index("subject")["verdict"]
    names = load_table(files.table)["subject"]
    subjects = [(name, verdicts[name], one) for name, one in zip(names, load_pictures(files.pictures), strict=True)]
    save_figure(draw_cohort(subjects, snakemake.params.words), None, snakemake.output[0])


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)
