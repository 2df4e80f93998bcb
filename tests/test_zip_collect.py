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
from datetime import datetime
from pathlib import Path

import pytest
from conftest import COURSE, notebook_of, small_notebook

from autograder.nbgrader_plugins import zip_collect as package
from autograder.nbgrader_plugins.zip_collect.archives import Budget, Unpacker, safe_path
from autograder.nbgrader_plugins.zip_collect.choice import Released, assign
from autograder.nbgrader_plugins.zip_collect.ids import student_ids
from autograder.nbgrader_plugins.zip_collect.owners import find_owners
from autograder.nbgrader_plugins.zip_collect.roster import NOBODY, Roster
from autograder.notebooks.file_names import safe_name
from autograder.report.class_record import Person

ASSIGNMENT, NOTEBOOK = "gradient-pathology", "gradient_pathology"
NB = f"{NOTEBOOK}.ipynb"
GOOD = json.dumps(small_notebook())


# --- archives ---------------------------------------------------------------------------------------------------------


class Folder:
    """A folder to unpack into, and what was reported meanwhile."""

    def __init__(self, path, files=1000):
        self.path, self.reports = path, []
        self._unpacker = Unpacker(
            path,
            report=self.reports.append,
            is_archive=lambda name: name.lower().endswith((".zip", ".gz", ".tar", ".tgz")),
            budget=Budget(files, 50 * 2**20),
            inner=lambda outer: Budget(100, 5 * 2**20, outer),
            file_bytes=10 * 2**20,
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


def zipped(*entries):
    """A zip file of (name or ZipInfo, content) pairs."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return packed.getvalue()


def tarred(*entries, format="w"):
    """A tar file of (name, content, fields of its TarInfo) triples."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=format, format=tarfile.PAX_FORMAT) as archive:
        for name, content, fields in entries:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for field, value in fields.items():
                setattr(member, field, value)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


@pytest.fixture
def make_zip(tmp_path):
    """Writes class.zip."""

    def make(*entries):
        (tmp_path / "class.zip").write_bytes(zipped(*entries))
        return tmp_path / "class.zip"

    return make


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
    assert "class.zip could not be collected." in report and report.isprintable()
    assert [p.name for p in folder.path.parent.iterdir()] in (["extracted", "class.zip"], ["class.zip", "extracted"])


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_are_no_files(folder, make_zip, kind):
    assert folder.add(make_zip((of_kind("x", kind), "/etc/passwd"), ("a", "1"))) == {"class/a": b"1"}
    assert "a link or a device" in folder.reports[0]


def test_tar_files_are_unpacked_as_carefully(folder, tmp_path):
    kinds = {"../x": tarfile.REGTYPE, "l": tarfile.SYMTYPE, "h": tarfile.LNKTYPE, "d": tarfile.CHRTYPE}
    refused = [(name, b"", {"type": kind, "linkname": "/etc/passwd"}) for name, kind in kinds.items()]
    taken = [(f"{name}/{NB}", b"12345", {"mtime": 5}) for name in ("aoki", "baba")]
    path = tmp_path / "class.tar.gz"
    path.write_bytes(tarred(*refused, *taken, format="w:gz"))
    assert folder.add(path) == {f"class/aoki/{NB}": b"12345", f"class/baba/{NB}": b"12345"}
    assert len(folder.reports) == 4
    assert (folder.path / "class" / "aoki" / NB).stat().st_mtime == 5


@pytest.mark.parametrize(
    "other", ["Aoki/が", "AOKI/が", "aoki/か\u3099", "ａoki/が", "aoki/が", "aoki", "aoki/が/deeper"]
)
def test_names_that_some_system_takes_for_the_same_do_not_meet(folder, make_zip, other):
    with pytest.warns(UserWarning) if other == "aoki/が" else nullcontext():
        archive = make_zip(("aoki/が", "1"), (other, "2"), ("baba/nb", "3"))
    assert folder.add(archive) == {"class/aoki/が": b"1", "class/baba/nb": b"3"}
    assert len(folder.reports) == 1


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
    assert any("more.zip" in line and "Only one level" in line for line in folder.reports)
    assert any("broken.zip" in line and "not a readable archive" in line for line in folder.reports)


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
    assert "class.zip" in report and "over the size limit for unpacking" in report


def test_a_tar_file_that_unpacks_without_end_is_given_up(folder, tmp_path):
    path = tmp_path / "class.tar.gz"
    path.write_bytes(tarred(("a", b"12345", {}), ("bomb", b"\0" * 60 * 2**20, {}), format="w:gz"))
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


def test_two_archives_of_one_name_do_not_share_a_folder(folder, tmp_path):
    for name, content in [("aoki.zip", zipped((NB, "1"))), ("aoki.tar", tarred((NB, b"", {})))]:
        (tmp_path / name).write_bytes(content)
        folder.add(tmp_path / name)
    assert set(folder.files) == {f"aoki/{NB}", f"aoki/aoki.tar/{NB}"}


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


def collected(*paths, roster=NOBODY, folder=Path()):
    """The student of each path, None for what is not collected; and the warnings."""
    owners, warnings = find_owners({folder / path: Path(path) for path in paths}, [NOTEBOOK], ASSIGNMENT, roster)
    ids, more = student_ids(owners.values(), roster)
    return [ids[owners[folder / path].key] if folder / path in owners else None for path in paths], warnings + more


def students(*paths, roster=NOBODY):
    """The student of each path."""
    return collected(*paths, roster=roster)[0]


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
    assert students(path) == [student]


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
    assert {"aoki", "baba"} <= set(students(*paths)) <= {"aoki", "baba", "chiba", "doi"}


def test_namesakes_stay_apart():
    form = "c/{}_{}_assignsubmission_file_/x.ipynb"
    found = students(form.format("Ann Lee", 1), form.format("Ann Lee", 2), form.format("Bo Li", 3))
    assert sorted(found) == ["Ann Lee_1", "Ann Lee_2", "Bo Li"]


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
    assert safe_name(name) == safe


def test_no_two_people_share_an_id():
    names = ["aoki", "Aoki", "AOKI", "ａoki", "a+b", "a~2Bb", "x" * 300, "x" * 301, "が" * 100, "が" * 101]
    found = students(*(f"c/{name}/{NB}" for name in names))
    assert len({id.casefold() for id in found}) == len(names)
    assert all(len(id.encode()) <= 120 for id in found)
    assert found[0] == "aoki"


# --- who in the roster ------------------------------------------------------------------------------------------------

PEOPLE = (
    Person("taro", "Taro", "Suzuki", "taro.s@example.org", "1001"),
    Person("hanako", "花子", "山田", "h-yamada@example.org", "1002"),
    Person("s003", "Jiro", "Sato", "", "1003"),
    Person("s004", "Akira", "Ito", "", ""),
    Person("s005", "Ann", "Lee", "ann@example.org", "1005"),
    Person("s006", "Ann", "Lee", "ann@example.com", "1006"),
    Person("s007", "Mary-Jane", "O'Neil", "", "2027-117"),
    Person("1008", "Ken", "Mori", "", "2008"),
    Person("佐藤美咲", "美咲", "佐藤", "", ""),
    Person("s010", "", "", "ken.abe@example.org", "1008"),
)
JIRO = (Person("s2", last_name="Sato"), Person("s3", "Jiro", "", "", "1003"))
NO_FOLDERS = ("../x", ".x", "a/b", "[*]", "x" * 300)
MOODLE, CANVAS = "c/{}_12_assignsubmission_file_/x.ipynb", "c/{}_67890_x.ipynb"


@pytest.mark.parametrize(
    ("path", "student"),
    [
        (MOODLE.format("Taro Suzuki"), "taro"),
        (MOODLE.format("SUZUKI ＴＡＲＯ"), "taro"),
        (MOODLE.format("山田 花子"), "hanako"),
        (MOODLE.format("花子　山田"), "hanako"),
        (MOODLE.format("taro"), "taro"),
        (MOODLE.format("taro.s@example.org"), "taro"),
        (CANVAS.format("satojiro_1003"), "s003"),
        (CANVAS.format("satojiro_LATE_1003"), "s003"),
        (CANVAS.format("佐藤次郎_1003"), "s003"),
        (CANVAS.format("itoakira_1004"), "s004"),
        (CANVAS.format("leeann_1006"), "s006"),
        (CANVAS.format("oneilmaryjane_77"), "s007"),
        ("c/Gp_TARO_attempt_2026-11-01-12-00-00_nb.ipynb", "taro"),
        (f"c/Problem/Lee, Ann(ann@example.com)/Submission attachment(s)/{NB}", "s006"),
        (f"c/Problem/Ito, Akira(zz9)/Submission attachment(s)/{NB}", "s004"),
        (f"c/Suzuki Taro/{NB}", "taro"),
        (f"c/1001/{NB}", "taro"),
        (f"c/2027-117/{NB}", "s007"),
        (f"c/h-yamada/{NB}", "hanako"),
        (f"c/H-Yamada@Example.org_{NB}", "hanako"),
        (f"1008/{NB}", "1008"),
        (f"taro/hw/{NB}", "taro"),
        ("taro/hanako.ipynb", "taro"),
        ("hanako.ipynb", "hanako"),
        ("佐藤美咲.ipynb", "佐藤美咲"),
        ("Hanako (1).ipynb", "hanako"),
        ("山田花子のコピー.ipynb", "hanako"),
    ],
)
def test_who_is_in_the_roster_has_its_id(path, student):
    assert students(path, roster=Roster(PEOPLE)) == [student]


@pytest.mark.parametrize(
    ("path", "student"),
    [
        (MOODLE.format("Ann Lee"), "Ann Lee"),  # two have the name
        (f"c/ann/{NB}", "ann"),  # two have the local part
        (CANVAS.format("leeann_1"), "leeann_1"),
        (CANVAS.format("satojiro_4711"), "satojiro_4711"),  # the roster's has another number
        (CANVAS.format("itoakira_1003"), "itoakira_1003"),  # one's name, another's number
        (CANVAS.format("xy_2027"), "xy_2027"),
        (f"c/taro@example.com/{NB}", "taro@example.com"),
        (f"c/Suzuki/{NB}", "Suzuki"),
        (MOODLE.format("山だ 花子"), "山だ 花子"),
    ],
)
def test_nobody_is_guessed(path, student):
    assert students(path, roster=Roster(PEOPLE)) == [student]


@pytest.mark.parametrize(
    ("people", "path", "student"),
    [
        # A name before the @ is not the number of another.
        ([*PEOPLE, Person("s011", email="2027-117@example.org")], f"c/2027-117/{NB}", "2027-117"),
        # An id without a name is no leftover of somebody called so.
        ([*JIRO, Person("sato")], f"c/sato/{NB}", "sato"),
        ([*JIRO, Person("jiro")], f"c/jiro/{NB}", "jiro"),
        ([*JIRO, Person("b_1003")], f"c/b_1003/{NB}", "b_1003"),
        # What grading made of a file's name is nobody.
        ([*PEOPLE, Person("Taro Suzuki")], MOODLE.format("Taro Suzuki"), "taro"),
        ([*PEOPLE, Person("satojiro_1003")], CANVAS.format("satojiro_1003"), "s003"),
        ([*PEOPLE, Person("佐藤次郎_1003")], CANVAS.format("佐藤次郎_1003"), "s003"),
        ([*PEOPLE, Person("bare")], MOODLE.format("bare"), "bare"),
        # An id that is no folder's name is not used.
        *(([Person(id, "Taro", "Suzuki")], MOODLE.format("Taro Suzuki"), "Taro Suzuki") for id in NO_FOLDERS),
    ],
)
def test_odd_ids_in_the_roster_mean_nobody_else(people, path, student):
    assert students(path, roster=Roster(people)) == [student]


def test_two_people_of_one_system_are_not_one_in_the_roster():
    paths = [MOODLE.format(name).replace("_12_", f"_{n}_") for n, name in enumerate(["Taro Suzuki", "suzuki taro"])]
    assert students(*paths, roster=Roster(PEOPLE)) == ["Taro Suzuki", "suzuki taro"]
    # Another student's display name in Moodle is hanako's id.
    for name in ("hanako", "hanako "):
        paths = [MOODLE.format("山田 花子"), MOODLE.format(name).replace("_12_", "_13_")]
        assert "hanako" not in students(*paths, roster=Roster(PEOPLE))


BLACKBOARD = "{}_attempt_2026-11-01-{}-00-00_{}"
FORGED = [
    "hanako.ipynb",
    f"hanako_{NB}",
    f"hanako/{NB}",
    f"x_1002_5_{NB}",
    f"x, y(hanako)/{NB}",
    f"花子 山田_5_assignsubmission_file_/{NB}",
    BLACKBOARD.format("HW_hanako", 13, NB),
]


@pytest.mark.parametrize("name", FORGED)
@pytest.mark.parametrize(
    ("place", "beside"),
    [
        ("taro", []),
        ("c/taro", []),
        ("c/taro", [f"c/s003/{NB}"]),
        ("taro", [f"s003/{NB}"]),
        ("c/Taro Suzuki_7_assignsubmission_file_", [f"c/Jiro Sato_8_assignsubmission_file_/{NB}"]),
        ("c/Gp_taro_attempt_2026-11-01-12-00-00_hw", [f"c/Gp_s003_attempt_2026-11-01-12-00-00_{NB}"]),
    ],
)
def test_nobody_hands_in_for_others_in_a_folder_or_archive_of_their_own(name, place, beside):
    assert students(f"{place}/{name}", *beside, roster=Roster(PEOPLE))[0] == "taro"


@pytest.mark.parametrize(
    ("form", "other"),
    [
        ("c/suzukitaro_1001_55{n}_{name}", f"c/satojiro_1003_556_{NB}"),
        ("c/Taro Suzuki_7_assignsubmission_file_{name}", f"c/Jiro Sato_8_assignsubmission_file_{NB}"),
        ("c/HW1_taro_attempt_2026-11-01-12-0{n}-00_{name}", f"c/HW1_s003_attempt_2026-11-01-12-00-00_{NB}"),
        ("c/HW_1_1001_attempt_2026-11-01-12-0{n}-00_{name}", f"c/HW_1_1003_attempt_2026-11-01-12-00-00_{NB}"),
    ],
)
def test_nobody_hands_in_for_others_by_the_name_of_a_file(form, other):
    names = [*(name for name in FORGED if "/" not in name), f"花子 山田_5_assignsubmission_file_{NB}"]
    mine = [form.format(n=n, name=name) for n, name in enumerate(names)]
    assert students(*mine, other, roster=Roster(PEOPLE)) == ["taro"] * len(mine) + ["s003"]


def test_a_name_that_two_systems_could_have_written_is_nobodys_in_the_roster():
    path = "c/suzukitaro_1001_556_" + BLACKBOARD.format("HW_hanako", 13, NB)
    (student,) = students(path, roster=Roster(PEOPLE))
    assert student not in Roster(PEOPLE).people


def test_nobody_sets_the_time_by_the_name_of_a_file():
    path = Path("c") / BLACKBOARD.format("HW_taro", 12, BLACKBOARD.format("HW_taro", "01", NB))
    owners, _ = find_owners({path: path}, [NOTEBOOK], ASSIGNMENT)
    assert owners[path].time == datetime(2026, 11, 1, 12)


@pytest.mark.parametrize("place", ["1001", "taro", "taro.s", "all/1001"])
@pytest.mark.parametrize(
    "names",
    [
        [f"hanako/{NB}", f"s003/{NB}"],
        [f"taro/{NB}", f"s003/{NB}"],
        [f"deep/hanako/{NB}", f"deep/s003/{NB}"],
        ["hanako.ipynb", "s003.ipynb"],
        [f"x_1002_1_{NB}", f"x_1003_2_{NB}"],
    ],
)
def test_what_may_be_a_class_or_somebodys_is_not_collected(place, names):
    paths = [f"{place}/{name}" for name in names]
    ids, (warning,) = collected(*paths, roster=Roster(PEOPLE))
    assert set(ids) == {None} and warning.startswith(f"{place} has the name of taro") and paths[-1] in warning


def test_another_name_in_somebodys_folder_is_told():
    path = f"1001/hanako/{NB}"
    said = f"{path} is in the folder of taro and was collected as theirs, although it also names hanako."
    assert collected(path, roster=Roster(PEOPLE)) == (["taro"], [said])


def test_a_system_and_a_person_may_name_the_same_student():
    assert students(MOODLE.format("山田 花子"), "hanako.ipynb", roster=Roster(PEOPLE)) == ["hanako"] * 2


@pytest.mark.parametrize("place", ["", "c/", "c/x/"])
def test_a_class_of_files_named_after_students_alone(place):
    paths = [f"{place}taro.ipynb", f"{place}山田 花子.ipynb"]
    assert students(*paths, roster=Roster(PEOPLE)) == ["taro", "hanako"]


@pytest.mark.parametrize(
    ("name", "ids"), [("Taro Mori", ["Taro Mori_1", "Taro Mori_2"]), ("Al O'Hara", ["Al O~27Hara"])]
)
def test_ids_that_were_made_before_there_was_a_roster_stay(name, ids):
    roster = Roster([Person(id) for id in ids])
    paths = [MOODLE.format(name).replace("_12_", f"_{n}_") for n in range(1, len(ids) + 1)]
    for some in (paths, paths[:1]):
        assert collected(*some, roster=roster) == (ids[: len(some)], [])


@pytest.mark.parametrize("name", ["-", "_", "・", "\u200b", "\x00", "%s{}", "(1)", " (1)", "@", "のコピー"])
def test_odd_names_are_nobodys(name):
    roster = Roster([*PEOPLE, Person("bare")])
    ids, (warning,) = collected(f"{name}.ipynb", roster=roster)
    assert ids == [None] and warning.isprintable()
    assert students(f"c/{name}.ipynb", roster=roster) == ["c"]
    assert roster.find(name) is roster.find("", name) is roster.find("", number=name) is None


# --- other words before the person, and other systems ---------------------------------------------------------------

CLASS = Roster(
    [
        Person("taro", "Taro", "Suzuki", "taro@example.edu", "1001"),
        Person("hanako", "Hanako", "Sato", "hanako@example.edu", "1002"),
        Person("ken_ito", "Ken", "Ito", "ken@example.edu", "1003"),
        Person("ito", "Mika", "Ito", "ito@example.edu", "1004"),
        Person("ann", "Ann", "Smith-Jones"),
        Person("jones", "", "Jones"),
    ]
)


BLACKBOARDS = f"{{}}_attempt_2027-01-10-12-00-00_{NB}"
MOODLES = "{}_{n}_assignsubmission_file_/x.ipynb"


def named(form, names, roster=CLASS):
    """What is collected of files of one form, and the warnings."""
    return collected(*(form.format(name, n=n) for n, name in enumerate(names)), roster=roster)


@pytest.mark.parametrize(
    ("heads", "expected"),
    [
        (["HW1_ken_ito", "HW1_taro"], ["ken_ito", "taro"]),
        (["HW1_ken_ito", "HW1_ito", "HW1_taro"], ["ken_ito", "ito", "taro"]),
        (["HW_1_ken_ito", "HW_1_ito"], ["ken_ito", "ito"]),
        (["HW_1_KEN_ITO", "HW_1_taro@example.edu"], ["ken_ito", "taro"]),
        (["HW1_ken_ito"], ["ken_ito"]),  # the longest one of the roster's
        (["HW1_ken_mori", "HW1_taro"], ["ken_mori", "taro"]),
        (["HW1_a_ito", "HW1_taro"], ["a_ito", "taro"]),  # not ito, who has a shorter name than all begin with
        (["HW1_ken_ito@example.edu", "HW1_taro"], ["ken_ito@example.edu", "taro"]),  # Mika's is another one
        (["HW1_ken_ito", "HW2_ken_ito", "HW2_taro"], ["ken_ito", "ken_ito", "taro"]),
    ],
)
def test_a_user_name_of_blackboards_may_hold_an_underscore(heads, expected):
    assert named(BLACKBOARDS, heads)[0] == expected


def test_who_could_be_two_of_blackboards_is_neither():
    ids, (warning, *_) = named(BLACKBOARDS, ["HW_ken_ito", "HW_ken_mori"])
    assert ids[0] is None and "HW_ken_ito" in warning and "any of ito, ken_ito" in warning


@pytest.mark.parametrize(
    ("heads", "expected", "assumed"),
    [
        (["HW1_ken_ito", "HW1_taro"], ["ken_ito", "taro"], []),
        (["HW1_ito"], ["ito"], []),
        (["HW1_ken_ito"], ["ito"], ["HW1_ken_ito → ito"]),
        (["HW1_ken_ito@example.edu"], ["ken_ito@example.edu"], ["HW1_ken_ito@example.edu → ken_ito@example.edu"]),
        (["HW_1_taro", "HW_1_ito"], ["taro", "ito"], ["HW_1_taro → taro", "HW_1_ito → ito"]),
    ],
)
def test_without_a_roster_what_is_assumed_of_blackboards_names_is_said(heads, expected, assumed):
    ids, warnings = named(BLACKBOARDS, heads, NOBODY)
    said = "In Blackboard's file names, the start of the user name is not certain. Assumed: {}."
    assert ids == expected and warnings == [said.format(", ".join(assumed))][: len(assumed)]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["Group A-Taro Suzuki", "Group B-Hanako Sato"], ["taro", "hanako"]),
        (["B-2-Ann Smith-Jones", "Default group-Sato Hanako"], ["ann", "hanako"]),
        (["Ann Smith-Jones", "Taro Suzuki"], ["ann", "taro"]),
        (["Ann Smith-Jones"], ["ann"]),
        (["Bob Smith-Jones", "Taro Suzuki"], ["Bob Smith-Jones", "taro"]),  # no groups here: not Jones
        (["Red-hanako", "Red-Taro Suzuki"], ["Red-hanako", "taro"]),  # a full name is no id
    ],
)
def test_a_group_of_moodles_stands_before_the_name(names, expected):
    assert named(MOODLES, names)[0] == expected


