//! `jaga-decoder self-test CASE [JSON]`: locks itself down as for an upload, then tries what a
//! child that was taken over might try.
//!
//! It says hello and waits for a first request as any child does, so it can also stand in for one
//! behind a server. What it got is the last line of its standard error: `errno N`, or `done`.

use std::io::{self, Write};
use std::process::ExitCode;

use libc::{c_int, c_long, c_void};

use crate::sandbox::memory;

/// Marks, as the second word of `CASE`, a lock-down without the system-call filter.
pub(crate) const WITHOUT_FILTER: &str = "/without-filter";

/// Rounds after which something counts as without end.
const MANY: usize = 20_000;

/// Tries `case`; the exit code of a child that lived.
pub(crate) fn attempt(case: &str, parent: c_int) -> ExitCode {
    let said = match outcome(case, parent) {
        None => "no such case".to_owned(),
        Some(Ok(_)) => "done".to_owned(),
        Some(Err(error)) => format!("errno {}", error.raw_os_error().unwrap_or(0)),
    };
    // Nobody to tell is no failure of the attempt.
    let _unread = writeln!(io::stderr(), "{said}");
    ExitCode::SUCCESS
}

/// What a call gave; `None` for a case that there isn't.
fn outcome(case: &str, parent: c_int) -> Option<io::Result<c_long>> {
    let outcome = match case {
        "panic"
        | "abort"
        | "overflow-stack"
        | "spin"
        | "spin-deaf"
        | "threads"
        | "allocate"
        | "allocate-in-library"
        | "garbage" => exhaust(case),
        _ => files(case)
            .or_else(|| network_and_processes(case, parent))
            .or_else(|| privileges(case))?,
    };
    Some(outcome)
}

/// A system call with up to six arguments.
#[allow(unsafe_code, reason = "the point is to make the call itself")]
fn call(number: c_long, arguments: &[c_long]) -> io::Result<c_long> {
    let argument = |place: usize| arguments.get(place).copied().unwrap_or(0);
    // SAFETY: none: a self-test reads no upload and has nothing to lose. Pointers among the
    // arguments are to static strings, to memory that lives on, or null.
    let code = unsafe {
        libc::syscall(
            number,
            argument(0),
            argument(1),
            argument(2),
            argument(3),
            argument(4),
            argument(5),
        )
    };
    if code < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(code)
}

/// The address of a C string, as an argument.
fn text(text: &'static std::ffi::CStr) -> c_long {
    address(text.as_ptr())
}

/// An address, as an argument.
fn address<T>(of: *const T) -> c_long {
    c_long::try_from(of.expose_provenance()).unwrap_or(0)
}

const HERE: c_long = libc::AT_FDCWD as c_long;

fn files(case: &str) -> Option<io::Result<c_long>> {
    let (read, create) = (libc::O_RDONLY, libc::O_WRONLY | libc::O_CREAT);
    let mut memory = [0_u8; 256];
    let buffer = address(memory.as_mut_ptr());
    Some(match case {
        "open-file" => call(libc::SYS_openat, &[HERE, text(c"/etc/passwd"), read.into()]),
        "open-own-memory" => call(
            libc::SYS_openat,
            &[HERE, text(c"/proc/self/mem"), read.into()],
        ),
        "create-file" => {
            let name = text(c"/tmp/jaga-self-test");
            call(libc::SYS_openat, &[HERE, name, create.into(), 0o600])
        }
        "stat-file" => call(libc::SYS_newfstatat, &[HERE, text(c"/etc/passwd"), buffer]),
        "remove-file" => call(libc::SYS_unlinkat, &[HERE, text(c"/tmp/jaga-self-test")]),
        "truncate-file" => call(libc::SYS_ftruncate, &[2, 0]),
        "memory-file" => call(libc::SYS_memfd_create, &[text(c"m")]),
        _ => return None,
    })
}

fn network_and_processes(case: &str, parent: c_int) -> Option<io::Result<c_long>> {
    let parent = c_long::from(parent);
    // 127.0.0.1:9, in network order.
    let mut nowhere = [0_u8; 16];
    nowhere[..8].copy_from_slice(&[2, 0, 0, 9, 127, 0, 0, 1]);
    let nowhere = address(nowhere.as_ptr());
    let message = [0_u64; 8];
    let message = address(message.as_ptr());
    let inet: [c_long; 2] = [libc::AF_INET.into(), libc::SOCK_STREAM.into()];
    Some(match case {
        "socket" => call(libc::SYS_socket, &inet),
        "connect" => call(libc::SYS_connect, &[0, nowhere, 16]),
        // Reachable without the filter only.
        "socket-and-connect" => call(libc::SYS_socket, &inet)
            .and_then(|socket| call(libc::SYS_connect, &[socket, nowhere, 16])),
        "send-descriptor" => call(libc::SYS_sendmsg, &[0, message]),
        "fork" => call(libc::SYS_clone, &[libc::SIGCHLD.into()]),
        "vfork" => {
            let flags = libc::CLONE_VFORK | libc::SIGCHLD;
            call(libc::SYS_clone, &[flags.into()])
        }
        "clone3" => call(libc::SYS_clone3, &[message, 64]),
        "exec" => call(libc::SYS_execve, &[text(c"/bin/true")]),
        "ptrace" => call(libc::SYS_ptrace, &[libc::PTRACE_ATTACH.into(), parent]),
        "write-parents-memory" => call(libc::SYS_process_vm_writev, &[parent]),
        "kill-parent" => call(libc::SYS_kill, &[parent]),
        "kill-parents-thread" => call(libc::SYS_tgkill, &[parent, parent]),
        "kill-all" => call(libc::SYS_kill, &[-1]),
        _ => return None,
    })
}

