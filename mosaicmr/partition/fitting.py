"""Fit the grey levels between the healthy domains.

Two things make a domain mean the same tissue in every patient. Greys are *relative* (tessellation.relative_grey):
divided by the median over the subject's own healthy cells, because a percentile normalisation of the whole brain shifts
with the contrast of the scan and with the tumour. And thresholds are fitted once, on the training patients' *cells*:
they are applied to the means of cells, which spread much less than single pixels.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans

from mosaicmr.cohort.labels import TumourClass
from mosaicmr.errors import InputError
from mosaicmr.partition.domains import HEALTHY, TUMOUR, Domain, domain_names
from mosaicmr.seeds import derive_seed


def fit_domains(cells: pd.DataFrame, classes: Sequence[TumourClass], healthy_domains: int, seed: int) -> list[Domain]:
    """Fit the grey thresholds between healthy domains: 1-D k-means on cell greys, weighted by area.

    cells: columns relative_grey and area_mm2, of training patients only (`selection.select_splits`). classes:
    of the cohort, by rising value. Thresholds lie midway between neighbouring cluster means; the brightest domain has
    no upper bound.
    Returns all domains by id. Raises InputError where the cells have fewer grey levels than `healthy_domains`.
    """
    greys, weights = cells["relative_grey"].to_numpy(float), cells["area_mm2"].to_numpy(float)
    levels = len(np.unique(greys))
    if levels < healthy_domains:
        raise InputError(
            f"partition.healthy_domains is {healthy_domains}, but the cells of the training patients have {levels} "
            "different grey levels: lower it, or raise partition.cells."
        )
    kmeans = KMeans(healthy_domains, n_init=4, random_state=derive_seed(seed, "domains") % 2**32)
    centres = np.sort(kmeans.fit(greys[:, None], sample_weight=weights).cluster_centers_[:, 0])
    bounds = [0.0, *((centres[:-1] + centres[1:]) / 2).tolist(), None]
    names = domain_names(classes, healthy_domains)
    tumours = [
        Domain(rank, tumour.name, TUMOUR, tumour_class=tumour.value) for rank, tumour in enumerate(classes, start=1)
    ]
    first = len(tumours)
    healthy = [
        Domain(first + k + 1, names[first + k], HEALTHY, grey_low=bounds[k], grey_high=bounds[k + 1])
        for k in range(healthy_domains)
    ]
    return tumours + healthy