def brightspace(name, time="Jan 5, 2027 1103 PM", user=12345):
    return f"{user}-67890 - {name} - {time}"


OF_NAMES = {
    "Brightspace": "HW 1 Download/" + brightspace("{}", user="{n}") + f"/{NB}",
    "Brightspace, files": brightspace("{}", user="{n}") + f" - {NB}",
    "Teams": f"{{}}/Version 1/{NB}",
    "SharePoint": f"Student Work/Submitted files/{{}}/HW 1/Version 2/{NB}",
}


@pytest.mark.parametrize("form", OF_NAMES.values(), ids=OF_NAMES)
def test_who_is_named_in_full_is_looked_for_in_the_roster_and_else_nobody(form):
    names = ["Taro Suzuki", "Ann Smith-Jones", "Bob Mori"]
    ids, (warning,) = named(form, names)
    unknown = form.format("Bob Mori", n=2)
    assert ids == ["taro", "ann", None] and warning.startswith(f"{unknown}: Bob Mori is not in the gradebook")
    assert named(form, names[:1])[0] == ["taro"]
    assert named(form, names, NOBODY)[0] == names
    # Ids that grading made of such names are no roster.
    assert named(form, names, Roster([Person("Taro Suzuki")]))[0][2] == "Bob Mori"


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("Jan 5, 2027 1103 PM", datetime(2027, 1, 5, 23, 3)),
        ("Jan 5, 2027 103 PM", datetime(2027, 1, 5, 13, 3)),
        ("Dec 31, 2026 1200 AM", datetime(2026, 12, 31)),
        ("5 janv. 2027 2303", None),
    ],
)
def test_the_time_of_brightspace(written, time):
    path = Path(brightspace("Taro Suzuki", written), NB)
    owners, _ = find_owners({path: path}, [NOTEBOOK], ASSIGNMENT, CLASS)
    assert (owners[path].student, owners[path].time) == ("Taro Suzuki", time)


