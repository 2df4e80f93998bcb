"""What `autograder roster` makes of the lists that spreadsheets and learning management systems write."""

from __future__ import annotations

import shutil

import pytest
from conftest import COURSE
from nbgrader.api import Gradebook
from sqlalchemy.exc import OperationalError

from autograder.cli import main
from autograder.grading.course import Course, CourseError
from autograder.grading.read_class import read_people
from autograder.grading.roster import Imported, RosterFile, import_roster, read_roster
from autograder.grading.table import UnusableTable
from autograder.report.class_record import Person

TARO = Person("taro", "Taro", "Suzuki", "taro@example.edu", "1001")
PLAIN = "id,first_name,last_name,email,lms_user_id\r\ntaro,Taro,Suzuki,taro@example.edu,1001\r\n"
JAPANESE = "学籍番号,氏名,メールアドレス\r\ns1,鈴木　太郎,taro@example.ac.jp\r\ns2,山田 花子,\r\n"


@pytest.fixture
def read(tmp_path):
    """What is read of a file with this content."""

    def read(content, written="utf-8", **options):
        path = tmp_path / "students.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode(written))
        return read_roster(path, **options)

    return read


@pytest.fixture
def faults(read):
    """Why a file with this content is not imported."""

    def faults(content, **options):
        with pytest.raises(UnusableTable) as error:
            read(content, **options)
        return error.value.lines

    return faults


# --- text and columns -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp932"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_a_file_is_read_however_a_spreadsheet_writes_it(read, encoding, separator, end):
    text = f"id,first_name,last_name{end}taro,太郎,鈴木{end}".replace(",", separator)
    assert read(text, encoding).people == (Person("taro", "太郎", "鈴木"),)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp932", "utf-16"])
def test_japanese_headings(read, encoding):
    people = read(JAPANESE, encoding).people
    assert people == (Person("s1", "太郎", "鈴木", "taro@example.ac.jp"), Person("s2", "花子", "山田"))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_known_by_one_ascii_character_of_two(read, encoding):
    assert read("姓,名,学籍番号\n鈴木,太郎,s1\n", encoding).people == (Person("s1", "太郎", "鈴木"),)


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("Jürgen Hérault", "cp1252"),
        ("Åse Dupré", "cp1252"),
        ("Ken O’Brien", "cp1252"),
        ("ｽｽﾞｷ ﾀﾛｳ", "cp932"),
        ("A組 表", "cp932"),
    ],
)
def test_the_code_page_of_windows_is_told_from_the_letters(read, name, encoding):
    roster = read(f"id,name\r\ns1,{name}\r\n", encoding)
    (person,) = roster.people
    assert set(f"{person.first_name} {person.last_name}".split()) == set(name.split()) and roster.encoding == encoding


def test_another_encoding_may_be_named(read, faults):
    assert read("id,name\ns1,Dvořák\n", "cp1250", encoding="cp1250").people == (Person("s1", "", "Dvořák"),)
    assert "not text in utf-7x" in faults("id\ns1\n", encoding="utf-7x")[0]


def test_excels_own_word_for_the_separator(read):
    assert read("sep=|\r\nid|name\r\ns1|Mori, Ken\r\n").people == (Person("s1", "Ken", "Mori"),)


def test_blanks_and_what_keeps_zeros_are_taken_off(read):
    text = 'ID , First Name,Last Name\r\n  hanako , Hanako ,\u3000Sato\u00a0\r\n"=""0012""",A  B,C\r\n , ,\r\n\r\n'
    assert read(text).people == (Person("hanako", "Hanako", "Sato"), Person("0012", "A B", "C"))


