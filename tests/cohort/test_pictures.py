"""The picture of a subject: the plane with its tumour, in the whole field of view, as a radiologist looks."""

import numpy as np

from mosaicmr.cohort.picture_files import SIZE, Picture, load_pictures, save_pictures
from mosaicmr.cohort.pictures import picture_of
from mosaicmr.cohort.volumes import Volumes


def a_head(tumour=True):
    """A brain of 40 x 60 x 20 mm in a field of 60 x 80 x 24 mm, brighter on the patient's left; tumour at z = 10."""
    brain = np.zeros((60, 80, 12), bool)
    brain[10:50, 10:70, 1:11] = True
    image = brain * np.where(np.arange(60) < 30, 2.0, 1.0)[:, None, None]  # x rises to the patient's right
    labels = np.zeros(brain.shape, np.uint8)
    if tumour:
        labels[12:20, 50:60, 5] = 2
    return Volumes(image[None].astype(np.float32), labels, brain, (1.0, 1.0, 2.0))


def test_the_plane_is_that_with_most_tumour_and_lies_as_a_radiologist_looks():
    picture = picture_of(a_head())
    rows, columns = np.nonzero(picture.labels)
    # The tumour is anterior (up) and on the patient's left (right in the picture).
    assert rows.mean() < SIZE / 2 < columns.mean()
    assert set(np.unique(picture.labels)) == {0, 2}
    inside = picture.brain > 0
    assert picture.image[:, SIZE // 2 :][inside[:, SIZE // 2 :]].mean() > picture.image[inside].mean()


def test_the_whole_field_of_view_is_shown_in_its_proportions():
    picture = picture_of(a_head())
    rows, columns = np.nonzero(picture.brain)
    # 80 mm are 160 pixels.
    assert np.ptp(rows) + 1 == 120 and np.ptp(columns) + 1 == 80


def test_a_subject_without_a_tumour_shows_its_brain():
    picture = picture_of(a_head(tumour=False))
    assert not picture.labels.any() and picture.brain.any()


def test_pictures_survive_their_file_and_so_does_the_lack_of_one(tmp_path):
    pictures = [picture_of(a_head()), None, picture_of(a_head(tumour=False))]
    save_pictures(tmp_path / "pictures.safetensors", pictures)
    first, missing, last = load_pictures(tmp_path / "pictures.safetensors")
    assert missing is None
    for found, expected in ((first, pictures[0]), (last, pictures[2])):
        assert isinstance(found, Picture)
        for name, array in vars(expected).items():
            np.testing.assert_array_equal(getattr(found, name), array)