@pytest.mark.parametrize("place", ["HW_1/{}", "{}", "HW_1/Team 7/{}"])
@pytest.mark.parametrize(
    ("folder", "student"),
    [
        ("Suzuki_Taro_taro_123", "taro"),
        ("Ito_Ken_ken_ito_124", "ken_ito"),
        ("Ito_Mika_ito_125", "ito"),
        ("Smith-Jones_Ann Maria_ann_126", "ann"),
        ("Sato_Hanako_hs77_127", "hanako"),  # by the name
        ("Mori_Bob_bob_128", None),
        ("Doe_J_ken_ito_129", None),  # ken_ito, or ito and another first name
    ],
)
def test_iliass_folders_end_in_the_user_name(place, folder, student):
    other = "Suzuki_Taro_taro_123"
    paths = list(dict.fromkeys(f"{place.format(name)}/{NB}" for name in (folder, other)))
    ids, warnings = collected(*paths, roster=CLASS)
    assert ids == [student, "taro"][: len(paths)] and len(warnings) == (student is None)


SUBMITTERS = """\
submission_1:
  :submitters:
  - :name: Taro Suzuki
    :sid: '1001'
    :email: t@example.com
  :created_at: 2027-01-10 12:00:00.861687000 Z
  :results: !ruby/hash:ActiveSupport::HashWithIndifferentAccess
    output: |-
      :submitters: [{:sid: '1002'}]
submission_2:
  :submitters:
  - :name: Somebody
    :sid:
    :email: hanako@example.edu
submission_3:
  :submitters:
  - :name: Ken Ito
    :sid: '1003'
  - :name: Mika Ito
    :sid: '1004'
submission_4:
  :submitters:
  - :name: Bob Mori
    :sid: '7'
submission_5:
  :submitters: []
"""


