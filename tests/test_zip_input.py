"""What `nbgrader zip_collect` makes of downloads: everybody's notebook, and nothing outside its folder."""

from __future__ import annotations

import io
import json
import logging
import os
import stat
import struct
import tarfile
import time
import zipfile
from contextlib import nullcontext
from pathlib import Path

import pytest
from conftest import COURSE, notebook_of, small_notebook

from autograder.i18n import speaking
from autograder.nbgrader_plugins.archives import Budget, Unpacker, safe_path
from autograder.nbgrader_plugins.owners import assign, find_owners, safe_id, student_ids

ASSIGNMENT, NOTEBOOK = "gradient-pathology", "gradient_pathology"
NB = f"{NOTEBOOK}.ipynb"
GOOD = json.dumps(small_notebook())


@pytest.fixture(autouse=True)
def in_english():
    with speaking("en"):
        yield


# --- archives ---------------------------------------------------------------------------------------------------------


class Folder:
    """A folder to unpack into, and what was reported meanwhile."""

    def __init__(self, path, files=1000, size=50 * 2**20, inner_files=100, inner_size=5 * 2**20, file_bytes=10 * 2**20):
        self.path, self.reports = path, []
        self._unpacker = Unpacker(
            path,
            report=self.reports.append,
            is_archive=lambda name: name.lower().endswith((".zip", ".gz", ".tar", ".tgz")),
            budget=Budget(files, size),
            inner=lambda outer: Budget(inner_files, inner_size, outer),
            file_bytes=file_bytes,
        )

    def add(self, archive):
        self._unpacker.add(archive, archive.name)
        return self.files

    @property
    def files(self):
        return {str(p.relative_to(self.path)): p.read_bytes() for p in self.path.rglob("*") if not p.is_dir()}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "extracted").mkdir()
    return Folder(tmp_path / "extracted")


@pytest.fixture
def make_zip(tmp_path):
    """Writes a zip file of (name or ZipInfo, content) pairs."""

    def make(*entries, name="class.zip"):
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for entry, content in entries:
                archive.writestr(entry, content)
        return path

    return make


def zipped(*entries):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return packed.getvalue()


def of_kind(name, kind):
    info = zipfile.ZipInfo(name)
    info.external_attr = (kind | 0o777) << 16
    return info


@pytest.mark.parametrize(
    "bad",
    [
        "../x",
        "a/../../x",
        "/etc/x",
        "C:/x",
        "c:x",
        "\\\\server\\x",
        "..\\x",
        "a\x1b[2Jb",
        "a\nb",
        "x\u202eb",
        "a" * 300,
        "..",
        "a/" * 30 + "x",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused_and_all_others_unpacked(folder, make_zip, bad):
    files = folder.add(make_zip(("first.ipynb", "1"), (bad, "bad"), ("last.ipynb", "2")))
    assert files == {"class/first.ipynb": b"1", "class/last.ipynb": b"2"}
    (report,) = folder.reports
    assert "class.zip could not be taken as it is." in report and report.isprintable()
    assert [p.name for p in folder.path.parent.iterdir()] in (["extracted", "class.zip"], ["class.zip", "extracted"])


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_are_no_files(folder, make_zip, kind):
    assert folder.add(make_zip((of_kind("x", kind), "/etc/passwd"), ("a", "1"))) == {"class/a": b"1"}
    assert "a link or a device" in folder.reports[0]


def test_tar_files_are_unpacked_as_carefully(folder, tmp_path):
    path = tmp_path / "class.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, kind in [
            ("../x", tarfile.REGTYPE),
            ("l", tarfile.SYMTYPE),
            ("h", tarfile.LNKTYPE),
            ("d", tarfile.CHRTYPE),
        ]:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
        for name in ("aoki", "baba"):
            member = tarfile.TarInfo(f"{name}/{NB}")
            member.size = member.mtime = 5
            archive.addfile(member, io.BytesIO(b"12345"))
    assert folder.add(path) == {f"class/aoki/{NB}": b"12345", f"class/baba/{NB}": b"12345"}
    assert len(folder.reports) == 4
    assert (folder.path / "class" / "aoki" / NB).stat().st_mtime == 5


@pytest.mark.parametrize("other", ["Aoki/nb", "AOKI/nb", "aoki/NB", "ａoki/nb", "aoki/nb", "aoki", "aoki/nb/deeper"])
def test_names_that_some_system_takes_for_the_same_do_not_meet(folder, make_zip, other):
    with pytest.warns(UserWarning) if other == "aoki/nb" else nullcontext():
        archive = make_zip(("aoki/nb", "1"), (other, "2"), ("baba/nb", "3"))
    assert folder.add(archive) == {"class/aoki/nb": b"1", "class/baba/nb": b"3"}
    assert len(folder.reports) == 1


def test_names_in_two_unicode_forms_are_the_same(folder, make_zip):
    files = folder.add(make_zip(("が.ipynb", "1"), ("か\u3099.ipynb", "2")))
    assert files == {"class/が.ipynb": b"1"} and len(folder.reports) == 1


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a\\b.ipynb", "a/b.ipynb"),
        ("./a//b", "a/b"),
        ("aux.ipynb", "_aux.ipynb"),
        ("Com1", "_Com1"),
        ("Robert Jr./nb. ", "Robert Jr/nb"),
        ("1:2?.txt", "1_2_.txt"),
        ("nb.IPYNB", "nb.ipynb"),
        ("nb.ipynb.json", "nb.ipynb"),
        ("nb.ipynb.txt", "nb.ipynb"),
        ("課題.ipynb", "課題.ipynb"),
    ],
)
def test_names_become_what_every_system_can_hold(name, path):
    assert str(safe_path(name)) == path