LISTS = {
    "Canvas": (
        "Student,ID,SIS User ID,SIS Login ID,Section,HW 1 (123)\n"
        ",,,,,Manual Posting\n"
        "    Points Possible,,,,,40\n"
        '"Suzuki, Taro",1001,u-1,taro,A,\n'
        '"Student, Test",9,,f00,A,\n',
        Person("taro", "Taro", "Suzuki", "", "1001"),
    ),
    "Canvas, without the school's ids": (
        'Student,ID,Section\n"Suzuki, Taro",1001,A\n',
        Person("1001", "Taro", "Suzuki", "", "1001"),
    ),
    "Moodle": (
        "First name,Last name,ID number,Email address,Groups\nTaro,Suzuki,s1,taro@example.edu,A\n",
        Person("s1", "Taro", "Suzuki", "taro@example.edu"),
    ),
    "Moodle, for administrators": (
        "id,username,email,firstname,lastname\n7,taro,taro@example.edu,Taro,Suzuki\n",
        Person("taro", "Taro", "Suzuki", "taro@example.edu"),
    ),
    "Moodle, without ids": (
        "Surname,First name,Email address\nSuzuki,Taro,taro@example.edu\n",
        Person("taro@example.edu", "Taro", "Suzuki", "taro@example.edu"),
    ),
    "Blackboard": (
        '"Last Name"\t"First Name"\t"Username"\t"Student ID"\t"Availability"\n"Suzuki"\t"Taro"\t"taro"\t"s1"\t"Yes"\n',
        Person("taro", "Taro", "Suzuki"),
    ),
    "Brightspace": (
        "OrgDefinedId,Username,Last Name,First Name,Email,End-of-Line Indicator\n#s1,#taro,Suzuki,Taro,t@x.org,#\n",
        Person("taro", "Taro", "Suzuki", "t@x.org"),
    ),
    "Gradescope": (
        "Name,SID,Email,Role\nTaro Suzuki,s1,t@example.edu,Student\n",
        Person("s1", "Taro", "Suzuki", "t@example.edu"),
    ),
    "a university": (
        "科目名,数値計算\nuser,山田\n\nNo.,学籍番号,氏名（漢字）,氏名（カナ）\n1,2027001,鈴木 太郎,スズキ タロウ\n",
        Person("2027001", "太郎", "鈴木"),
    ),
    "German": (
        "Matrikelnummer;Nachname;Vorname;E-Mail\n42;Müller;Jörg;j@example.de\n",
        Person("42", "Jörg", "Müller", "j@example.de"),
    ),
    "one column": ("id\ntaro\n", Person("taro")),
}


@pytest.mark.parametrize(("text", "person"), LISTS.values(), ids=LISTS)
def test_the_lists_of_systems_need_no_renaming(read, text, person):
    assert read(text).people == (person,)


def test_what_is_left_out_is_told(read):
    assert read(LISTS["Canvas"][0]).left_out == ("Points Possible", "Student, Test")


def test_ids_are_looked_at_as_they_are_imported(faults):
    """Brightspace writes a # before them."""
    heading = "OrgDefinedId,Username,Last Name,First Name\n"
    (empty,) = faults(f"{heading}#s1,#,Suzuki,Taro\n")
    assert "Username is empty" in empty
    (hidden,) = faults(f"{heading}#s1,#.hid,Suzuki,Taro\n")
    assert "'.hid' cannot be an id" in hidden


def test_the_column_of_the_ids_may_be_named(read, faults):
    text = LISTS["Blackboard"][0]
    assert read(text, id_column="student id").people == (Person("s1", "Taro", "Suzuki"),)
    assert "Number is not a heading" in faults(text, id_column="Number")[0]


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("Suzuki, Taro", "Taro", "Suzuki"),
        ("Ann Mary Lee", "Ann Mary", "Lee"),
        ("鈴木 太郎", "太郎", "鈴木"),
        ("鈴木太郎", "", "鈴木太郎"),
        ("Cher", "", "Cher"),
        ("", "", ""),
    ],
)
def test_full_names_are_split_as_they_are_written(read, name, first, last):
    assert read(f"id\tname\ns1\t{name}\n").people == (Person("s1", first, last),)


# --- what cannot be read ----------------------------------------------------------------------------------------------


def test_all_that_is_wrong_is_named_at_once(faults):
    text = "id,name\n,Nobody\ntaro,Taro\ntaro,Jiro\n1.23E+11,Saburo\na/b,Shiro\n..,Goro\nhanako,H\nHana ko,H\n"
    lines = faults(text)
    assert lines == (
        "Row 2: id is empty.",
        "Row 4: row 3 has the same id taro for somebody else.",
        "Row 5: a spreadsheet has shortened the id 1.23E+11; format that column as text and enter the id again.",
        "Row 6: 'a/b' cannot be an id, because an id is also the name of a folder.",
        "Row 7: '..' cannot be an id, because an id is also the name of a folder.",
        "Which of these is right? hanako, Hana ko",
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "There is no column of ids"),
        ("taro,Taro\n", "The first row is: taro, Taro"),
        ("id,name\n", "There is no student in it."),
        (b"PK\3\4rest", "This is a workbook."),
        (b"\xd0\xcf\x11\xe0rest", "This is a workbook."),
        (b"id\n\0\1\2\xff\xfe\x81", "This is not text"),
        ('id,name\ntaro,"Taro\nhanako,Hanako\n', "Row 2: its quotation marks do not match"),
        ('id,name\ntaro,"T" aro\n', "Row 2: its quotation marks do not match"),
    ],
)
def test_what_is_no_list_is_said_to_be_so(faults, content, said):
    (line,) = faults(content)
    assert said in line


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UnusableTable, match="No such file"):
        read_roster(tmp_path / "none.csv")


def test_who_is_there_twice_with_the_same_is_one(read):
    assert read("id,name,section\ns1,Taro,A\ns1,Taro,B\n").people == (Person("s1", "", "Taro"),)