def test_gradescope_says_whose_its_folders_are_in_a_file_beside_them(tmp_path):
    export = tmp_path / "assignment_1_export"
    export.mkdir()
    (export / "submission_metadata.yml").write_text(SUBMITTERS)
    (export / "submission_6").mkdir()  # what a student writes there counts for nothing
    (export / "submission_6" / "submission_metadata.yml").write_text("submission_6: {':submitters': [{':sid': taro}]}")
    paths = ["assignment_1_export/submission_metadata.yml", "assignment_1_export/submission_6/submission_metadata.yml"]
    paths += [f"assignment_1_export/submission_{n}/{NB}" for n in range(1, 7)]
    ids, warnings = collected(*paths, roster=CLASS, folder=tmp_path)
    assert ids[2:] == ["taro", "hanako", None, None, None, None]
    for n, said in [(3, "any of Ken Ito, Mika Ito"), (4, "Bob Mori is not"), (5, "submission_metadata.yml")]:
        assert [line for line in warnings if f"submission_{n}/" in line and said in line]
    ids, _ = collected(*paths, folder=tmp_path)
    assert ids[2:] == ["1001", "hanako@example.edu", None, "7", None, None]


@pytest.mark.parametrize(
    "content", ["", "[", "a: [*b]", "- 1", "submission_1: 1", "submission_1: {':submitters': x}", "\0"]
)
def test_without_that_file_nobody_is_guessed(tmp_path, content):
    (tmp_path / "submission_metadata.yml").write_text(content)
    paths = ["submission_metadata.yml", f"submission_1/{NB}"]
    ids, (warning,) = collected(*paths, roster=CLASS, folder=tmp_path)
    assert ids == [None, None] and "submission_metadata.yml, which" in warning


