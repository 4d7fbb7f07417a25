"""``effbayes plot``: a picture of a kept run, written whole or not at all."""

import pytest

from tests.cli.program import NOT_CONVERGED, run


@pytest.mark.parametrize(
    ("name", "start"), [("a.svg", b"<?xml"), ("b.PNG", b"\x89PNG"), ("c.pdf", b"%PDF")]
)
def test_the_ending_says_the_format(kept, tmp_path, name, start):
    path = tmp_path / name
    result = run("plot", kept[0], "--out", path)
    assert (result.code, result.out, result.err) == (0, f"{path}\n", "")
    assert path.read_bytes().startswith(start)
    assert [one.name for one in tmp_path.iterdir()] == [name]
    assert path.stat().st_mode & 0o777 == 0o644


def test_the_same_run_gives_the_same_bytes(kept, tmp_path):
    for name in ("a.svg", "b.svg"):
        assert run("plot", kept[0], "--out", tmp_path / name).code == 0
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_panels(kept, tmp_path):
    sizes = {}
    for panels in ("both", "value", "efficiency"):
        path = tmp_path / f"{panels}.svg"
        assert run("plot", kept[0], "--out", path, "--panels", panels).code == 0
        sizes[panels] = path.read_text(encoding="utf-8").count('id="axes_')
    assert sizes == {"both": 2, "value": 1, "efficiency": 1}


def test_a_file_is_never_replaced_without_force(kept, tmp_path):
    path = tmp_path / "trend.svg"
    path.write_text("precious")
    result = run("plot", kept[0], "--out", path)
    assert (result.code, result.out) == (4, "")
    assert "exists" in result.err
    assert "--force" in result.err
    assert path.read_text() == "precious"
    assert run("plot", kept[0], "--out", path, "--force").code == 0
    assert path.read_text(encoding="utf-8").startswith("<?xml")
    assert [one.name for one in tmp_path.iterdir()] == ["trend.svg"]


def test_a_file_that_came_in_between_is_not_replaced(kept, tmp_path, monkeypatch):
    path = tmp_path / "trend.svg"
    monkeypatch.setattr("effbayes.outputs.require_free", lambda *_, **__: path.write_text("new"))
    result = run("plot", kept[0], "--out", path)
    assert result.code == 4
    assert path.read_text() == "new"
    assert [one.name for one in tmp_path.iterdir()] == ["trend.svg"]


def test_a_dangling_link_is_in_the_way(kept, tmp_path):
    path = tmp_path / "trend.svg"
    path.symlink_to(tmp_path / "nowhere")
    assert run("plot", kept[0], "--out", path).code == 4
    assert path.is_symlink()


@pytest.mark.parametrize(
    ("name", "message"),
    [("nowhere/a.svg", "nowhere does not exist"), ("folder.svg", "is a folder")],
)
def test_where_nothing_can_be_written(kept, tmp_path, name, message):
    (tmp_path / "folder.svg").mkdir()
    result = run("plot", kept[0], "--out", tmp_path / name, "--force")
    assert (result.code, result.out) == (4, "")
    assert message in result.err


def test_a_full_disk_leaves_nothing(kept, tmp_path, monkeypatch):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("effbayes.outputs.os.fsync", full)
    result = run("plot", kept[0], "--out", tmp_path / "a.svg")
    assert (result.code, result.out) == (4, "")
    assert "No space left on device" in result.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--out", "a.gif"), "one of .svg, .png, .pdf"),
        (("--out", "trend"), "one of .svg, .png, .pdf"),
        (("--out", "a.svg", "--panels", "three"), "both, value, efficiency"),
        ((), "--out"),
    ],
)
def test_what_is_asked_wrongly(kept, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    result = run("plot", kept[0], *options)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert list(tmp_path.iterdir()) == []


def test_no_run_no_picture(tmp_path):
    (tmp_path / "run.nc").write_text("nothing")
    result = run("plot", tmp_path / "run.nc", "--out", tmp_path / "a.svg")
    assert result.code == 4
    assert [one.name for one in tmp_path.iterdir()] == ["run.nc"]


def test_a_run_that_did_not_converge_says_so_in_the_picture(quick, tmp_path, monkeypatch):
    from effbayes.figures import drawing

    said = []
    original = drawing._legend
    monkeypatch.setattr(drawing, "_legend", lambda *a: (said.append(a[2]), original(*a))[1])
    path = tmp_path / "a.png"
    assert run("plot", quick[0], "--out", path).code == NOT_CONVERGED
    assert path.is_file()
    assert said == ["not converged"]
