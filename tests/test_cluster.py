"""Grading on a Dask cluster: the same verdicts, nothing lost or doubled, nothing left behind, nothing to be gained."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import msgpack
import pytest
from conftest import AUTOMATIC
from distributed import LocalCluster

from autograder.checks.results import SubmissionResult
from autograder.grading import parcel, process
from autograder.grading.cluster import Cluster, WorkerFailed
from autograder.grading.course import Course, CourseError, Handed
from autograder.grading.digest import kit_digest
from autograder.grading.job import Assignment, GradedFolder, Settings
from autograder.grading.remote import GradingJob, RemotePool, UnfitWorker
from autograder.grading.result_file import stored_results
from autograder.notebooks.mend import ReleasedCell
from autograder.notebooks.submission import no_notebook, notebooks_in
from autograder.sandbox.fork_server import HostBroken
from autograder.sandbox.isolation import Level
from tests import dask_cluster
from tests.class_folder import (
    ASSIGNMENT,
    differences,
    environment,
    executed,
    grade,
    make_course,
    many,
)
from tests.dask_cluster import Simple, double, wait_for, wait_or_not
from tests.sample_class import CLASS, CODE, Student, hurried

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="graders on clusters run Linux")

REACH = """
import os, socket
from pathlib import Path
gained = []
for what, reach in {{
    "port": lambda: [socket.create_connection(address, 2) for address in {addresses}],
    "memory": lambda: [open(f"/proc/{{process}}/mem", "rb") for process in {processes}],
    "environment": lambda: [open(f"/proc/{{process}}/environ", "rb").read() for process in {processes}],
    "signal": lambda: [os.kill(process, 0) for process in {processes}],
    "files": lambda: 1 / len([*Path("{folder}").rglob("*")]),
    "dask": lambda: __import__("distributed").Client("{scheduler}", timeout=2),
}}.items():
    try:
        reach()
        gained.append(what)
    except BaseException:
        pass
print("GAINED", gained)
"""


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    """A scheduler and two workers, each in a process and with folders of its own."""
    with dask_cluster.processes(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def students(workers):
    """Twelve students, of whom one goes for the cluster, and one's notebook cannot be read."""
    hosts = [address.removeprefix("tcp://").rsplit(":", 1) for address in (workers.address, *workers.workers())]
    reach = REACH.format(
        addresses=[(host, int(port)) for host, port in hosts],
        processes=[process.pid for process in workers.started] + list(workers.workers().values()),
        folder=workers.folder,
        scheduler=workers.address,
    )
    hostile = Student("zz-hostile", "", answers=CODE | {"clip_gradients": CODE["clip_gradients"] + reach})
    wanted = ("baba", "endo", "saito", "tanaka", "ueda")
    few = tuple(hurried(student) for student in CLASS if student.id in wanted)
    return (*few, *many(11 - len(few)), hostile)


@pytest.fixture(scope="module")
def both(workers, students, tmp_path_factory):
    """The class graded here, and on the cluster."""
    courses = [make_course(tmp_path_factory.mktemp(name) / "course", students) for name in ("here", "there")]
    for course, options in zip(courses, ((), ("--scheduler", workers.address)), strict=True):
        grade(course, *options)
    return courses


def everybody(course: Path) -> set[str]:
    """Those who have a result there."""
    return {student for student, _stored in stored_results(Course(course), ASSIGNMENT)}


def test_twelve_students_come_out_as_they_do_here(both, students):
    assert differences(*both, notebooks=True) == []
    assert everybody(both[1]) == {student.id for student in students}
    assert {stored.result["score"] for _s, stored in stored_results(Course(both[1]), ASSIGNMENT)} >= {0.0, AUTOMATIC}


def test_a_second_run_has_nothing_to_do(both, workers, students):
    assert f"0 graded, {len(students)} unchanged" in grade(both[1], *at(workers)).stdout


def test_figures_for_hand_grading_come_from_the_cluster_too(both):
    assert "image/png" in json.dumps(executed(both[1], "baba"))
    assert all(stored.drawn for _student, stored in stored_results(Course(both[1]), ASSIGNMENT))