@pytest.mark.parametrize("name", ["my_train_data_1", "submission_7", "a_b_taro_5"])
def test_folder_forms_of_systems_say_nothing_in_names_of_files(name):
    assert collected(f"c/aoki/{name}.ipynb", f"c/baba/{name}.ipynb")[0] == ["aoki", "baba"]
    assert collected(f"taro/{name}.ipynb", f"hanako/{name}.ipynb", roster=CLASS)[0] == ["taro", "hanako"]


# --- which of a student's notebooks -----------------------------------------------------------------------------------


@pytest.fixture
def choose(tmp_path):
    """What is chosen of files, given as name -> (content, age in days)."""

    def run(files, notebooks=(NOTEBOOK,), roster=NOBODY):
        now = time.time()
        for name, (content, age) in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
            os.utime(path, (now - age * 86400,) * 2)
        paths = [tmp_path / name for name in files]
        belongs = lambda path: "belongs" in path.read_text(encoding="utf-8")  # noqa: E731
        chosen, warnings = assign(paths, tmp_path, list(notebooks), ASSIGNMENT, belongs, roster)
        return {str(path.relative_to(tmp_path)): (c.student, c.notebook) for path, c in chosen.items()}, warnings

    return run


ATTEMPT = f"c/Gp_s1_attempt_2026-11-0{{}}-12-00-00_{NB}"


