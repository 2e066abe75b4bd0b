//! Running out of memory, seen where it happens.
//!
//! FFmpeg turns a failed allocation into anything from an error to success without a frame. So the
//! C library's allocation functions are replaced, for this program and all libraries that it links,
//! by ones that ask the C library and note a refusal. Rust's own allocations end the process with
//! an exit code that the server knows.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, Ordering};

use jaga::media::sandbox::attempts::EXIT_OUT_OF_MEMORY;

static RAN_OUT: AtomicBool = AtomicBool::new(false);

/// True when memory was refused since the start.
pub(crate) fn ran_out() -> bool {
    RAN_OUT.load(Ordering::Relaxed)
}

/// Notes that memory was refused, where that isn't seen here: a thread's stack.
pub(crate) fn note_refusal() {
    RAN_OUT.store(true, Ordering::Relaxed);
}

/// The system's allocator; where it has nothing left, the process ends.
struct OrEnd;

#[global_allocator]
static ALLOCATOR: OrEnd = OrEnd;

// SAFETY: every call is the system allocator's, with the caller's promises.
#[allow(unsafe_code, reason = "the trait is unsafe")]
unsafe impl GlobalAlloc for OrEnd {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        or_end(unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        or_end(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller promises.
        or_end(unsafe { System.realloc(pointer, layout, size) })
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[allow(unsafe_code, reason = "ends without unwinding, which would allocate")]
fn or_end(pointer: *mut u8) -> *mut u8 {
    if pointer.is_null() {
        // SAFETY: takes an integer and doesn't return.
        unsafe { libc::_exit(EXIT_OUT_OF_MEMORY) }
    }
    pointer
}

/// Replacements of the C library's functions. Only glibc has its own under a second name; built
/// for another C library, refusals in FFmpeg go unseen.
#[cfg(target_env = "gnu")]
#[allow(unsafe_code, reason = "C's allocation functions")]
mod replaced {
    use libc::{EINVAL, ENOMEM, c_int, c_void, size_t};

    unsafe extern "C" {
        fn __libc_malloc(size: size_t) -> *mut c_void;
        fn __libc_calloc(count: size_t, size: size_t) -> *mut c_void;
        fn __libc_realloc(pointer: *mut c_void, size: size_t) -> *mut c_void;
        fn __libc_memalign(alignment: size_t, size: size_t) -> *mut c_void;
    }

    fn noted(pointer: *mut c_void, size: size_t) -> *mut c_void {
        if pointer.is_null() && size > 0 {
            super::note_refusal();
        }
        pointer
    }

    /// # Safety
    /// As C's.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn malloc(size: size_t) -> *mut c_void {
        // SAFETY: the same function under its other name.
        noted(unsafe { __libc_malloc(size) }, size)
    }

    /// # Safety
    /// As C's.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn calloc(count: size_t, size: size_t) -> *mut c_void {
        // SAFETY: the same function under its other name.
        noted(
            unsafe { __libc_calloc(count, size) },
            count.saturating_mul(size),
        )
    }

    /// # Safety
    /// As C's.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn realloc(pointer: *mut c_void, size: size_t) -> *mut c_void {
        // SAFETY: the same function under its other name.
        noted(unsafe { __libc_realloc(pointer, size) }, size)
    }

    /// # Safety
    /// As C's: `pointer` can be written to.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn posix_memalign(
        pointer: *mut *mut c_void,
        alignment: size_t,
        size: size_t,
    ) -> c_int {
        if !alignment.is_power_of_two() || alignment < size_of::<*mut c_void>() {
            return EINVAL;
        }
        // SAFETY: a valid alignment; glibc's own `posix_memalign` does the same.
        let memory = noted(unsafe { __libc_memalign(alignment, size) }, size);
        if memory.is_null() {
            return ENOMEM;
        }
        // SAFETY: as the caller promises.
        unsafe { pointer.write(memory) };
        0
    }
}
