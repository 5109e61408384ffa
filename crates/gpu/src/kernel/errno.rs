//! The kernel's numbers for what went wrong, the same on every Linux architecture that Oriel runs on (`errno-base.h`, `errno.h`).

pub const EPERM: i32 = 1;
pub const ENOENT: i32 = 2;
pub const EIO: i32 = 5;
pub const EACCES: i32 = 13;
pub const EBUSY: i32 = 16;
pub const EEXIST: i32 = 17;
pub const ENODEV: i32 = 19;
pub const EINVAL: i32 = 22;
pub const ENOSPC: i32 = 28;
pub const ERANGE: i32 = 34;
pub const EUSERS: i32 = 87;

/// The name of a number, for people and for comparing two kernels.
pub fn name(number: i32) -> String {
    let name = match number {
        EPERM => "EPERM",
        ENOENT => "ENOENT",
        EIO => "EIO",
        EACCES => "EACCES",
        EBUSY => "EBUSY",
        EEXIST => "EEXIST",
        ENODEV => "ENODEV",
        EINVAL => "EINVAL",
        ENOSPC => "ENOSPC",
        ERANGE => "ERANGE",
        EUSERS => "EUSERS",
        other => return format!("errno {other}"),
    };
    name.to_owned()
}

/// The name of an error's number; its text where it has none.
pub fn of(error: &std::io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), name)
}
