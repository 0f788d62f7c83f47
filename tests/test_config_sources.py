"""Files and words of a configuration that do not say what they seem to say are refused in one sentence."""

import pytest

from mosaicmr.config_sources import check_file, check_words, read_names
from mosaicmr.errors import InputError


def refusal(tmp_path, text, encoding="utf-8"):
    """The sentence that refuses a configuration file."""
    (tmp_path / "my.yaml").write_text(text, encoding=encoding)
    with pytest.raises(InputError) as caught:
        check_file(tmp_path / "my.yaml")
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'my.yaml'} has ") and len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("seed: 1\ncohort: {split: 1}\nseed: 2\n", "1 and 3"),
        ("a:\n  seed: 1\n  seed: 2\n", "2 and 3"),
        ("a: &a\n- seed: 1\n  seed: 1\nb: *a\n", "2 and 3"),
        ("a: {b: {c: [{seed: 1,\nseed: 2}]}}", "1 and 2"),
        ('"seed": 1\nseed: 2', "1 and 2"),
        ('{"a": [{"seed": 1, "seed": 1}]}', "1 and 1"),
        ("\ufeffseed: 1\nseed: 2\n", "1 and 2"),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_its_lines(text, lines, tmp_path):
    assert f"the key 'seed' twice in one group, in lines {lines}: leave one" in refusal(tmp_path, text)


def test_a_key_twice_in_json_that_is_no_yaml_is_refused(tmp_path):
    assert "the key 'seed' twice in one group: leave" in refusal(tmp_path, '{"a": {"seed": 1,\t"seed":\t2}}')


@pytest.mark.parametrize(
    "text",
    [
        "a: {seed: 1}\nb: {seed: 1}\nseed: 1\n",
        "a: &a {seed: 1}\nb: *a\n",
        "a: &a [*a]\n",
        "? [seed, seed]\n: 1\nseed: 1\n",
        "run: 20240101\ncohort_dir: '007'\n",
        "",
        "seed: [",
        '{"a":\t1, "b":\t1}',
    ],
)
def test_a_key_that_stands_once_in_its_group_is_no_fault(text, tmp_path):
    (tmp_path / "my.yaml").write_text(text)
    check_file(tmp_path / "my.yaml")


def test_lists_of_lists_that_stand_for_millions_are_read_at_once(tmp_path):
    rows = ["a0: &a0 [1, 1]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    (tmp_path / "my.yaml").write_text("\n".join(rows))
    check_file(tmp_path / "my.yaml")


def test_a_configuration_that_is_a_program_is_refused(tmp_path):
    message = refusal(tmp_path, "__use_yte__: true\nrun: ?1 + 1\n")
    assert "'__use_yte__'" in message and "remove the key" in message


@pytest.mark.parametrize("name", ["007", "2024_01", "0x10", "12:30"])
def test_a_name_that_yaml_reads_as_another_number_is_refused(name, tmp_path):
    message = refusal(tmp_path, f"seed: 1\nrun: {name}\n")
    assert f"run: {name} in line 2" in message and "quotes" in message


@pytest.mark.parametrize("typed", ["20240101", "007", "2024_01", "1.50", "1e5", "nan", "-5"])
@pytest.mark.parametrize("name", ["run", "cohort_dir"])
def test_a_name_of_digits_on_the_command_line_is_the_text_that_was_typed(name, typed):
    config = {name: float(typed) if any(letter in typed for letter in ".en") else int(typed)}
    read_names(config, ["run=other", "seed=1", f"{name}=1", f"{name}={typed}"])
    assert config == {name: typed}


def test_a_name_of_digits_in_a_file_is_text_and_no_other_key_is():
    config = {"run": 20240101, "cohort_dir": None, "seed": 7}
    read_names(config, ["seed=7"])
    assert config == {"run": "20240101", "cohort_dir": None, "seed": 7}


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("cohort={table: 'a$(touch PWNED)'}", "'$'"),
        ("cohort_dir=`touch PWNED`", "'`'"),
        ("cohort_dir=a\\b", "'\\'"),
        ("cohort_dir=a\nb", r"'\n'"),
        ("cohort_dir=a\u00a0b", r"'\xa0'"),
        ("cohort_dir=\udcff", r"'\udcff'"),
        ("cohort={table: 'a', masks: \"b\"}", "both kinds of quotes"),
    ],
)
def test_a_word_that_no_job_would_read_as_it_was_typed_is_refused(word, found):
    with pytest.raises(InputError, match=r"^The word .* of --config has .*write the key into a file") as caught:
        check_words(["run=x", word])
    message = str(caught.value)
    assert f" of --config has {found} in it" in message and len(message.splitlines()) == 1


def test_words_with_spaces_letters_of_all_languages_and_one_kind_of_quotes_pass():
    check_words(["cohort_dir=/data/site 2 (öld), 東京", 'cohort={table: "a;b.csv"}', "cohort={table: 'a{b}*'}"])
