#!/usr/bin/env python3
"""Where the server's CPU time goes: perf's samples of a server under load, as a flame graph and as shares by what the code is for.

  bench/profile.py [--work "GET manifest" ...] [--seconds 10] [--plots docs/performance] [--result FILE]

The server runs on one core, the generator and perf on another, as in bench/compare.py. Sampled is the CPU time of the server alone, 999 times a
second, from when what is read was pushed until the last answer; about 20 s for each workload. The stacks come from copies of the thread's
stack and the unwinding tables, so that an ordinary build will do: no frame pointers. Prefers the release build. --plots writes
flame-NAME.svg there. The tables of names are below: GROUPS. Needs linux-perf, and the right to use it.
"""

import argparse
import collections
import datetime
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "peers"))

import flame_graph  # noqa: E402
import peers  # noqa: E402
import registry_process  # noqa: E402
import report  # noqa: E402

MIB = 1 << 20
DEADLINE_S = 600
FREQUENCY_HZ = 999
STACK_BYTES = 16384
CALIBRATION_S = 0.5
TREE_SHARE_MIN = 0.02
TREE_DEPTH = 24
LARGEST = 10

# Arguments of orbitalreg-load, and how many operations to begin with when the rate is looked for.
WORKLOADS = {
    "GET manifest": (["get-manifest", "--clients", "32"], 4000),
    "push 256 MiB": (["push-large", "--form", "put", "--size", str(256 * MIB)], 2),
    "HEAD blob": (["head-blob", "--clients", "32"], 4000),
    "GET 4 KiB": (["get-blob", "--size", "4096", "--clients", "32"], 4000),
    "push 4 KiB": (["push-small", "--size", "4096", "--clients", "32"], 2000),
    "GET 256 MiB": (["get-blob", "--size", str(256 * MIB)], 4),
    "push image": (["push-image", "--layers", "5", "--size", "419430", "--clients", "4"], 40),
    "64 KiB ranges": (["ranges", "--size", str(64 * MIB), "--clients", "8"], 2000),
    "list of 10,000 tags": (["list-tags", "--tags", "10000", "--clients", "8"], 200),
}
USUAL = ("GET manifest", "push 256 MiB")

