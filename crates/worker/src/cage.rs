//! The lock: Landlock takes files and network away, seccomp all system calls but those that a session needs.
//!
//! Landlock is used as far as the kernel has it (Linux 5.13 for files, 6.7 for TCP, 6.12 for signals); seccomp has no such excuse, and
//! already refuses what Landlock would. Sources: Documentation/userspace-api/landlock.rst and seccomp_filter.rst of Linux.

use crate::syscalls;
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _, RulesetError,
    RulesetStatus, Scope,
};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};
use std::io;

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

fn landlock() -> Result<RulesetStatus, CageError> {
    let abi = ABI::V6;
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?;
    // No rule allows anything.
    Ok(ruleset.create()?.restrict_self()?.ruleset)
}

fn filter() -> Result<BpfProgram, CageError> {
    let processor = std::env::consts::ARCH;
    let target: TargetArch = processor.try_into().map_err(|_| CageError::Processor(processor.to_owned()))?;
    // What is not on the list fails as if it were forbidden: libraries cope with that, where a killed process would say nothing.
    let refused = SeccompAction::Errno(libc::EPERM as u32);
    let filter = SeccompFilter::new(syscalls::rules()?.into_iter().collect(), refused, SeccompAction::Allow, target)?;
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

    fn parent() -> rustix::process::Pid {
        rustix::process::getppid().unwrap()
    }
}