@pytest.mark.parametrize("encoding", ["cp932", "utf-8"])
def test_japanese_names_without_a_declared_encoding_are_understood(folder, tmp_path, encoding):
    raw = "表計算_課題.ipynb".encode(encoding)  # 表 ends in a backslash in Shift-JIS
    path = tmp_path / "class.zip"
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 33, 0, 0, 0, len(raw), 0) + raw
    central = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 33, 0, 0, 0, len(raw), 0, 0, 0, 0, 0, 0) + raw
    path.write_bytes(local + central + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(central), len(local), 0))
    assert set(folder.add(path)) == {"class/表計算_課題.ipynb"}


def test_an_archive_of_archives_is_unpacked_once(folder, make_zip):
    deep = zipped(("deep.ipynb", "x"))
    inner = zipped((NB, "1"), ("more.zip", deep))
    files = folder.add(make_zip(("aoki.zip", inner), ("broken.zip", b"PK no"), (f"baba/{NB}", "2")))
    assert files == {
        f"class/aoki/{NB}": b"1",
        "class/aoki/more.zip": deep,
        "class/broken.zip": b"PK no",
        f"class/baba/{NB}": b"2",
    }
    assert len(folder.reports) == 2
    assert any("more.zip" in line and "not deeper" in line for line in folder.reports)
    assert any("broken.zip" in line and "no readable archive" in line for line in folder.reports)


def test_a_bomb_costs_nobody_else_anything(folder, make_zip):
    bomb = zipped(*((f"{n}.ipynb", b"\0" * 2**20) for n in range(20)))
    many = zipped(*((f"{n}", b"") for n in range(200)))
    single = b"\0" * 12 * 2**20
    archive = make_zip(("bomb.zip", bomb), ("many.zip", many), ("single", single), (NB, "1"))
    files = folder.add(archive)
    assert files[f"class/{NB}"] == b"1" and "class/single" not in files
    assert sum(map(len, files.values())) < 7 * 2**20
    assert [line.split(" ")[0] for line in folder.reports] == ["bomb.zip", "many.zip", "single"]


def test_an_archive_that_is_too_much_for_all_is_reported_in_one_line(tmp_path, make_zip):
    folder = Folder(tmp_path / "extracted", files=10)
    assert len(folder.add(make_zip(*((f"{n}", "x") for n in range(100))))) == 10
    (report,) = folder.reports
    assert "class.zip" in report and "more than may be unpacked" in report


def test_a_tar_file_that_unpacks_without_end_is_given_up(folder, tmp_path):
    path = tmp_path / "class.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, size in [("a", 5), ("bomb", 60 * 2**20)]:
            member = tarfile.TarInfo(name)
            member.size = size
            archive.addfile(member, io.BytesIO(b"\0" * size))
    assert set(folder.add(path)) == {"class/a"}
    assert len(folder.reports) >= 1


def test_broken_and_encrypted_entries_are_reported(folder, make_zip):
    path = make_zip(("a", "A" * 50), ("b", "B" * 50), ("c", "C" * 50))
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1  # the first: encrypted
    second = data.index(b"PK\3\4", 5)
    data[second + 31] ^= 0xFF  # the second: damaged
    path.write_bytes(data)
    assert folder.add(path) == {"class/c": b"C" * 50}
    assert "encrypted" in folder.reports[0] and len(folder.reports) == 2


