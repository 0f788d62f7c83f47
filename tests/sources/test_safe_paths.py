"""A path that a shell or Snakemake would interpret is refused in one sentence; all other names work."""

import pytest

from mosaicmr.errors import InputError
from mosaicmr.sources.safe_paths import check_path, require_safe
from mosaicmr.sources.subjects import find_subjects
from tests.support.scans import write_scan

HOSTILE = [
    "site $(touch PWNED)",
    "site `touch PWNED`",
    "a;touch PWNED",
    "a&touch PWNED",
    "a|b",
    "a>b",
    "a<b",
    'a"b',
    "o'brien",
    "a\\b",
    "da{ta}",
    "a*",
    "a?",
    "a[1]",
    "a\nb",
    "a\tb",
    "$HOME",
    "a\u00a0b",
    "a\u200bb",
    "a\u202eb",
    "a\u2028b",
]
HARMLESS = [
    "site 2 (old)",
    "Zürich",
    "Zu\u0308rich",
    "東京",
    "a,b",
    "a=b",
    "a+b@c",
    "50%",
    "#1",
    "a!b",
    "a~b",
    "-a",
    "v1.0_x-y:z",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_folder_below_the_cohort_is_a_finding_and_no_subject(name, tmp_path):
    for number in (1, 2):
        write_scan(tmp_path, f"BraTS2021_0000{number}", ["T1"])
    write_scan(tmp_path / name, "BraTS2021_00003", ["T1"])
    found = find_subjects(tmp_path, ["T1"], "brats2021")
    assert len(found.subjects) == 2
    (finding,) = found.findings
    assert finding.severity == "refused" and "in its name" in finding.reason
    assert len(finding.sentence.splitlines()) == 1


@pytest.mark.parametrize("name", HARMLESS)
def test_names_of_all_languages_with_spaces_and_remarks_are_safe(name, tmp_path):
    assert check_path(tmp_path / name / "scan.nii.gz") is None
    require_safe(tmp_path / name, "cohort_dir")


@pytest.mark.parametrize("path", ["-rf", "~/data", *HOSTILE, "\udcff"])
def test_a_hostile_path_of_the_configuration_is_refused_in_one_sentence(path):
    with pytest.raises(InputError, match=r"^cohort_dir is .*: rename") as caught:
        require_safe(path, "cohort_dir")
    assert len(str(caught.value).splitlines()) == 1


def test_no_path_is_no_fault():
    assert require_safe(None, "cohort_dir") is None
