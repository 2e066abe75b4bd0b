//! The list of system calls, each with its reason. Numbers differ between x86-64 and `AArch64`, the
//! list doesn't, save for calls that the younger one never had.

use libc::{EACCES, ENOSYS, c_long};

/// A condition on one argument.
#[derive(Debug, Clone, Copy)]
pub(super) struct Condition {
    /// Its place, from 0.
    pub(super) argument: u8,
    pub(super) test: Test,
}

/// What is asked of an argument's lower 32 bits; no argument that is tested has more.
#[derive(Debug, Clone, Copy)]
pub(super) enum Test {
    Is(u64),
    IsNot(u64),
    Bits { mask: u64, value: u64 },
}

/// Allowed however they are made.
pub(super) const ALLOWED: &[c_long] = &[
    // The upload by its descriptor, requests, answers and log by theirs.
    libc::SYS_read,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_close,
    // glibc's last words, when it finds its heap damaged.
    libc::SYS_writev,
    // Memory. Mapping and changing protection have conditions.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    // Threads of the decoders. Starting one has conditions.
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    // A thread whose registration fails ends the process (glibc 2.35 and later).
    libc::SYS_rseq,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Clocks, where the kernel's clock can't be read without a call.
    libc::SYS_clock_gettime,
    libc::SYS_gettimeofday,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_restart_syscall,
    // Signals to itself, for panics, aborts and the handler of stack overflows.
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_getpid,
    libc::SYS_gettid,
    // Seeds of hash tables.
    libc::SYS_getrandom,
    // glibc's `qsort` asks how much memory there is.
    libc::SYS_sysinfo,
];

/// Answered with an error number, as libraries ask in passing and go on without: time zone,
/// locale and processor files; whether the log is a terminal; the working folder, in a panic. glibc
/// starts a thread by `clone` when `clone3` isn't there, and only `clone`'s flags can be seen by a
/// filter.
pub(super) const REFUSED: &[(i32, &[c_long])] = &[
    (
        EACCES,
        &[
            #[cfg(target_arch = "x86_64")]
            libc::SYS_open,
            #[cfg(target_arch = "x86_64")]
            libc::SYS_stat,
            #[cfg(target_arch = "x86_64")]
            libc::SYS_lstat,
            #[cfg(target_arch = "x86_64")]
            libc::SYS_access,
            #[cfg(target_arch = "x86_64")]
            libc::SYS_readlink,
            libc::SYS_openat,
            libc::SYS_newfstatat,
            libc::SYS_statx,
            libc::SYS_faccessat,
            libc::SYS_faccessat2,
            libc::SYS_readlinkat,
            libc::SYS_getcwd,
            libc::SYS_ioctl,
        ],
    ),
    (ENOSYS, &[libc::SYS_clone3]),
];

/// Flags of a thread as C libraries start one, and the one that old ones add and nobody reads.
const THREAD: u64 = (libc::CLONE_VM
    | libc::CLONE_FS
    | libc::CLONE_FILES
    | libc::CLONE_SIGHAND
    | libc::CLONE_THREAD
    | libc::CLONE_SYSVSEM
    | libc::CLONE_SETTLS
    | libc::CLONE_PARENT_SETTID
    | libc::CLONE_CHILD_CLEARTID) as u64;
const ANY_BUT_DETACHED: u64 = (u32::MAX as u64) & !(libc::CLONE_DETACHED as u64);

const THREAD_ONLY: Condition = Condition {
    argument: 0,
    test: Test::Bits {
        mask: ANY_BUT_DETACHED,
        value: THREAD,
    },
};

const NOT_CODE: Condition = Condition {
    argument: 2,
    test: Test::Bits {
        mask: libc::PROT_EXEC as u64,
        value: 0,
    },
};

const fn is(argument: u8, value: u64) -> Condition {
    Condition {
        argument,
        test: Test::Is(value),
    }
}

/// Allowed when the condition holds; of a call that stands here several times, when one does.
pub(super) fn allowed_if(own_pid: u64) -> Vec<(c_long, Condition)> {
    vec![
        // Requests, over standard input alone.
        (libc::SYS_recvmsg, is(0, 0)),
        // A second descriptor of the output; the flags of descriptors.
        (libc::SYS_fcntl, is(1, libc::F_DUPFD_CLOEXEC as u64)),
        (libc::SYS_fcntl, is(1, libc::F_GETFD as u64)),
        (libc::SYS_fcntl, is(1, libc::F_SETFD as u64)),
        (libc::SYS_fcntl, is(1, libc::F_GETFL as u64)),
        (libc::SYS_mmap, NOT_CODE),
        (libc::SYS_mprotect, NOT_CODE),
        (libc::SYS_clone, THREAD_ONLY),
        // `abort` and `raise`.
        (libc::SYS_tgkill, is(0, own_pid)),
        // Threads get names.
        (libc::SYS_prctl, is(0, libc::PR_SET_NAME as u64)),
        // Nobody may stop listening to the limit on processor time.
        (
            libc::SYS_rt_sigaction,
            Condition {
                argument: 0,
                test: Test::IsNot(libc::SIGXCPU as u64),
            },
        ),
    ]
}
