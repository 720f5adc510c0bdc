"""Which folders a config may name, with the sentence that refuses the others."""

import pytest

from breakeven.config.folders import links, path_problem, results_problem
from breakeven.store.errors import ConfigError
from tests.config.example import CONFIG, edited, mistakes, plan_of

UNSEEN = "holds a line break or another character that can't be seen; leave it out"
HOLDS = "is a folder that holds this project; name one for the results alone"


@pytest.mark.parametrize(
    "text",
    [
        "data",
        "/scratch/me",
        "../data",
        "a b",
        "a'b\"c",
        "$(touch pwned)",
        "{x}",
        "a~",
        "*",
        "ü",
        "数据",
        "-x",
        "x" * 255,
    ],
)
def test_paths_of_data_sets(text):
    assert path_problem(text) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\nb", rf"'a\nb' {UNSEEN}"),
        ("a\0", rf"'a\x00' {UNSEEN}"),
        ("\x1b[31m", rf"'\x1b[31m' {UNSEEN}"),
        ("\u200bdata", rf"'\u200bdata' {UNSEEN}"),
        (" data", "' data' begins or ends with a space; leave it out"),
        ("data ", "'data ' begins or ends with a space; leave it out"),
        ("~/x", "'~/x' begins with '~', which stands for a home directory in a shell only; write the path out"),
        *(
            (long, f"'{long[:56]}... is too long; allowed: 1000 characters, and 255 bytes between two slashes")
            for long in ("x" * 256, "ü" * 128, "x/" * 501)
        ),
    ],
)
def test_paths_that_are_refused(tmp_path, text, message):
    assert path_problem(text) == message
    assert results_problem(text, tmp_path) == message


@pytest.mark.parametrize(
    "text",
    ["results", "./results/", "a/b", "../elsewhere", "/tmp/x", "a b", "a'b\"c", "$(touch pwned)", "*?[a];&|#", "ü数"],
)
def test_folders_for_results(tmp_path, text):
    assert results_problem(text, tmp_path / "project") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{run}", "'{run}' holds a brace, which Snakemake takes for a wildcard; choose another name"),
        ("a}", "'a}' holds a brace, which Snakemake takes for a wildcard; choose another name"),
        ("-x", "'-x' begins with '-', which commands take for an option; choose another name"),
        ("./-x", "'./-x' begins with '-', which commands take for an option; choose another name"),
        (".", f"'.' {HOLDS}"),
        ("./", f"'./' {HOLDS}"),
        ("a/..", f"'a/..' {HOLDS}"),
        ("..", f"'..' {HOLDS}"),
        ("/", f"'/' {HOLDS}"),
        ("link", f"'link' {HOLDS}"),
        ("workflow", "'workflow' is in the project's own folder 'workflow'; name one for the results alone"),
        ("a/../.git/x", "'a/../.git/x' is in the project's own folder '.git'; name one for the results alone"),
        ("file", "'file' can't be a folder: '{}/file' is a file"),
        ("file/x", "'file/x' can't be a folder: '{}/file' is a file"),
    ],
)
def test_folders_that_hold_no_results(tmp_path, text, message):
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "file").touch()
    assert results_problem(text, tmp_path) == message.replace("{}", str(tmp_path))


def test_links_in_a_circle(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    problem = results_problem("a/x", tmp_path)
    assert problem is None or problem.startswith("'a/x' can't be a folder: ")


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("datasets:\n", "results: ~/x\ndatasets:\n", "results"),
        ("{loader: digits}", "{loader: cifar10, root: ~/x}", "datasets.digits.root"),
        ("{loader: digits}", "{loader: image_folder, path: ~/x}", "datasets.digits.path"),
        ("{loader: digits}", "{loader: imdb, path: ~/x}", "datasets.digits.path"),
        ("{loader: digits}", "{loader: mnli, tokenizer: ~/x}", "datasets.digits.tokenizer"),
    ],
)
def test_every_path_of_a_config_is_checked(tmp_path, old, new, place):
    assert f"{place}: {path_problem('~/x')}" in mistakes(tmp_path, edited((old, new)))


def test_also_the_folder_that_the_command_line_names(tmp_path):
    with pytest.raises(ConfigError) as caught:
        plan_of(tmp_path, CONFIG, {"results": ".."})
    assert caught.value.lines == [f"--config: results: '..' {HOLDS}"]


def test_links_in_the_place_of_what_jobs_make(tmp_path):
    """The results folder itself, or all of its runs, may be links."""
    (tmp_path / "scratch/runs/a").mkdir(parents=True)
    (tmp_path / "results").mkdir()
    (tmp_path / "results/runs").symlink_to(tmp_path / "scratch/runs")
    names = (["a", "b"], ["digits"], ["main"])
    assert list(links(tmp_path / "results", *names)) == []
    for kind, name in (("runs", "b"), ("data", "digits"), ("tables", "main"), ("figures", "main"), ("state", "a")):
        folder = tmp_path / "results" / kind / name
        folder.parent.mkdir(exist_ok=True)
        folder.symlink_to("nowhere")
        [line] = links(tmp_path / "results", *names)
        assert line == (
            f"{folder} is a link to 'nowhere', where jobs would delete and replace files: "
            "remove the link, and move there what it should show"
        )
        folder.unlink()