fn privileges(case: &str) -> Option<io::Result<c_long>> {
    let page = libc::PROT_READ | libc::PROT_EXEC;
    let private = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let limit = [u64::MAX; 2];
    let limit = address(limit.as_ptr());
    Some(match case {
        "map-code" => call(
            libc::SYS_mmap,
            &[0, 4096, page.into(), private.into(), -1, 0],
        ),
        "make-code" => {
            let readable = [0, 4096, libc::PROT_READ.into(), private.into(), -1, 0];
            call(libc::SYS_mmap, &readable)
                .and_then(|at| call(libc::SYS_mprotect, &[at, 4096, page.into()]))
        }
        "io-uring" => call(libc::SYS_io_uring_setup, &[1]),
        "user-namespace" => call(libc::SYS_unshare, &[libc::CLONE_NEWUSER.into()]),
        "become-root" => call(libc::SYS_setuid, &[0]),
        "raise-limit" => call(libc::SYS_prlimit64, &[0, libc::RLIMIT_AS.into(), limit]),
        "bpf" => call(libc::SYS_bpf, &[]),
        "keys" => call(libc::SYS_keyctl, &[]),
        "perf" => call(libc::SYS_perf_event_open, &[]),
        "userfault" => call(libc::SYS_userfaultfd, &[]),
        "outlive-server" => call(libc::SYS_prctl, &[libc::PR_SET_PDEATHSIG.into(), 0]),
        "be-dumpable" => call(libc::SYS_prctl, &[libc::PR_SET_DUMPABLE.into(), 1]),
        "second-filter" => call(libc::SYS_seccomp, &[]),
        // x32 on x86-64; a number that no architecture has.
        "other-abi" => call(0x4000_0000 | libc::SYS_getpid, &[]),
        "ignore-cpu-limit" => call(libc::SYS_rt_sigaction, &[libc::SIGXCPU.into(), 0, 0, 8]),
        _ => return None,
    })
}

/// Cases that use things up or end the process.
#[allow(
    clippy::panic,
    reason = "that a panic ends well inside the walls is what one case is about"
)]
fn exhaust(case: &str) -> io::Result<c_long> {
    match case {
        "panic" => panic!("a self-test"),
        "abort" => std::process::abort(),
        "overflow-stack" => {
            std::hint::black_box(deep(1));
            Ok(0)
        }
        "spin-deaf" => {
            ignore_all_signals();
            spin()
        }
        "spin" => spin(),
        "threads" => threads(),
        "garbage" => garbage(),
        "allocate" => {
            let hoard: Vec<Vec<u8>> = (0..MANY).map(|_| Vec::with_capacity(1 << 24)).collect();
            std::hint::black_box(hoard);
            Ok(0)
        }
        _ => {
            let refused = crate::ffmpeg::use_up_memory(MANY);
            match (refused, memory::ran_out()) {
                (true, true) => Err(io::Error::from_raw_os_error(libc::ENOMEM)),
                (true, false) => Err(io::Error::other("a refusal that went unseen")),
                (false, _) => Ok(0),
            }
        }
    }
}

/// Calls itself until the stack is used up.
fn deep(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 256]);
    if depth == u64::MAX {
        return 0;
    }
    deep(depth + 1).wrapping_add(frame[1])
}

fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

fn threads() -> io::Result<c_long> {
    for _ in 0..MANY {
        std::thread::Builder::new().stack_size(8 << 20).spawn(|| {
            loop {
                std::thread::park();
            }
        })?;
    }
    Ok(0)
}

/// Bytes that are no message, without end.
fn garbage() -> io::Result<c_long> {
    let noise: Vec<u8> = (0..1_u32 << 16)
        .map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0] | 0x80)
        .collect();
    loop {
        io::stdout().write_all(&noise)?;
    }
}

#[allow(unsafe_code, reason = "a raw call with a set of signals")]
fn ignore_all_signals() {
    let all = u64::MAX;
    let set = (&raw const all).cast::<c_void>();
    // SAFETY: the set lives through the call; the kernel reads 8 bytes of it.
    unsafe { libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_BLOCK, set, 0, 8) };
}