def test_a_hostile_notebook_gains_nothing_of_a_cluster(both, workers, students):
    cells = executed(both[1], "zz-hostile")["cells"]
    said = "".join(output.get("text", "") for cell in cells for output in cell.get("outputs", ()))
    (stored,) = (found for student, found in stored_results(Course(both[1]), ASSIGNMENT) if student == "zz-hostile")
    if stored.isolation == Level.BASIC:
        pytest.skip("nothing isolates code here")
    assert "GAINED []" in said
    code = students[-1].answers["clip_gradients"].removeprefix(CODE["clip_gradients"])
    outside = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert all(f"'{what}'" in outside.stdout for what in ("port", "signal", "files", "dask")), "it would reach them"


def test_what_was_sent_leaves_the_workers_when_the_command_ends(both, workers):
    wait_for(lambda: not workers.folders())


def at(workers) -> tuple[str, str]:
    return "--scheduler", workers.address


# --- what breaks ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_killing_a_worker_and_the_command_in_the_middle_loses_and_doubles_nothing(workers, tmp_path):
    students = many(24)
    quiet, course = (make_course(tmp_path / name, students) for name in ("quiet", "course"))
    grade(quiet, "--figures", "none")
    line = [sys.executable, "-m", "autograder", "grade", ASSIGNMENT, "--course", str(course), "--figures", "none"]
    line += ["--allow-basic", *at(workers)]
    running = subprocess.Popen(line, env=environment(course), stdout=subprocess.DEVNULL)

    def done() -> int:
        return len(list(course.glob("autograded/*/*/result.json")))

    wait_for(lambda: done() >= 2)
    assert workers.folders()
    os.kill(next(iter(workers.workers().values())), signal.SIGKILL)  # its nanny starts another
    wait_for(lambda: done() >= 6)
    assert running.poll() is None and done() < len(students)
    running.kill()
    running.wait()
    said = grade(course, "--figures", "none", *at(workers)).stdout
    assert " 0 unchanged" not in said and ", 0 not graded" in said
    wait_for(lambda: not workers.folders())  # what the killed one left, its successor removed
    assert differences(quiet, course, notebooks=True) == []
    assert everybody(course) == {student.id for student in students}


def test_who_kills_workers_is_set_aside_and_all_others_are_done(workers):
    with Cluster(workers.address, Simple) as cluster:
        items = [*(b"%d" % number for number in range(40)), b"die", *(b"%d" % number for number in range(40, 80))]
        came = list(cluster.map(double, bytes, items, len(items)))
    assert len(came) == len(items)
    results = dict(came)
    assert str(results.pop(b"die")) == "the worker died every time"
    assert results == {item: 2 * item for item in items if item != b"die"}


def test_a_submission_without_end_is_ended_on_the_worker(tmp_path):
    handed_in = []
    for number, seconds in enumerate(("0", "600", "0.1")):
        handed_in.append(tmp_path / str(number))
        handed_in[-1].mkdir()
        (handed_in[-1] / "a.ipynb").write_text(seconds, encoding="ascii")
    job = GradingJob(kit_digest(), 1.0, Settings(Path(), None), Assignment("a", {}, {}), "en", {"secret.txt": b"0"})
    came = list(job(wait_or_not, [parcel.pack_folder(folder, "a") for folder in handed_in]))
    assert came == [(False, b"LookupError: waited long enough"), (False, b"OutOfTime: "), came[0]]


def local_cluster(workers: int) -> LocalCluster:
    options = {"processes": False, "protocol": "tcp", "dashboard_address": ":0"}
    return LocalCluster(n_workers=workers, threads_per_worker=1, **options)


@pytest.fixture
def small():
    """A cluster in this process."""
    with local_cluster(2) as local:
        yield local.scheduler_address