def test_nothing_is_written_over(folder, make_zip):
    (folder.path / "class").mkdir()
    (folder.path / "class" / "a").write_text("old")
    assert folder.add(make_zip(("a", "new"), ("b", "1"))) == {"class/a": b"old", "class/b": b"1"}
    assert len(folder.reports) == 1


def test_two_archives_of_one_name_do_not_share_a_folder(folder, make_zip, tmp_path):
    folder.add(make_zip((NB, "1"), name="aoki.zip"))
    path = tmp_path / "aoki.tar"
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo(NB))
    assert set(folder.add(path)) == {f"aoki/{NB}", f"aoki/aoki.tar/{NB}"}


def test_what_systems_leave_is_not_unpacked(folder, make_zip):
    assert folder.add(
        make_zip((f"__MACOSX/._{NB}", ""), (f".ipynb_checkpoints/{NB}", ""), (".DS_Store", ""), (NB, ""))
    ) == {f"class/{NB}": b""}
    assert folder.reports == []


def test_any_bytes_at_all_are_an_archive_or_a_line(folder, tmp_path):
    whole = zipped((NB, "1" * 500))
    for cut in range(0, len(whole), 7):
        path = tmp_path / f"{cut}.zip"
        path.write_bytes(whole[:cut])
        folder.add(path)
    assert len(folder.reports) == len(range(0, len(whole), 7)) and folder.files == {}


# --- whose ------------------------------------------------------------------------------------------------------------


def students(*names):
    """path -> student id."""
    owners, _ = find_owners({Path(name): Path(name) for name in names}, [NOTEBOOK], ASSIGNMENT)
    ids, _ = student_ids(owners.values())
    return {str(path): ids[owner.key] for path, owner in owners.items()}


@pytest.mark.parametrize(
    ("path", "student"),
    [
        ("class/山田 太郎_123456_assignsubmission_file_/課題.ipynb", "山田 太郎"),
        ("class/Ann Lee_123456_assignsubmission_file/hw/x.ipynb", "Ann Lee"),
        (f"class/Ann Lee_123456_assignsubmission_file_{NB}", "Ann Lee"),
        ("class/Ann Lee_123456_assignsubmission_onlinetext_/x.ipynb", "Ann Lee"),
        ("class/leeann_12345_67890_gradient_pathology-1.ipynb", "leeann_12345"),
        ("class/leeann_LATE_12345_67890_x.ipynb", "leeann_12345"),
        ("class/Gradient pathology_s001_attempt_2026-11-01-12-00-00_nb.ipynb", "s001"),
        (f"class/Problem/Lee, Ann(ann)/Submission attachment(s)/{NB}", "ann"),
        (f"class/aoki_{NB}", "aoki"),
        (f"aoki_{NOTEBOOK} (1).ipynb", "aoki"),
        (f"class/aoki/{NB}", "aoki"),
        ("class/aoki/deep/er/x.ipynb", "aoki"),
        (f"class/submitted/aoki/{ASSIGNMENT}/{NB}", "aoki"),
        (f"aoki/{NB}", "aoki"),
        (f"aoki/{ASSIGNMENT}/{NB}", "aoki"),
    ],
)
def test_the_usual_forms_need_no_regular_expression(path, student):
    assert students(path) == {path: student}


@pytest.mark.parametrize(
    "paths",
    [
        [f"class/aoki_{NB}", f"class/baba_{NB}"],
        [f"class/aoki/{NB}", f"class/baba/final_{NB}"],
        [f"class/class/aoki/{NB}", f"class/class/baba/x/{NB}"],
        [f"aoki/hw/{NB}", f"baba/hw/{NB}"],
        [f"aoki/{NB}", f"baba/my_{NB}"],
        ["aoki/new/x.ipynb", "aoki/old/x.ipynb", "baba/x.ipynb"],
        [f"s1/aoki/{NB}", f"s1/chiba/{NB}", f"s2/baba/{NB}", f"s2/doi/{NB}"],
    ],
)
def test_a_folder_of_students_is_told_from_a_students_folder(paths):
    assert {"aoki", "baba"} <= set(students(*paths).values()) <= {"aoki", "baba", "chiba", "doi"}


def test_namesakes_stay_apart():
    form = "c/{}_{}_assignsubmission_file_/x.ipynb"
    found = students(form.format("Ann Lee", 1), form.format("Ann Lee", 2), form.format("Bo Li", 3))
    assert sorted(found.values()) == ["Ann Lee_1", "Ann Lee_2", "Bo Li"]