@pytest.mark.parametrize(
    ("taken", "left", "student"),
    [
        # It belongs to the assignment.
        ({"c/aoki/x.ipynb": ("belongs", 9)}, {"c/aoki/y.ipynb": ("", 1)}, "aoki"),
        ({f"c/aoki/{NOTEBOOK} (1).ipynb": ("belongs", 9)}, {f"c/aoki/{NB}": ("", 1)}, "aoki"),
        # It is the newest; the system's time counts more than the file's.
        ({"c/aoki/y.ipynb": ("belongs", 1)}, {"c/aoki/x.ipynb": ("belongs", 9)}, "aoki"),
        ({ATTEMPT.format(2): ("belongs", 9)}, {ATTEMPT.format(1): ("belongs", 1)}, "s1"),
        (
            {"Taro Suzuki/Version 10/x.ipynb": ("belongs", 10)},
            {f"Taro Suzuki/Version {n}/x.ipynb": ("belongs", n) for n in (2, 9)},
            "Taro Suzuki",
        ),
        # It has the exact name.
        ({f"c/aoki/{NB}": ("belongs", 5)}, {f"c/aoki/{NOTEBOOK} (1).ipynb": ("belongs", 5)}, "aoki"),
    ],
)
def test_of_several_notebooks_the_best_is_taken_and_the_others_named(choose, taken, left, student):
    beside = "Hanako Sato/Version 1/x.ipynb" if student == "Taro Suzuki" else "c/b/x.ipynb"
    chosen, (warning,) = choose(left | taken | {beside: ("", 1)})
    (path,) = taken
    assert chosen[path] == (student, NOTEBOOK) and len(chosen) == 2
    assert student in warning and all(name in warning.split("was collected,")[1] for name in left)


@pytest.mark.parametrize("other", [f"d/hanako/{NB}", CANVAS.format("x_1002").replace("c/", "d/")])
def test_the_newest_does_not_decide_between_two_who_may_be_the_same(choose, other):
    moodle = MOODLE.format("山田 花子")
    more = {other.replace("hanako", "s003").replace("x_1002", "y_1003"): ("", 1)}
    files = {moodle: ("belongs", 9), moodle.replace("山田 花子", "Taro Suzuki"): ("", 1), other: ("belongs", 1)} | more
    chosen, (warning,) = choose(files, roster=Roster(PEOPLE))
    assert {student for student, _ in chosen.values()} == {"taro", "s003"}
    assert moodle in warning and other in warning and "hanako.ipynb" in warning
    chosen, (warning,) = choose(files | {"hanako.ipynb": ("", 20)}, roster=Roster(PEOPLE))
    assert chosen["hanako.ipynb"] == ("hanako", NOTEBOOK) and moodle in warning and other in warning
    chosen, _ = choose(files | {"花子 山田.ipynb": ("", 0)}, roster=Roster(PEOPLE))
    assert "hanako" not in {student for student, _ in chosen.values()}


RELEASED = [
    {"cell_type": "code", "source": "# write", "metadata": {"nbgrader": {"grade_id": name}}}
    for name in ("q1", "q2", "q3")
]


def test_what_a_notebook_is_worth(tmp_path):
    def write(name, cells):
        path = tmp_path / name
        path.write_text(json.dumps(notebook_of(cells)) if isinstance(cells, list) else cells)
        return path

    def answered(cell, text="x = 1"):
        return cell | {"source": text}

    released = Released([write("released.ipynb", RELEASED)])
    in_order = [
        write("empty", ""),
        write("other", [answered({"cell_type": "code", "metadata": {"nbgrader": {"grade_id": "z"}}})]),
        write("one of three", RELEASED[:1]),
        write("one of three, answered", [answered(RELEASED[0])]),
        write("stub", RELEASED),
        write("full", [answered(cell) for cell in RELEASED]),
    ]
    worths = [released.worth(path) for path in in_order]
    assert worths == sorted(worths) and len(set(worths)) == len(worths)
    lost = [{"cell_type": "code", "metadata": {}, "id": f"q{n}", "source": "y"} for n in (1, 2)]  # by Colab, say
    assert released.worth(write("lost", lost)) == worths[-1]
    assert released.worth(tmp_path / "missing") == worths[0] == (False, 0, False)


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

    def run(files, *options, assignment=ASSIGNMENT, released=GOOD):
        (tmp_path / "source" / assignment).mkdir(parents=True, exist_ok=True)
        (tmp_path / "source" / assignment / NB).write_text(released)
        archive = tmp_path / "downloaded" / assignment / "archive"
        archive.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (archive / name).parent.mkdir(parents=True, exist_ok=True)
            (archive / name).write_bytes(content)
        ZipCollectApp.clear_instance()
        app = ZipCollectApp.instance()
        app.log = logging.getLogger("zip_collect")
        try:
            app.initialize([assignment, *options])
            app.log = logging.getLogger("zip_collect")
            with caplog.at_level(logging.WARNING, "zip_collect"):
                app.start()
        finally:
            ZipCollectApp.clear_instance()
        submitted = tmp_path / "submitted"
        return {str(p.relative_to(submitted)): p.read_text() for p in submitted.rglob("*") if p.is_file()}

    return run