# What a sample is counted as. Frames are looked at from the innermost outwards, and the first that a pattern knows decides; a function of
# orbitalreg that none knows ends the search, and the sample belongs to the rest. So a copy made inside TCP is a copy, and the
# allocation of a string is an allocation, whoever wanted it.
GROUPS = [(name, kind, re.compile(pattern)) for name, kind, pattern in (
    ("copies between kernel and program", "kernel", r"^(_?copy_(to|from)|copyin|copyout|copy_user|rep_movs|memcpy|__?memcpy|memmove|simple_copy_to_iter|copy_page|"
                                                    r"skb_copy|csum_and_copy|iov_iter_copy)"),
    ("kernel: TCP", "kernel", r"^(__)?(tcp_|inet_|sock_|skb_|ip_|net_|napi_|netif_|dev_|loopback_|sk_|lock_sock|release_sock|x64_sys_(send|recv)|sys_(send|recv)|"
                              r"kfree_skb|alloc_skb|nf_|eth_|qdisc|process_backlog|validate_xmit|import_iovec|sockfd_)|___sys_(send|recv)"),
    ("kernel: memory of the process", "kernel", r"page_fault|mm_fault|do_anonymous_page|clear_page|^(__)?(x64_sys_)?(mmap|munmap|madvise|brk)|zap_|unmap_|mprotect"),
    ("kernel: waiting and waking", "kernel", r"^(__|do_|x64_sys_|_)*(ep_|epoll|eventfd|futex|schedule|try_to_wake|ttwu|wake_up|poll|timerfd|hrtimer|pick_next|switch_|"
                                             r"finish_task|prepare_to_|finish_wait|nanosleep|select)"),
    ("kernel: files and disk", "kernel", r"^(__|do_|x64_sys_|_)*(blk_|bio_|submit_bio|ext4_|jbd2_|btrfs_|xfs_|overlay|ovl_|iomap_|io_|virtblk|virtio|virtqueue|vp_|nvme|"
                                         r"scsi_|fsync|fdatasync|vfs_|ksys_|filemap|generic_file|file_|sync_file|dio_|bvec|gup_|get_user_pages|pin_user|iov_iter|"
                                         r"pread|pwrite|read|write|open|fget|fput|newfstat)"),
    ("kernel: interrupts", "kernel", r"sysvec|softirq|irq_(enter|exit)|common_interrupt|^asm_exc_"),
    ("kernel: entry and exit of system calls", "kernel", r"^(entry_|do_syscall|syscall_|x64_sys_call|exit_to_user)"),
    ("hashing", "", r"sha(256|512|1)_|SHA(256|512)|EVP_(MD|Digest)|libcrypto|orbitalreg::(Hasher|Digest::of)"),
    ("random numbers", "", r"SystemRandom|getrandom|RequestId"),
    ("checksums", "", r"XXH|xxhash|orbitalreg::(\w*checksum|StreamingChecksum)|ChunkSums|crc32"),
    ("copies inside the program", "", r"^_*(mem(cpy|move|set)|str(n)?cpy)(_|\$|@|$)"),
    ("allocation", "", r"_M_(allocate|create|dispose|destroy)|^(_+(libc_|GI_+)?)?(malloc|calloc|realloc|free|cfree|posix_memalign|aligned_alloc|memalign|int_(malloc|free|realloc|memalign)|sysmalloc|unlink_chunk|systrim|"
                       r"arena_get|tcache|malloc_consolidate|mid_memalign)|^operator (new|delete)|^std::pmr"),
    ("clock", "", r"clock_gettime|vdso|std::chrono|Clock::(wall|now|steady|monotonic)"),
    ("locks", "", r"pthread_(mutex|rwlock|cond)|lll_|orbitalreg::(Mutex|SharedMutex)"),
    ("coroutine frames and Asio", "", r"boost::asio::|asio::"),
    ("building the answer", "", r"frontend::(Session::(render_head|send)|send_response|Response(Writer)?\b|Headers::(add|set)|fill_body|describe_source|"
                                r"Connection::write|BodyOut|\w*ContentSource)|append_hex|Digest::(to_string|append)"),
    ("parsing and routing", "", r"frontend::(\w+::)?(parse_|read_framing|HeaderScanner|Headers|take_line|FramingGuard|RequestHead|match_|RouteTable|is_visible|Ascii|Target|"
                                r"ReadBuffer|Connection::(read|fill)|Session::receive|ForwardedRules|ChunkedDecoder|token_|equal_)|::parse\b|is_lower_alpha|boost::(beast|json)"),
    ("access and look-up", "", r"engine::(\w+::)?(RepositoryRules|ImageTable|ManifestTable|ImageName|Image\b|Catalog|IdSet|BlobSets|AccessControl|Registry|Rooms|EmbeddedRegistryStore|"
                               r"EmbeddedBlobStream|Retention|EmbeddedUpkeep)|cas::(\w+::)?(BlobTable|ClockCache|RowTable|EncodedDigest|Pin|LaneTable|\w*Reader|Lanes::open|Extent\b|Store::)"),
    ("uploads, lanes and their buffers", "", r"cas::(\w+::)?(RecordWriter|Upload|Lane|Lanes|BlobWriter|BufferPool|BulkGate|ClosedUploads|ChunkSums|PageBuffer|Ring|UringIo|ThreadIo|IoScheduler|"
                                             r"LaneReader|SumReader)|liburing|io_uring"),
    ("group commit", "", r"cas::(\w+::)?(Sequencer|CommitLog|CommitRequest|Group|Admission|seal_frame|LogSegment|LogTail|encode|Record)|engine::(\w+::)?encode|Journal|flatbuffers"),
    ("admission, rates and metrics", "", r"frontend::(\w+::)?(Admission|PeerWatch|Session::Turn|RateWindow|RateLimits|ConnectionLimits)|orbitalreg::(DurationHistogram|Counter|Gauge|Metrics|Histogram)"),
)]
# What counts with all it calls, its system calls too.
WHOLE = [("log", re.compile(r"StderrLog|LineWriter|write_to_stderr|AccessLog|Session::record\b|append_escaped|printable_prefix"))]
THREAD_STARTS = re.compile(r"^(clone3?|start_thread|\[libstdc\+\+.*|std::thread::_State_impl::_M_run|_start|__libc_start\w*|__libc_init\w*|ret_from_fork.*)(@.*)?$")
OPERATORS = re.compile(r"operator(<=>|<<=|>>=|->\*|<<|>>|<=|>=|->|<|>|\(\))")