def test_a_notebook_without_an_owner_is_named():
    owners, warnings = find_owners({Path(NB): Path(NB)}, [NOTEBOOK], ASSIGNMENT)
    assert not owners and NB in warnings[0]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("aoki", "aoki"),
        ("山田 太郎", "山田 太郎"),
        ("a.b-c_d@example.org", "a.b-c_d@example.org"),
        ("a+b", "a~2Bb"),
        ("../x", "~2E.~2Fx"),
        (".x", "~2Ex"),
        ("-x", "~2Dx"),
        ("x ", "x~20"),
        ("a~2Bb", "a~7E2Bb"),
        ("a\x00\n", "a~00~0A"),
        ("[*]", "~5B~2A~5D"),
        ("=1", "~3D1"),
        ("<b>'\"", "~3Cb~3E~27~22"),
    ],
)
def test_ids_are_safe_and_can_be_read_back(name, safe):
    assert safe_id(name) == safe


def test_no_two_people_share_an_id():
    names = ["aoki", "Aoki", "AOKI", "ａoki", "a+b", "a~2Bb", "x" * 300, "x" * 301, "が" * 100, "が" * 101]
    found = students(*(f"c/{name}/{NB}" for name in names))
    assert len({id.casefold() for id in found.values()}) == len(names)
    assert all(len(id.encode()) <= 120 for id in found.values())
    assert found[f"c/aoki/{NB}"] == "aoki"


# --- which of a student's notebooks -----------------------------------------------------------------------------------


@pytest.fixture
def choose(tmp_path):
    """What is chosen of files, given as name -> (content, age in days)."""

    def run(files, notebooks=(NOTEBOOK,)):
        for name, (content, age) in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
            os.utime(path, (time.time() - age * 86400,) * 2)
        paths = [tmp_path / name for name in files]
        belongs = lambda path: "belongs" in path.read_text(encoding="utf-8")  # noqa: E731
        chosen, warnings = assign(paths, tmp_path, list(notebooks), ASSIGNMENT, belongs)
        return {str(path.relative_to(tmp_path)): (c.student, c.notebook) for path, c in chosen.items()}, warnings

    return run


def test_the_exact_name_comes_first(choose):
    chosen, (warning,) = choose(
        {f"c/aoki/{NB}": ("", 9), f"c/aoki/{NOTEBOOK} (1).ipynb": ("belongs", 1), f"c/b/{NB}": ("", 1)}
    )
    assert chosen == {f"c/aoki/{NB}": ("aoki", NOTEBOOK), f"c/b/{NB}": ("b", NOTEBOOK)}
    assert f"{NOTEBOOK} (1).ipynb is not." in warning and "aoki" in warning


def test_then_the_one_that_belongs_to_the_assignment(choose):
    chosen, (warning,) = choose({"c/aoki/x.ipynb": ("belongs", 9), "c/aoki/y.ipynb": ("", 1), "c/b/z.ipynb": ("", 1)})
    assert "c/aoki/x.ipynb" in chosen and "c/aoki/y.ipynb" not in chosen and "y.ipynb is not." in warning


def test_then_the_newest(choose):
    chosen, _ = choose({"c/aoki/x.ipynb": ("belongs", 9), "c/aoki/y.ipynb": ("belongs", 1), "c/b/z.ipynb": ("", 1)})
    assert "c/aoki/y.ipynb" in chosen and "c/aoki/x.ipynb" not in chosen


def test_of_attempts_the_last_counts_and_its_time_is_kept(choose):
    form = "c/Gp_s1_attempt_2026-11-0{}-12-00-00_" + NB
    chosen, _ = choose({form.format(2): ("belongs", 9), form.format(1): ("belongs", 1)})
    assert list(chosen) == [form.format(2)]


def test_an_assignment_of_several_notebooks_takes_each_by_its_name(choose):
    files = {
        "c/aoki/part1 (2).ipynb": ("", 1),
        "c/aoki/part2.ipynb": ("", 1),
        "c/aoki/x.ipynb": ("", 1),
        "c/b/part1.ipynb": ("", 1),
    }
    chosen, (warning,) = choose(files, ("part1", "part2"))
    assert chosen["c/aoki/part1 (2).ipynb"] == ("aoki", "part1") and chosen["c/aoki/part2.ipynb"] == ("aoki", "part2")
    assert "x.ipynb" in warning and len(chosen) == 3