def test_a_class_from_four_systems_is_collected(zip_collect, tmp_path, caplog):
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
    assert "is not in the gradebook" not in caplog.text, "there is none"
    assert not (tmp_path / "gradebook.db").exists(), "nor is one made by looking for it"
    for said in (
        "evil.ipynb in moodle.zip could not be collected",
        "hw/x.ipynb was not.",
        "nobody.ipynb",
        "has the id Ann O~27Lee",
    ):
        assert said in caplog.text


@pytest.mark.parametrize("assignment", ["hw(7)", "課題７", "hw[7]", "hw ?", ASSIGNMENT])
def test_the_notebook_of_this_assignment_is_taken_whatever_the_assignments_name(zip_collect, assignment):
    released = json.dumps(notebook_of(RELEASED))
    done = json.dumps(notebook_of([cell | {"source": "x = 1"} for cell in RELEASED]))
    other = json.dumps(notebook_of([cell | {"metadata": {"nbgrader": {"grade_id": "z"}}} for cell in RELEASED]))
    archive = zipped(
        (of_date("taro/answers.ipynb", 2027, 1, 10), done),
        (of_date("taro/week6.ipynb", 2027, 1, 12), other),
        (of_date("taro/stub.ipynb", 2027, 1, 13), released),
        (of_date(f"hanako/{NB}", 2027, 1, 10), ""),
        (of_date(f"hanako/{NOTEBOOK} (1).ipynb", 2027, 1, 9), done),
    )
    submitted = zip_collect({"class.zip": archive}, assignment=assignment, released=released)
    notebooks = {name: text for name, text in submitted.items() if name.endswith(".ipynb")}
    assert notebooks == dict.fromkeys((f"{name}/{assignment}/{NB}" for name in ("taro", "hanako")), done)


@pytest.mark.parametrize(
    ("files", "along"),
    [
        (
            {"aoki.zip": zipped((NB, GOOD), ("data.csv", "1"), (".hidden", "x"), ("other.ipynb", GOOD))},
            {f"aoki/{ASSIGNMENT}/data.csv"},
        ),
        ({"class.zip": zipped((f"ito_{NB}", GOOD), ("leebo.csv", "2"), ("lee_1_2_numbers.csv", "3"))}, set()),
        ({f"beck_{NB}": GOOD.encode(), "beck.csv": b"4"}, set()),
        ({"class.zip": zipped(("hanako.ipynb", GOOD), ("taro.csv", "1"), ("data.csv", "2"))}, set()),
        ({"class.zip": zipped(("taro.ipynb", GOOD), ("data.csv", "1"))}, set()),  # a class of one
        (
            {"taro.zip": zipped(("taro.ipynb", GOOD), ("taro.csv", "1"), ("hanako.csv", "2"))},
            {f"taro/{ASSIGNMENT}/taro.csv"},
        ),
        *(
            ({f"{place}/{name}": GOOD.encode(), f"{place}/data.csv": b"1"}, {f"taro/{ASSIGNMENT}/data.csv"})
            for place in ("m/Taro Suzuki_7_assignsubmission_file_", "c/taro.s@example.org", "c/1001", "c/Suzuki Taro")
            for name in ("taro.ipynb", f"taro_{NB}", f"1001_{NB}")
        ),
    ],
)
def test_files_come_along_from_a_students_own_folder_only(zip_collect, monkeypatch, files, along):
    monkeypatch.setattr(package, "read_people", lambda _directory: {person.id: person for person in PEOPLE})
    assert {name for name in zip_collect(files) if not name.endswith(NB)} == along


def test_a_regular_expression_still_decides(zip_collect):
    pattern = rf".*/(?P<file_id>{NOTEBOOK})_of_(?P<student_id>\w+)\.ipynb"
    submitted = zip_collect({f"{NOTEBOOK}_of_aoki.ipynb": b"x"}, f"--FileNameCollectorPlugin.named_regexp={pattern}")
    assert submitted == {f"aoki/{ASSIGNMENT}/{NB}": "x"}


def test_what_was_collected_is_replaced_by_force_only(zip_collect):
    zip_collect({f"aoki_{NB}": b"1"})
    with pytest.raises(SystemExit):
        zip_collect({f"aoki_{NB}": b"2"})
    assert zip_collect({}, "--force") == {f"aoki/{ASSIGNMENT}/{NB}": "2"}


def of_date(name, *date):
    return zipfile.ZipInfo(name, (*date, 12, 0, 0))


def test_hand_ins_are_joined_to_the_roster(zip_collect, tmp_path, monkeypatch, caplog):
    from nbgrader.api import Gradebook

    monkeypatch.setattr("nbgrader.api.get_alembic_version", lambda: "any")  # nbgrader asks a program, for seconds
    with Gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}") as gradebook:
        for person in PEOPLE:
            gradebook.add_student(person.id, **person.details)
    submitted = zip_collect(
        {
            "moodle.zip": zipped(
                *((f"{name}_{n}_assignsubmission_file_/{NB}", GOOD) for n, name in enumerate(["Taro Suzuki", "Al Ng"]))
            ),
            "canvas.zip": zipped((f"satojiro_1003_67890_{NB}", GOOD), (f"itoakira_1004_67891_{NB}", GOOD)),
            "hanako.ipynb": GOOD.encode(),
            "佐藤美咲.ipynb": GOOD.encode(),
        }
    )
    ids = ("taro", "Al Ng", "s003", "s004", "hanako", "佐藤美咲")
    assert set(submitted) == {f"{student}/{ASSIGNMENT}/{NB}" for student in ids}
    assert [line for line in caplog.messages if "is not in the gradebook" in line] == [
        "Al Ng is not in the gradebook. If the student is there under another id, put the notebook into archive/ as "
        "<id in the gradebook>.ipynb and collect again."
    ]


