//! The lock: Landlock takes files and network away, seccomp all system calls but those that a session needs.
//!
//! Landlock is used as far as the kernel has it (Linux 5.13 for files, 6.7 for TCP, 6.12 for signals); seccomp has no such excuse, and
//! already refuses what Landlock would. Sources: Documentation/userspace-api/landlock.rst and seccomp_filter.rst of Linux.

use crate::syscalls;
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _, RulesetCreated,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};
use std::io;
use std::path::Path;

/// Why a process could not be locked up.
#[derive(Debug, thiserror::Error)]
pub enum CageError {
    #[error("setting its limits: {0}")]
    Limits(io::Error),
    #[error("Landlock: {0}")]
    Landlock(#[from] RulesetError),
    #[error("seccomp on a {0} processor: no list of system calls for it")]
    Processor(String),
    #[error("seccomp: {0} (the kernel needs CONFIG_SECCOMP_FILTER)")]
    Seccomp(#[from] seccompiler::Error),
    #[error("seccomp's rules: {0}")]
    Rules(#[from] seccompiler::BackendError),
}

/// From here on the process can only compute, and talk through what it has open. There is no way back.
pub fn enter() -> Result<(), CageError> {
    let landlocked = landlock()?;
    seccompiler::apply_filter(&filter()?)?;
    tracing::debug!(landlock = ?landlocked, "Locked up");
    Ok(())
}

/// What programs and their libraries, fonts and locales are read from.
const SYSTEM: [&str; 12] = [
    "/usr",
    "/lib",
    "/lib64",
    "/bin",
    "/etc/alternatives",
    "/etc/fonts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/var/cache/fontconfig",
    "/sys/devices/system/cpu",
    "/dev/random",
    "/dev/urandom",
];

/// From here on the process, and what it starts, reads the system's programs and writes into one folder, and has no network.
pub fn enter_film(folder: &Path) -> Result<(), CageError> {
    let (read, all) = (AccessFs::from_read(LANDLOCK), AccessFs::from_all(LANDLOCK));
    let landlocked = ruleset()?
        .add_rules(path_beneath_rules(SYSTEM, read))?
        .add_rules(path_beneath_rules([Path::new("/dev/null"), folder], all))?
        .restrict_self()?
        .ruleset;
    let refused = SeccompAction::Errno(libc::EPERM as u32);
    let rules = syscalls::FILM_REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    let filter: BpfProgram = SeccompFilter::new(rules, SeccompAction::Allow, refused, target()?)?.try_into()?;
    seccompiler::apply_filter(&filter)?;
    tracing::debug!(landlock = ?landlocked, "Locked up to make a film");
    Ok(())
}

/// The newest rules that this program knows.
const LANDLOCK: ABI = ABI::V6;

fn landlock() -> Result<RulesetStatus, CageError> {
    // No rule allows anything.
    Ok(ruleset()?.restrict_self()?.ruleset)
}

fn ruleset() -> Result<RulesetCreated, CageError> {
    let abi = LANDLOCK;
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?;
    Ok(ruleset.create()?)
}

fn target() -> Result<TargetArch, CageError> {
    let processor = std::env::consts::ARCH;
    processor.try_into().map_err(|_| CageError::Processor(processor.to_owned()))
}

fn filter() -> Result<BpfProgram, CageError> {
    // What is not on the list fails as if it were forbidden: libraries cope with that, where a killed process would say nothing.
    let refused = SeccompAction::Errno(libc::EPERM as u32);
    let filter =
        SeccompFilter::new(syscalls::rules()?.into_iter().collect(), refused, SeccompAction::Allow, target()?)?;
    Ok(filter.try_into()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::UnixStream;
    use std::process::Command;

    /// Both locks hold the thread that enters, not the process: the tests beside this one stay free.
    #[test]
    fn what_is_locked_up_reaches_nothing() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let (mut open, mut other) = UnixStream::pair().unwrap();
        let locked = std::thread::spawn(move || {
            enter().unwrap();
            // What it has open goes on, and so do memory, time and chance.
            open.write_all(b"still here").unwrap();
            assert!(vec![1_u8; 32 << 20].iter().all(|byte| *byte == 1));
            assert!(std::time::Instant::now().elapsed().as_secs() < 60);
            let failures = [
                ("reads a file", File::open("/etc/passwd").err()),
                ("writes a file", File::create("/tmp/oriel-was-here").err()),
                ("lists a folder", std::fs::read_dir("/proc").err()),
                ("looks at a file", std::fs::metadata("/etc").err()),
                ("connects", TcpStream::connect(address).err()),
                ("listens", TcpListener::bind("127.0.0.1:0").err()),
                ("has a datagram socket", UdpSocket::bind("127.0.0.1:0").err()),
                ("has another socket", UnixStream::pair().err()),
                ("starts a program", Command::new("/bin/true").spawn().err()),
                ("starts a thread", std::thread::Builder::new().spawn(|| ()).err()),
                (
                    "stops its parent",
                    rustix::process::kill_process(parent(), rustix::process::Signal::CONT).err().map(Into::into),
                ),
            ];
            for (what, error) in failures {
                let error = error.unwrap_or_else(|| panic!("it {what}"));
                assert!(
                    matches!(error.raw_os_error(), Some(libc::EPERM | libc::EACCES)),
                    "it {what}, and the kernel says {error}"
                );
            }
        });
        locked.join().unwrap();
        let mut said = String::new();
        other.read_to_string(&mut said).unwrap();
        assert_eq!(said, "still here");
        File::open("/etc/passwd").unwrap();
    }

    #[test]
    fn who_makes_a_film_starts_programs_and_reaches_one_folder() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let (inside, beside) = (folder.path().to_owned(), outside.path().join("beside"));
        std::thread::spawn(move || {
            enter_film(&inside).unwrap();
            std::fs::write(inside.join("film"), b"a film").unwrap();
            let run =
                |script: &str| Command::new("/bin/sh").args(["-c", script]).current_dir(&inside).status().unwrap();
            assert!(run("cat film > copy && rm film").success());
            assert!(!run("cat /etc/passwd").success());
            assert!(!run("cat /proc/1/environ").success());
            for (what, error) in [
                ("reads a file", File::open("/etc/passwd").err()),
                ("writes beside its folder", File::create(&beside).err()),
                ("connects", TcpStream::connect(address).err()),
                ("has a datagram socket", UdpSocket::bind("127.0.0.1:0").err()),
                ("has another socket", UnixStream::pair().err()),
            ] {
                let error = error.unwrap_or_else(|| panic!("it {what}"));
                assert!(matches!(error.raw_os_error(), Some(libc::EPERM | libc::EACCES)), "it {what}: {error}");
            }
        })
        .join()
        .unwrap();
        assert_eq!(std::fs::read(folder.path().join("copy")).unwrap(), b"a film");
    }

    fn parent() -> rustix::process::Pid {
        rustix::process::getppid().unwrap()
    }
}