def test_each_item_comes_back_once_with_its_own_result(small):
    def pack(item: int) -> bytes:
        return b"fail" if item == 7 else (b"%d" % item) * (1 if item != 8 else item // 0)

    with Cluster(small, Simple) as cluster:
        came = list(cluster.map(double, pack, range(300), 300))
        assert list(cluster.map(double, pack, [], 0)) == []
    assert sorted(item for item, _result in came) == list(range(300))
    results = dict(came)
    assert isinstance(results[7], WorkerFailed) and str(results[7]) == "it failed"
    assert isinstance(results[8], ZeroDivisionError)
    assert all(results[n] == 2 * (b"%d" % n) for n in range(300) if n not in (7, 8))


def test_a_connection_that_breaks_is_an_error_that_says_so_and_what_came_came_once(small):
    came = []
    with Cluster(small, Simple) as cluster, pytest.raises(CourseError, match="is lost. .* run the same command again"):
        for item, result in cluster.map(double, lambda _item: b"sleep", range(40), 40):
            came.append((item, result))
            if len(came) == 5:
                cluster._client.loop.add_callback(cluster._client.scheduler_comm.comm.abort)
    assert 5 <= len(dict(came)) == len(came) < 40 and {result for _item, result in came} == {b"sleepsleep"}


def test_a_scheduler_that_ends_in_the_middle_is_an_error_that_says_so(monkeypatch):
    monkeypatch.setattr("autograder.grading.cluster.CONNECT_SECONDS", 1)
    with local_cluster(1) as local:
        cluster = Cluster(local.scheduler_address, Simple)
        results = cluster.map(double, lambda item: b"sleep", range(40), 40)
        next(results)
    with cluster, pytest.raises(CourseError, match="is lost. .* run the same command again"):
        list(results)


def test_what_is_wrong_with_a_worker_ends_the_run(small):
    with Cluster(small, Simple) as cluster, pytest.raises(CourseError, match="OverflowError: not fit for that"):
        list(cluster.map(double, bytes, [b"raise"], 1))


def test_a_worker_with_another_kit_is_refused_by_name():
    job = GradingJob("another", 1.0, Settings(Path(), None), Assignment("a", {}, {}), "en", {})
    with pytest.raises(Exception, match=f"{socket.gethostname()}: its kit, NumPy or Python"):
        list(job(len, [b""]))
    assert len(kit_digest()) == 64


class InTurn:
    """In the place of a `Pool`: here, one after the other."""

    def map(self, function, items):
        for item in items:
            try:
                yield item, function(item)
            except Exception as error:
                yield item, error


@pytest.fixture
def worker(tmp_path, monkeypatch):
    """What a worker makes of parcels."""
    job = GradingJob("", 1.0, Settings(Path(), None), Assignment("a", {}, {}), "en", {})
    monkeypatch.setattr(job, "_take", lambda: (InTurn(), tmp_path))
    return job


def test_what_goes_wrong_with_one_on_a_worker_is_theirs_alone(worker, tmp_path):
    (tmp_path / "mine").mkdir()
    good = parcel.pack_folder(tmp_path / "mine", "a")
    unpackable = msgpack.packb([[[b"x" * 300, 0o100644, 0, 1, b"a"]], b""])  # a name too long for this file system

    def do(handed):
        if handed.student == "3":
            raise HostBroken("no memory for a new warm parent")
        handed.target.mkdir()
        (handed.target / "a.ipynb").write_bytes(b"{}")
        scores = {"cell": object()} if handed.student == "4" else {}  # which cannot be packed
        return GradedFolder(SubmissionResult(), "full", scores, {})

    found = list(worker(do, [good, unpackable, b"\xc1", good, good, good]))
    assert [good for good, _content in found] == [True, False, False, False, False, True]
    assert b"OSError" in found[1][1] and b"no memory" in found[3][1] and b"TypeError" in found[4][1]
    assert parcel.unpack_result(found[0][1], {})[1] == b"{}"


def test_a_worker_that_has_graded_nobody_and_cannot_ends_the_run(worker, tmp_path):
    def do(handed):
        raise HostBroken("no such level here")

    (tmp_path / "mine").mkdir()
    with pytest.raises(UnfitWorker, match="no such level here"):
        list(worker(do, [parcel.pack_folder(tmp_path / "mine", "a")]))


def test_a_worker_that_isolates_too_little_is_refused(workers, tmp_path):
    settings = Settings(make_course(tmp_path / "course", ()), Level.BASIC, weakest=Level.STRONG)
    handed = Handed("a", tmp_path / "in", tmp_path / "out")
    handed.folder.mkdir()
    with (
        RemotePool(workers.address, 1, 60.0, settings, Assignment("a", {}, {})) as pool,
        pytest.raises(CourseError, match="--allow-basic"),
    ):
        list(pool.map(process.grade, [handed]))


# --- before anything is sent ------------------------------------------------------------------------------------------


def test_a_scheduler_that_is_not_there_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("autograder.grading.cluster.CONNECT_SECONDS", 1)
    course = make_course(tmp_path / "course", many(1))
    for address in ("tcp://127.0.0.1:1", "no address"):
        done = grade(course, "--scheduler", address, check=False)
        assert done.returncode == 2 and f"There is no Dask scheduler at {address} (" in done.stderr
    assert not (course / "autograded").exists()


def test_a_scheduler_without_workers_is_said(monkeypatch):
    monkeypatch.setattr("autograder.grading.cluster.WORKERLESS_SECONDS", 0.5)
    with local_cluster(0) as local, pytest.raises(CourseError, match=f"dask worker {local.scheduler_address}"):
        Cluster(local.scheduler_address, Simple)


def test_without_dask_it_is_said_what_to_install(tmp_path, monkeypatch):
    course = make_course(tmp_path / "course", many(1))
    monkeypatch.delitem(sys.modules, "autograder.grading.cluster")
    monkeypatch.setitem(sys.modules, "distributed", None)
    done = grade(course, "--scheduler", "tcp://127.0.0.1:1", check=False)
    assert done.returncode == 2 and "pip install distributed" in done.stderr


def test_grading_here_loads_no_dask():
    line = "import sys, autograder.grading.grade_class; print([name for name in sys.modules if 'dask' in name])"
    assert subprocess.run([sys.executable, "-c", line], check=True, capture_output=True, text=True).stdout == "[]\n"


# --- parcels ----------------------------------------------------------------------------------------------------------


def test_a_folder_is_the_same_elsewhere(tmp_path):
    folder, copy = tmp_path / "in", tmp_path / "out"
    (folder / "inner").mkdir(parents=True)
    for number, name in enumerate(["a.ipynb", "inner/b.ipynb", "data.csv", "課題.ipynb", ".hidden"]):
        (folder / name).write_text(name, encoding="utf-8")
        os.utime(folder / name, ns=(0, 10**18 + number))
    os.rename(folder / "課題.ipynb", os.fsencode(folder) + "/課題.ipynb".encode("shift_jis"))
    (folder / "link.ipynb").symlink_to("a.ipynb")
    os.mkfifo(folder / "pipe.ipynb")
    with (folder / "huge.ipynb").open("wb") as file:
        file.truncate(60 * 2**20)
    parcel.unpack_folder(parcel.pack_folder(folder, "a"), copy)

    def seen(folder: Path) -> list:
        found = notebooks_in(folder, "a")
        return [(path.relative_to(folder), path.stat().st_mtime_ns, path.stat().st_size) for path in found]

    assert seen(copy) == seen(folder) and len(seen(copy)) == 4
    assert (copy / "data.csv").read_text(encoding="utf-8") == "data.csv" and not (copy / ".hidden").exists()
    assert no_notebook(copy, "a") == no_notebook(folder, "a")


def test_a_folder_too_large_to_be_sent_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(parcel, "MOST_BYTES", 10)
    (tmp_path / "a.ipynb").write_text("x" * 11, encoding="ascii")
    with pytest.raises(parcel.BadParcel, match="without --scheduler"):
        parcel.pack_folder(tmp_path, "a")


def test_a_result_that_cannot_be_is_refused():
    released = {"check_clip": ReleasedCell("check_clip", "code", "", grade=True, points=6.0)}

    def graded(score, comment="good"):
        return GradedFolder(SubmissionResult(), "full", {"check_clip": score}, {"clip": comment})

    good = graded(6.0)
    assert parcel.unpack_result(parcel.pack_result(good, b"{}"), released) == (good, b"{}")
    for bad in (graded(6.1), graded(float("nan")), graded("6"), graded(True), graded(1.0, comment=5)):
        with pytest.raises(parcel.BadParcel):
            parcel.unpack_result(parcel.pack_result(bad, b"{}"), released)
    wrong = ([1, b""], [{}, b""], [None, ""], {"result": 1})
    for content in (b"", b"\xc1", b"\x92\x80\xc4\x00x", *map(msgpack.packb, wrong)):
        with pytest.raises(parcel.BadParcel):
            parcel.unpack_result(content, released)


def test_figures_come_back_without_a_result():
    assert parcel.unpack_result(parcel.pack_result(None, b"{}"), {}) == (None, b"{}")
