"""Targets of a base model, and the number and size of the slices that measure it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """The value that a figure should reach, or stay below for `at_most`."""

    value: float
    at_most: bool = False

    def met(self, value: float) -> bool:
        """Whether a value is good enough."""
        return value <= self.value if self.at_most else value >= self.value


# None: reported without a target.
TARGETS: dict[str, Target | None] = {
    "autoencoder_ssim_phantoms": Target(0.97),
    "autoencoder_ssim_real": Target(0.95),
    "frechet_ratio": Target(1.5, at_most=True),
    "mask_fidelity": Target(0.9),
    "prompt_accuracy": Target(0.7),
    "half_noise_ssim_real": None,
    "sampling_seconds": Target(10.0, at_most=True),
}
OF_REAL_SUBJECTS = ("autoencoder_ssim_real", "half_noise_ssim_real")


@dataclass(frozen=True)
class Amounts:
    """Numbers of slices and patients that are measured.

    coarse, fine, real: side in pixels, and their size in mm, of the slices that the U-Net is measured on and of the
    phantoms' and real slices that the autoencoder is measured on. patients: in each of the sets of coarse phantoms;
    fine_patients: in the set of fine phantoms. slices: the most that a phantom gives; real_slices: a real subject.
    segmenter_steps: of the segmenter's training. adaptation_seconds: limit of the adaptation to real subjects.
    batch: slices whose sampling is timed, `repeats` times.
    """

    quick: bool
    coarse: tuple[int, float]
    fine: tuple[int, float]
    real: tuple[int, float]
    patients: int
    fine_patients: int
    slices: int
    real_slices: int
    segmenter_steps: int
    adaptation_seconds: float
    batch: int
    repeats: int


FULL = Amounts(
    quick=False,
    coarse=(128, 1.5),
    fine=(192, 1.0),
    real=(240, 1.0),
    patients=40,
    fine_patients=20,
    slices=5,
    real_slices=10,
    segmenter_steps=800,
    adaptation_seconds=300.0,
    batch=16,
    repeats=5,
)
QUICK = Amounts(
    quick=True,
    coarse=(64, 3.0),
    fine=(64, 3.0),
    real=(64, 3.0),
    patients=3,
    fine_patients=3,
    slices=2,
    real_slices=2,
    segmenter_steps=4,
    adaptation_seconds=2.0,
    batch=4,
    repeats=1,
)
