"""Label advice: which labels occur, how each scheme reads them, and no scheme recommended by values alone."""

from mosaicmr.cohort.label_advice import explain_labels


def test_each_scheme_says_how_it_reads_each_label():
    advice = explain_labels({0: 6, 1: 5, 2: 6, 3: 4})
    assert advice.rows[2] == {
        "label": 3,
        "scans": 4,
        "brats2021": "refused",
        "brats2023": "enhancing tumour",
        "brats2024-gli": "enhancing tumour",
    }
    assert advice.sentences[0] == "Labels: 1 in 5 scans, 2 in 6 scans, 3 in 4 scans."
    assert "brats2021 would refuse 3 (in 4 scans)." in advice.sentences
    assert any("brats2024-gli" in sentence and "no resection cavity (4)" in sentence for sentence in advice.sentences)


def test_labels_of_2021_are_not_taken_for_a_resection_cavity_without_a_word():
    advice = explain_labels({1: 5, 2: 6, 4: 1})
    assert any("4 as resection cavity; it would find no enhancing tumour (3)" in text for text in advice.sentences)
    assert any(text.startswith("A 4 without any 3") for text in advice.sentences)
    assert any("2012 to 2016" in text for text in explain_labels({3: 2, 4: 2}).sentences)


def test_labels_of_no_scheme_get_a_scheme_of_their_own():
    advice = explain_labels({255: 4})
    assert "cohort.classes to [{name: class_255, values: [255]" in advice.sentences[-1]
    assert {advice.rows[0][scheme] for scheme in ("brats2021", "brats2023", "brats2024-gli")} == {"refused"}


def test_fractions_show_all_their_digits_and_nothing_is_said_of_nothing():
    assert "0.99999994" in explain_labels({1: 2, 0.99999994: 1}).sentences[-1]
    assert explain_labels({0: 3}).rows == []
    assert explain_labels({0: 3, 4: 0}).sentences == ["No segmentation has a label beside 0, the background."]