def plain_name(name):
    """Without template arguments and parameters."""
    name = re.sub(r"\[abi:\w+\]|\[clone [^\]]*\]", "", name).replace("(anonymous namespace)::", "")
    kept, depth, at = [], 0, 0
    while at < len(name):
        operator = OPERATORS.match(name, at)
        if operator:
            kept.append(operator.group() if not depth else "")
            at = operator.end()
            continue
        if name[at] in "<(":
            depth += 1
        elif name[at] in ">)":
            depth -= 1
        elif depth <= 0:
            kept.append(name[at])
        at += 1
    plain = re.sub(r"@+GLIBC[\w.]*", "", "".join(kept).strip())
    return (plain if "operator" in plain else plain.rpartition(" ")[2]) or name


def short_name(plain):
    for long, brief in (("orbitalreg::", ""), ("boost::asio::detail::", "asio::"), ("boost::asio::", "asio::"), ("std::__cxx11::", "std::"), ("std::__detail::", "std::")):
        plain = plain.replace(long, brief)
    return plain


Frame = collections.namedtuple("Frame", "full plain short kind")
frames_seen = {}


def frame(symbol, place):
    known = frames_seen.get((symbol, place))
    if known:
        return known
    module = os.path.basename(place)
    kernel = place.startswith("[") and "vdso" not in place and "unknown" not in place
    plain = f"[{module.strip('[]')}]" if symbol == "[unknown]" else symbol if kernel else plain_name(symbol)
    kind = "kernel" if kernel else "asio" if plain.startswith("boost::asio::") else "ours" if plain.startswith("orbitalreg::") else "library"
    return frames_seen.setdefault((symbol, place), Frame(symbol, plain, short_name(plain), kind))


def read_samples(text):
    """Of each sample the thread and its frames, the innermost first."""
    samples = []
    for block in text.split("\n\n"):
        lines = block.strip("\n").splitlines()
        if len(lines) < 2:
            continue
        thread = re.sub(r"[-\d]+$", "", lines[0].rpartition(" ")[0].strip().rstrip(":0123456789 ")) or "?"
        found = [re.match(r"\s+[0-9a-f]+ (.*) \((.*)\)$", line) for line in lines[1:]]
        samples.append((thread, [frame(*match.groups()) for match in found if match]))
    return samples


def group_of(frames):
    """The name of the group, and of the function that the sample belongs to."""
    for name, pattern in WHOLE:
        if any(pattern.search(each.full) for each in frames):
            return name, ""
    for each in frames:
        for name, kind, pattern in GROUPS:
            if (kind == "kernel") == (each.kind == "kernel") and pattern.search(each.plain):
                return name, each.short
        if each.kind == "ours":
            return "", each.short
    return "", frames[0].short if frames else "?"


class Perf:
    """perf record of one process, from begin() to end()."""

    def __init__(self, pid, path, pin):
        control, self.control = os.pipe()
        self.acknowledged, acknowledge = os.pipe()
        command = [*pin, "perf", "record", "-e", "cpu-clock", "-F", str(FREQUENCY_HZ), "--call-graph", f"dwarf,{STACK_BYTES}", "-m", "4M", "-p", str(pid),
                   "-D", "-1", f"--control=fd:{control},{acknowledge}", "-o", str(path)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, pass_fds=(control, acknowledge))
        os.close(control)
        os.close(acknowledge)

    def tell(self, word):
        try:
            os.write(self.control, f"{word}\n".encode())
            if os.read(self.acknowledged, 16):
                return
        except BrokenPipeError:
            pass
        registry_process.skip(f"perf cannot sample here: {self.process.communicate(timeout=60)[1].strip()[-500:]}")

    def begin(self):
        self.tell("enable")

    def end(self):
        self.tell("disable")
        os.write(self.control, b"stop\n")
        said = self.process.communicate(timeout=DEADLINE_S)[1]
        os.close(self.control)
        os.close(self.acknowledged)
        return said