def test_a_gradebook_that_cannot_be_read_stops_before_anything_is_collected(zip_collect, tmp_path, caplog):
    (tmp_path / "gradebook.db").write_bytes(b"no database" * 100)
    with pytest.raises(SystemExit):
        zip_collect({f"aoki_{NB}": b"1"})
    assert "The gradebook cannot be used" in caplog.text and not (tmp_path / "submitted").exists()


def test_the_time_in_a_classs_archive_is_when_it_was_handed_in(zip_collect):
    inner = zipped((of_date(NB, 2020, 1, 1), GOOD))
    moodle = [
        (of_date(f"Ann Lee_1_assignsubmission_file_/{NB}", 2026, 11, 1), GOOD),
        (of_date("Bo Li_2_assignsubmission_file_/hw.zip", 2026, 11, 2), inner),
    ]
    by_hand = [
        (of_date(f"aoki_{NB}", 2026, 11, 3), GOOD),
        (of_date(f"baba_{NB}", 2026, 11, 4), GOOD),
        (of_date(f"beck_{NB}", 1980, 1, 1), GOOD),
        (f"now_{NB}", GOOD),
        (of_date(f"later_{NB}", 2107, 1, 1), GOOD),
    ]
    blackboard = [
        (of_date(f"Gp_s{day}_attempt_2026-11-0{day}-12-00-00_nb.ipynb", 2026, 11, day + 3), GOOD) for day in (1, 2)
    ]
    canvas = [(of_date(f"leebo_{day}_67890_{NB}", 2026, 11, day), GOOD) for day in (5, 6)]  # when it was downloaded
    archives = {"moodle": moodle, "by_hand": by_hand, "blackboard": blackboard, "canvas": canvas}
    submitted = zip_collect({f"{name}.zip": zipped(*entries) for name, entries in archives.items()})
    days = {"Ann Lee": 1, "Bo Li": 2, "aoki": 3, "baba": 4}
    times = {name: time.gmtime(datetime(2026, 11, day, 12).timestamp()) for name, day in days.items()}
    expected = {name: time.strftime("%Y-%m-%d %H:%M:%S", date) for name, date in times.items()}
    expected |= {"s1": "2026-11-01 12:00:00", "s2": "2026-11-02 12:00:00"}
    suffix = f"/{ASSIGNMENT}/timestamp.txt"
    assert {n.removesuffix(suffix): t for n, t in submitted.items() if n.endswith(suffix)} == expected


def test_about_the_same_time_for_all_is_that_of_the_download(zip_collect):
    infos = [of_date(f"{name}_{n}_assignsubmission_file_/{NB}", 2026, 11, 1) for n, name in enumerate(("Bo", "Ann"))]
    infos[0].date_time = (2026, 11, 1, 12, 9, 0)
    submitted = zip_collect({"moodle.zip": zipped(*((info, GOOD) for info in infos))})
    assert set(submitted) == {f"{name}/{ASSIGNMENT}/{NB}" for name in ("Bo", "Ann")}


@pytest.mark.parametrize(
    "name", ["aoki.zip", "aoki/hw.zip", "Ann Lee_1_assignsubmission_file_/hw.zip", "leebo_12345_67890_hw.zip"]
)
def test_no_time_is_taken_from_a_students_own_archive(zip_collect, name):
    own = zipped((of_date(NB, 2020, 1, 1), GOOD), (of_date(f"aoki/{NB}", 2020, 1, 1), GOOD))
    (file,) = zip_collect({name: own})
    assert file.endswith(NB)


def test_any_time_at_all_is_harmless(zip_collect):
    times = [-1e10, 0, 1e10, 8589934591.0, 2**60]
    archive = tarred(*((f"s{n}/{NB}", b"1", {"mtime": seconds}) for n, seconds in enumerate(times)))
    assert set(zip_collect({"class.tar": archive})) == {f"s{n}/{ASSIGNMENT}/{NB}" for n in range(len(times))}


# --- giving feedback back ---------------------------------------------------------------------------------------------


def test_feedback_of_the_exchange_is_released_and_of_others_named(tmp_path, caplog, monkeypatch):
    from nbgrader.coursedir import CourseDirectory

    from autograder.nbgrader_plugins.feedback import ReleaseFeedback

    monkeypatch.chdir(tmp_path)
    handed_in = {"aoki": True, "by [hand]": False, "chiba": True, "left": False, "out": False}
    (tmp_path / "feedback" / "none" / ASSIGNMENT).mkdir(parents=True)
    for student, at_the_exchange in handed_in.items():
        page = tmp_path / "feedback" / student / ASSIGNMENT / f"{NOTEBOOK}.html"
        page.parent.mkdir(parents=True)
        page.write_text(student)
        if at_the_exchange:
            page.with_name("timestamp.txt").write_text("2026-11-01 12:00:00 UTC")
            page.with_name("submission_secret.txt").write_text(student)
    course = CourseDirectory(root=str(tmp_path), course_id="course", assignment_id=ASSIGNMENT)
    course.student_id_exclude = "left,out"
    release = ReleaseFeedback(coursedir=course, root=str(tmp_path / "exchange"), assignment_dir=str(tmp_path))
    release.log = logging.getLogger("release_feedback")
    (tmp_path / "exchange").mkdir(mode=0o777)
    (tmp_path / "exchange").chmod(0o777)
    with caplog.at_level(logging.WARNING, "release_feedback"):
        release.start()
    released = (tmp_path / "exchange" / "course" / "feedback").iterdir()
    assert sorted(page.read_text() for page in released) == ["aoki", "chiba"]
    (warning,) = caplog.messages
    assert warning.endswith("in feedback/ yourself: by [hand]")


def test_the_course_releases_feedback_so():
    assert "autograder.nbgrader_plugins.feedback.ReleaseFeedback" in (COURSE / "nbgrader_config.py").read_text()
