"""MR contrast from tissue parameters: the signal of the four routine sequences of glioma imaging.

Tissue parameters are values for 3 T compiled from the literature (Stanisz et al., Magn. Reson. Med. 2005, for healthy
tissue; oedema and tumour after the ranges of Blystad et al., PLoS ONE 2017), and are meant to be varied.
"""

from dataclasses import dataclass

import torch

# Rows as in tissue.TISSUES; columns: proton density (relative to water), T1 (ms), T2 (ms).
TISSUE_PARAMETERS = torch.tensor(
    [
        [1.00, 4200.0, 1900.0],
        [0.82, 1500.0, 99.0],
        [0.70, 900.0, 69.0],
        [0.95, 3100.0, 420.0],
        [0.88, 1750.0, 165.0],
        [0.84, 1550.0, 120.0],
    ]
)

# T1 of each tissue after gadolinium, relative to T1 before: it falls much only where the blood-brain barrier is open.
CONTRAST_T1_FACTOR = torch.tensor([1.0, 0.93, 0.97, 0.90, 0.95, 0.32])


@dataclass(frozen=True)
class Sequence:
    """Timing of a spin-echo sequence in ms; `inversion` is the inversion time, None without inversion."""

    repetition: float
    echo: float
    inversion: float | None = None
    gadolinium: bool = False


SEQUENCES: dict[str, Sequence] = {
    "FLAIR": Sequence(repetition=9000.0, echo=115.0, inversion=2500.0),
    "T1": Sequence(repetition=550.0, echo=9.0),
    "T1ce": Sequence(repetition=550.0, echo=9.0, gadolinium=True),
    "T2": Sequence(repetition=5000.0, echo=95.0),
}


def tissue_signals(parameters: torch.Tensor, sequence: Sequence) -> torch.Tensor:
    """Magnitude signal of each tissue.

    parameters: float [..., tissues, 3] (proton density, T1 and T2 in ms), tissues as in tissue.TISSUES.
    Returns float [..., tissues], relative to the proton density of water. Spin echo:
    S = PD (1 - exp(-TR/T1)) exp(-TE/T2); inversion recovery: S = |PD (1 - 2 exp(-TI/T1) + exp(-TR/T1)) exp(-TE/T2)|
    (Bernstein, King and Zhou, Handbook of MRI Pulse Sequences, 2004, ch. 14).
    """
    density, t1, t2 = parameters.unbind(-1)
    if sequence.gadolinium:
        t1 = t1 * CONTRAST_T1_FACTOR.to(t1)
    recovery = 1 - torch.exp(-sequence.repetition / t1)
    if sequence.inversion is not None:
        recovery = 1 - 2 * torch.exp(-sequence.inversion / t1) + torch.exp(-sequence.repetition / t1)
    return (density * recovery * torch.exp(-sequence.echo / t2)).abs()


def vary_parameters(generator: torch.Generator, spread: float = 0.08) -> torch.Tensor:
    """Tissue parameters of one simulated patient: each value times a log-normal factor of the given relative spread.

    Returns float32 [tissues, 3].
    """
    factors = torch.randn(TISSUE_PARAMETERS.shape, generator=generator) * spread
    return TISSUE_PARAMETERS * factors.exp()
