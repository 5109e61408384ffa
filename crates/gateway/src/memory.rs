//! How the process gives memory back.
//!
//! A gateway's memory comes in bursts: a first picture, a password hash of 19 MiB, a screen of 8. glibc keeps what was freed
//! in one arena per thread, so that a process which served a few people stays as large as its bursts. Large blocks
//! of their own and few arenas make it as large as what it holds.

/// Blocks of this size and above go back to the system when they are freed, in bytes. glibc raises the limit by itself after
/// the first large block is freed, unless it is set.
#[cfg(target_env = "gnu")]
const OWN_BLOCK_BYTES: i32 = 256 << 10;
/// Heaps shared by all threads; more would mean more of them half empty.
#[cfg(target_env = "gnu")]
const ARENAS: i32 = 2;

/// Call first in `main`, before there are threads. Without glibc it does nothing.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    #[allow(
        unsafe_code,
        reason = "mallopt(3) has no safe form; it takes two integers and is called before other threads exist"
    )]
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, OWN_BLOCK_BYTES);
        libc::mallopt(libc::M_ARENA_MAX, ARENAS);
    }
}