class Profile:
    def __init__(self, options):
        self.options = options
        self.load = options.load or registry_process.find_binary("orbitalreg-load")
        if not self.load:
            registry_process.skip("no orbitalreg-load: build it")
        pinned = (os.cpu_count() or 1) > 1 and shutil.which("taskset")
        self.pins = (["taskset", "-c", "0"], ["taskset", "-c", "1"]) if pinned else ([], [])
        self.folder = registry_process.fresh_folder("orbitalreg-profile-")

    def start_load(self, server, words, count, name):
        command = [*self.pins[1], self.load, *words, "--server", server.http_addr, "--count", str(count), "--name", name, "--announce"]
        running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        return running, running.stdout.readline().strip()

    def finish_load(self, running, early):
        text = early + running.communicate(timeout=DEADLINE_S)[0]
        outcome = json.loads(text) if text.strip() else {"failures": 1, "first_failure": "the generator ended"}
        if outcome["failures"]:
            raise SystemExit(f"the load failed: {outcome['first_failure']}")
        return outcome

    def operations(self, server, words, count, name):
        """So many operations as take about --seconds."""
        while True:
            outcome = self.finish_load(*self.start_load(server, words, count, f"{name}/try"))
            if outcome["seconds"] >= min(CALIBRATION_S, self.options.seconds):
                return max(count, int(outcome["operations"] / outcome["seconds"] * self.options.seconds))
            count *= 4

    def measure(self, title):
        """The outcome of the load, the samples, and what perf had to say of losses."""
        words, first = WORKLOADS[title]
        data = self.folder / "perf.data"
        with peers.make(peers.OURS, self.options, self.pins[0]) as server:
            count = self.operations(server, words, first, "profile")
            os.sync()
            perf = Perf(server.pids()[0], data, self.pins[1])
            perf.tell("ping")
            running, early = self.start_load(server, words, count, "profile/run")
            perf.begin()
            outcome = self.finish_load(running, early)
            said = perf.end()
        # Not the inlined functions: perf asks addr2line for each frame of each sample.
        read = subprocess.run(["perf", "script", "--no-inline", "-i", str(data), "-F", "comm,tid,ip,sym,dso"], capture_output=True, text=True, errors="replace",
                              timeout=DEADLINE_S, check=False)
        data.unlink()
        samples = read_samples(read.stdout)
        if not samples:
            raise SystemExit(f"no samples: {(said + read.stderr).strip()[-500:]}")
        return outcome, samples, sum(map(int, re.findall(r"lost (\d+)", said + read.stderr)))


def tree_of(samples):
    root = flame_graph.Node("all")
    for thread, frames in samples:
        outermost = [(each.short, each.kind) for each in reversed(frames) if not THREAD_STARTS.match(each.short)]
        root.add([(thread, "thread"), *outermost])
    return root


def call_tree(node, total, depth=0):
    """Frames of at least TREE_SHARE_MIN; one that only leads to the next is written on its line."""
    names = [node.name]
    while len(node.children) and max(child.count for child in node.children.values()) >= 0.97 * node.count and len(names) < 4:
        node = max(node.children.values(), key=lambda child: child.count)
        names.append(node.name)
    lines = [f"{100 * node.count / total:5.1f}  {'  ' * depth}{' > '.join(names)}"]
    if depth < TREE_DEPTH:
        for child in sorted(node.children.values(), key=lambda child: -child.count):
            if child.count >= TREE_SHARE_MIN * total:
                lines += call_tree(child, total, depth + 1)
    return lines


def groups_table(samples):
    total = len(samples)
    groups, functions, rest = collections.Counter(), collections.defaultdict(collections.Counter), collections.Counter()
    for _, frames in samples:
        name, function = group_of(frames)
        if name:
            groups[name] += 1
            functions[name][function] += 1
        else:
            rest[function] += 1
    lines = ["| group | share of CPU time | most of it in |", "|---|---|---|"]
    for name, count in groups.most_common():
        most = ", ".join(f"`{function}` {100 * each / total:.1f}" for function, each in functions[name].most_common(3) if function)
        lines.append(f"| {name} | {100 * count / total:.1f} % | {most} |")
    most = ", ".join(f"`{function}` {100 * each / total:.1f}" for function, each in rest.most_common(LARGEST))
    lines.append(f"| the rest | {100 * sum(rest.values()) / total:.1f} % | {most} |")
    return lines