# --- the gradebook ----------------------------------------------------------------------------------------------------


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course folder, to import into."""
    monkeypatch.setattr("nbgrader.api.get_alembic_version", lambda: "any")  # nbgrader asks a program, for seconds
    monkeypatch.chdir(tmp_path)
    (tmp_path / "course").mkdir()
    shutil.copy(COURSE / "nbgrader_config.py", tmp_path / "course")
    return Course(tmp_path / "course")


def roster_of(*people):
    return RosterFile(people, {"id": "id"}, "utf-8")


def test_students_are_added_updated_and_never_taken_out(course):
    first = import_roster(course, roster_of(TARO, Person("ken", "Ken", "Ito", "", "7"), Person("gone")))
    assert first == Imported(("taro", "ken", "gone"), (), (), ())
    second = import_roster(course, roster_of(TARO, Person("ken", "", "Mori", "ken@example.edu"), Person("new")))
    assert second == Imported(("new",), ("ken",), ("taro",), ("gone",))
    assert read_people(course.directory) == {
        person.id: person
        for person in (TARO, Person("ken", "Ken", "Mori", "ken@example.edu", "7"), Person("gone"), Person("new"))
    }


def test_what_looks_like_somebody_in_the_gradebook_is_not_made_a_second_one(course):
    import_roster(course, roster_of(TARO))
    with pytest.raises(UnusableTable, match="Taro, taro: the gradebook and the file spell this id differently"):
        import_roster(course, roster_of(Person("Taro"), Person("new")))
    assert set(read_people(course.directory)) == {"taro"}
    with Gradebook(course.database, course.directory.course_id) as gradebook:
        gradebook.add_student("Taro")  # as grading a file of this name does
    assert import_roster(course, roster_of(TARO, Person("new"))).added == ("new",)


def test_an_import_that_fails_half_way_leaves_nothing(course, monkeypatch):
    import_roster(course, roster_of(TARO))
    update = Gradebook.update_or_create_student

    def failing(gradebook, id, **texts):
        if id == "third":
            raise OperationalError("insert", {}, Exception("disk full"))
        return update(gradebook, id, **texts)

    monkeypatch.setattr(Gradebook, "update_or_create_student", failing)
    people = [Person("first"), Person("taro", "Jiro"), Person("third")]
    with pytest.raises(CourseError, match="disk full.*nothing was imported"):
        import_roster(course, roster_of(*people))
    assert read_people(course.directory) == {"taro": TARO}


def test_grades_of_who_is_updated_stay(course):
    import_roster(course, roster_of(TARO))
    with Gradebook(course.database, course.directory.course_id) as gradebook:
        gradebook.add_assignment("hw")
        gradebook.add_submission("hw", "taro")
    import_roster(course, roster_of(Person("taro", "Jiro")))
    with Gradebook(course.database, course.directory.course_id) as gradebook:
        assert gradebook.find_submission("hw", "taro").student.first_name == "Jiro"


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def run(course, tmp_path, monkeypatch, capsys):
    """Runs `autograder roster` on a file with this content: the exit code, and what it says."""

    def run(content, *options, language="en"):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "students.csv").write_bytes(content)
        with pytest.raises(SystemExit) as end:
            main(["roster", "students.csv", "--course", "course", "--lang", language, *options])
        return (end.value.code, *capsys.readouterr())

    return run


def test_the_command_says_what_it_did(run, course):
    code, out, err = run(PLAIN.encode("utf-8-sig"))
    assert (code, err) == (0, "") and "Added: 1. Updated: 0. Unchanged: 0." in out and "Read as" not in out
    code, out, _err = run("id;name\nhanako;山田 花子\n".encode("cp932"))
    assert code == 0 and "Read as cp932; is this name correct? hanako: 山田, 花子" in out
    assert (
        "Columns: id = id, name = name" in out
        and "In the gradebook, but not in this file: taro. They were kept." in out
    )
    assert set(read_people(course.directory)) == {"taro", "hanako"}


def test_the_command_imports_nothing_of_a_file_with_faults(run, course):
    code, out, err = run(b"id,name\ntaro,Taro\n,Nobody\n")
    assert (code, out) == (2, "")
    assert err.splitlines() == ["Nothing was imported from students.csv:", "  Row 3: id is empty."]
    assert read_people(course.directory) == {} and not (course.folder / "gradebook.db").exists()


def test_a_name_is_shown_without_what_a_terminal_would_obey(run):
    code, out, _err = run("id,name\ns1,é\x1b[2J\n".encode("cp1252"))
    assert code == 0 and "\x1b" not in out


def test_the_command_speaks_japanese(run):
    code, out, _err = run(JAPANESE.encode("cp932"), language="ja")
    assert code == 0 and "追加" in out
