//! What a child that was taken over might try, and how each try must end.
//!
//! `jaga-decoder self-test CASE` locks itself down and tries one of them. `docs/security.md` has
//! them as a table, which a test holds against this one.

/// How a try ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The call fails with this error number and the child lives on.
    Errno(i32),
    /// The child is killed by this signal.
    Signal(i32),
    /// The child ends by itself with this code.
    Exit(i32),
}

/// One try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// Its name, the self-test's argument.
    pub name: &'static str,
    /// How it must end.
    pub end: End,
    /// False when it takes seconds.
    pub quick: bool,
}

/// Exit code of a child that ran out of memory in its own code.
pub const EXIT_OUT_OF_MEMORY: i32 = 77;

/// Exit code of a Rust program that panicked.
const EXIT_PANICKED: i32 = 101;

/// Error numbers and signals that are the same on every Linux architecture this is built for.
const EAGAIN: i32 = 11;
const ENOMEM: i32 = 12;
const EACCES: i32 = 13;
const ENOSYS: i32 = 38;
pub(crate) const SIGABRT: i32 = 6;
pub(crate) const SIGKILL: i32 = 9;
pub(crate) const SIGXCPU: i32 = 24;
pub(crate) const SIGSYS: i32 = 31;

const KILLED: End = End::Signal(SIGSYS);
const REFUSED: End = End::Errno(EACCES);

/// Every try.
pub const ATTEMPTS: &[Attempt] = &[
    quick("open-file", REFUSED),
    quick("open-own-memory", REFUSED),
    quick("create-file", REFUSED),
    quick("stat-file", REFUSED),
    quick("remove-file", KILLED),
    quick("truncate-file", KILLED),
    quick("socket", KILLED),
    quick("connect", KILLED),
    quick("send-descriptor", KILLED),
    quick("fork", KILLED),
    quick("vfork", KILLED),
    quick("clone3", End::Errno(ENOSYS)),
    quick("exec", KILLED),
    quick("ptrace", KILLED),
    quick("write-parents-memory", KILLED),
    quick("kill-parent", KILLED),
    quick("kill-parents-thread", KILLED),
    quick("kill-all", KILLED),
    quick("map-code", KILLED),
    quick("make-code", KILLED),
    quick("memory-file", KILLED),
    quick("io-uring", KILLED),
    quick("user-namespace", KILLED),
    quick("become-root", KILLED),
    quick("raise-limit", KILLED),
    quick("bpf", KILLED),
    quick("keys", KILLED),
    quick("perf", KILLED),
    quick("userfault", KILLED),
    quick("outlive-server", KILLED),
    quick("be-dumpable", KILLED),
    quick("second-filter", KILLED),
    quick("other-abi", KILLED),
    quick("ignore-cpu-limit", KILLED),
    quick("threads", End::Errno(EAGAIN)),
    quick("allocate", End::Exit(EXIT_OUT_OF_MEMORY)),
    quick("allocate-in-library", End::Errno(ENOMEM)),
    quick("panic", End::Exit(EXIT_PANICKED)),
    quick("abort", End::Signal(SIGABRT)),
    quick("overflow-stack", End::Signal(SIGABRT)),
    slow("spin", End::Signal(SIGXCPU)),
    slow("spin-deaf", End::Signal(SIGKILL)),
];

const fn quick(name: &'static str, end: End) -> Attempt {
    Attempt {
        name,
        end,
        quick: true,
    }
}

const fn slow(name: &'static str, end: End) -> Attempt {
    Attempt {
        name,
        end,
        quick: false,
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::Errno(EAGAIN) => f.write_str("EAGAIN"),
            Self::Errno(ENOMEM) => f.write_str("ENOMEM"),
            Self::Errno(EACCES) => f.write_str("EACCES"),
            Self::Errno(ENOSYS) => f.write_str("ENOSYS"),
            Self::Errno(number) => write!(f, "errno {number}"),
            Self::Signal(SIGABRT) => f.write_str("SIGABRT"),
            Self::Signal(SIGKILL) => f.write_str("SIGKILL"),
            Self::Signal(SIGXCPU) => f.write_str("SIGXCPU"),
            Self::Signal(SIGSYS) => f.write_str("SIGSYS"),
            Self::Signal(number) => write!(f, "signal {number}"),
            Self::Exit(code) => write!(f, "exit {code}"),
        }
    }
}