def flat_table(samples):
    total = len(samples)
    innermost = collections.Counter(frames[0].short for _, frames in samples if frames)
    return ["| innermost function | share |", "|---|---|"] + [f"| `{name}` | {100 * count / total:.1f} % |" for name, count in innermost.most_common(2 * LARGEST)]


def section(title, outcome, samples, lost, plot):
    total, seconds = len(samples), outcome["seconds"]
    whole = sum(any(THREAD_STARTS.match(each.short) for each in frames[-3:]) for _, frames in samples)
    words = " ".join(WORKLOADS[title][0])
    rate = f"{outcome['mib_per_second'] * MIB / 1e6:,.0f} MB/s" if "MiB" in title else f"{outcome['operations'] / seconds:,.0f} a second"
    tree = call_tree(tree_of(samples), total)
    lines = [f"## {title}", "", f"`orbitalreg-load {words}`: {outcome['operations']:,} operations in {seconds:.1f} s while sampled ({rate}); "
             f"{total:,} samples, {total / FREQUENCY_HZ / seconds:.2f} of a core; {100 * whole / total:.0f} % of the stacks are complete; {lost} samples lost.", ""]
    if plot:
        lines += [f"![flame graph of {title}]({plot})", ""]
    return "\n".join([*lines, *groups_table(samples), "", *flat_table(samples), "", "Calls, the share with all that is called, from "
                      f"{100 * TREE_SHARE_MIN:.0f} % up:", "", "```text", *tree, "```", ""])


def prefer_release():
    path = registry_process.ROOT / "build/release/bin/orbitalreg"
    return str(path) if os.access(path, os.X_OK) else registry_process.find_binary()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", action="append", choices=WORKLOADS, help=f"may be given more than once; default: {' and '.join(USUAL)}")
    parser.add_argument("--seconds", type=float, default=10, help="of load that is sampled")
    parser.add_argument("--binary", help="orbitalreg; default: build/release's, else the newest build tree's")
    parser.add_argument("--load", help="orbitalreg-load; default: the newest build tree's")
    parser.add_argument("--io", choices=["auto", "uring", "threads"], default="auto")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of ours, as in the environment: ORBITALREG_LOG_LEVEL=warn")
    parser.add_argument("--plots", metavar="DIRECTORY", help="write the flame graphs there")
    parser.add_argument("--result", help="write the page to this file")
    options = parser.parse_args()
    if not shutil.which("perf"):
        registry_process.skip("no perf: apt-get install linux-perf")
    options.binary = options.binary or prefer_release()
    profile, sections = Profile(options), []
    try:
        for title in options.work or USUAL:
            outcome, samples, lost = profile.measure(title)
            plot = ""
            if options.plots:
                path = pathlib.Path(options.plots) / f"flame-{title.lower().replace(' ', '-')}.svg"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(flame_graph.svg(tree_of(samples), f"{title}: CPU time of the server, {len(samples):,} samples, commit {report.commit()}"))
                plot = os.path.relpath(path, pathlib.Path(options.result).resolve().parent if options.result else None)
            sections.append(section(title, outcome, samples, lost, plot))
            print(sections[-1], flush=True)
    finally:
        shutil.rmtree(profile.folder, ignore_errors=True)
    where = "server on core 0, generator and perf on core 1" if profile.pins[0] else "server, generator and perf share all cores"
    page = "\n".join([f"# Where the CPU time goes, {datetime.date.today().isoformat()}", "", f"Machine: {report.machine()}; {where}.", "",
                      f"Commit {report.commit()}, {'/'.join(pathlib.Path(options.binary).parts[-3:])}. Command: `bench/profile.py {' '.join(sys.argv[1:])}`.", "",
                      f"`perf record -e cpu-clock -F {FREQUENCY_HZ} --call-graph dwarf,{STACK_BYTES}`. On the loopback interface the sender's core does the receiver's TCP work too. An inlined "
                      "function counts as the one that it was inlined into. Groups are told by the names of functions, the innermost known one deciding; the tables are in the script.", "",
                      *sections])
    if options.result:
        pathlib.Path(options.result).write_text(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
