//! What the start needed, and nothing else.

use std::{env, fs, path::Path};

/// Unmaps the program's own code, which comes back page by page, from the page cache, as it is run again. Half of it is run once: reading the
/// configuration, the command line, the schema, certificates. Until memory runs short the kernel counts it as ours.
///
/// Nothing is lost: code is mapped from the file and never written. Where that cannot be told from `/proc/self/maps`, nothing is done.
pub fn forget_the_start() {
    let (Ok(maps), Ok(own)) = (fs::read_to_string("/proc/self/maps"), env::current_exe()) else { return };
    for (start, bytes) in maps.lines().filter_map(|line| code(line, &own)) {
        #[allow(
            unsafe_code,
            reason = "madvise(2) has no safe form; the pages are a file's, private, readable and never written, so that the same come back"
        )]
        unsafe {
            libc::madvise(start as *mut libc::c_void, bytes, libc::MADV_DONTNEED);
        }
    }
}

/// Start and bytes of a mapping that is code of `own` (proc_pid_maps(5)).
fn code(line: &str, own: &Path) -> Option<(usize, usize)> {
    let mut words = line.split_ascii_whitespace();
    let (range, rights) = (words.next()?, words.next()?);
    let path = words.nth(3)?;
    let (start, end) = range.split_once('-')?;
    let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
    (rights == "r-xp" && Path::new(path) == own).then_some((start, end.checked_sub(start)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_programs_own_code_is_unmapped() {
        let own = Path::new("/usr/bin/oriel");
        let of = |line| code(line, own);
        assert_eq!(of("5500-7500 r-xp 00001000 fe:00 42   /usr/bin/oriel"), Some((0x5500, 0x2000)));
        assert_eq!(of("5500-7500 r--p 00001000 fe:00 42   /usr/bin/oriel"), None);
        assert_eq!(of("5500-7500 rw-p 00001000 fe:00 42   /usr/bin/oriel"), None);
        assert_eq!(of("5500-7500 r-xp 00001000 fe:00 43   /usr/lib/libc.so.6"), None);
        assert_eq!(of("5500-7500 r-xp 00000000 00:00 0"), None);
        assert_eq!(of("nonsense"), None);
        forget_the_start();
    }
}