def test_who_handed_in_something_else_is_named(choose):
    chosen, (warning,) = choose({"c/Ann Lee_1_assignsubmission_file_/report.pdf": ("", 1)})
    assert chosen == {} and "Ann Lee" in warning and "report.pdf" in warning


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def zip_collect(tmp_path, monkeypatch, caplog):
    """Runs `nbgrader zip_collect` in a course folder, after what is put into its archive/ folder."""
    from nbgrader.apps.zipcollectapp import ZipCollectApp

    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "nbgrader_config.py").write_text(
        (COURSE / "nbgrader_config.py").read_text(encoding="utf-8"), encoding="utf-8"
    )
    (tmp_path / "source" / ASSIGNMENT).mkdir(parents=True)
    (tmp_path / "source" / ASSIGNMENT / NB).write_text("{}")
    archive = tmp_path / "downloaded" / ASSIGNMENT / "archive"
    archive.mkdir(parents=True)

    def run(files, *options):
        for name, content in files.items():
            (archive / name).parent.mkdir(parents=True, exist_ok=True)
            (archive / name).write_bytes(content)
        ZipCollectApp.clear_instance()
        app = ZipCollectApp.instance()
        app.log = logging.getLogger("zip_collect")
        try:
            app.initialize([ASSIGNMENT, *options])
            app.log = logging.getLogger("zip_collect")
            with caplog.at_level(logging.WARNING, "zip_collect"):
                app.start()
        finally:
            ZipCollectApp.clear_instance()
        submitted = tmp_path / "submitted"
        return {str(p.relative_to(submitted)): p.read_text() for p in submitted.rglob("*") if p.is_file()}

    return run


def test_a_class_from_four_systems_is_collected(zip_collect, caplog):
    other = json.dumps(notebook_of([]))
    submitted = zip_collect(
        {
            "moodle.zip": zipped(
                ("山田 太郎_12_assignsubmission_file_/課題.ipynb", GOOD),
                ("Ann O'Lee_13_assignsubmission_file_/work.zip", zipped(("hw/x.ipynb", other), ("hw/y.ipynb", GOOD))),
                ("../evil.ipynb", GOOD),
            ),
            "canvas.zip": zipped(("leebo_12345_67890_gradient_pathology-1.ipynb", GOOD)),
            "blackboard.zip": zipped(("Gp_s1_attempt_2026-11-01-12-00-00_nb.ipynb", GOOD)),
            f"aoki_{NB}": GOOD.encode(),
            "nobody.ipynb": GOOD.encode(),
        }
    )
    assert set(submitted) == {
        f"山田 太郎/{ASSIGNMENT}/{NB}",
        f"Ann O~27Lee/{ASSIGNMENT}/{NB}",
        f"leebo_12345/{ASSIGNMENT}/{NB}",
        f"s1/{ASSIGNMENT}/{NB}",
        f"s1/{ASSIGNMENT}/timestamp.txt",
        f"aoki/{ASSIGNMENT}/{NB}",
    }
    assert submitted[f"s1/{ASSIGNMENT}/timestamp.txt"] == "2026-11-01 12:00:00"
    assert submitted[f"Ann O~27Lee/{ASSIGNMENT}/{NB}"] == GOOD
    for said in (
        "evil.ipynb in moodle.zip could not be taken as it is",
        "hw/x.ipynb is not.",
        "nobody.ipynb",
        "goes by the id Ann O~27Lee",
    ):
        assert said in caplog.text


def test_files_come_along_from_a_students_own_folder_only(zip_collect):
    own = zipped((NB, GOOD), ("data.csv", "1"), (".hidden", "x"), ("other.ipynb", GOOD))
    shared = zipped((f"ito_{NB}", GOOD), ("leebo.csv", "2"), ("lee_1_2_numbers.csv", "3"))
    submitted = zip_collect({"aoki.zip": own, "class.zip": shared, f"beck_{NB}": GOOD.encode(), "beck.csv": b"4"})
    files = {name for name in submitted if not name.endswith(NB)}
    assert files == {f"aoki/{ASSIGNMENT}/data.csv"}


def test_a_regular_expression_still_decides(zip_collect):
    pattern = rf".*/(?P<file_id>{NOTEBOOK})_of_(?P<student_id>\w+)\.ipynb"
    submitted = zip_collect({f"{NOTEBOOK}_of_aoki.ipynb": b"x"}, f"--FileNameCollectorPlugin.named_regexp={pattern}")
    assert submitted == {f"aoki/{ASSIGNMENT}/{NB}": "x"}


def test_what_was_collected_is_replaced_by_force_only(zip_collect):
    zip_collect({f"aoki_{NB}": b"1"})
    with pytest.raises(SystemExit):
        zip_collect({f"aoki_{NB}": b"2"})
    assert zip_collect({}, "--force") == {f"aoki/{ASSIGNMENT}/{NB}": "2"}
