//! What a session's process may use (`setrlimit(2)`).

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setpriority_process, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
use std::io;

/// Of its own memory (`RLIMIT_DATA`, which counts private writable mappings), in MiB: a few surfaces of the largest screens, and
/// what is on its way. What exceeds it ends this session alone.
pub const MEMORY_MIB: u64 = 1024;
/// Addresses beyond its own memory, in MiB.
const PROGRAM_MIB: u64 = 768;
/// Open files: its sockets, one stream to the machine and one more while that is replaced, or the
/// five of SPICE, and what the runtime needs.
const FILES_MAX: u64 = 32;
/// The same of a process that makes films: pipes of ffmpeg, libraries, fonts.
const FILM_FILES_MAX: u64 = 256;
const FILM_NICENESS: i32 = 10;

pub fn set(memory_mib: u64) -> io::Result<()> {
    let both = |value| Rlimit { current: Some(value), maximum: Some(value) };
    setrlimit(Resource::Data, both(memory_mib.saturating_mul(1 << 20)))?;
    // What that leaves out: shared mappings and growing stacks. The rest is the program, its libraries, and what malloc reserves.
    setrlimit(Resource::As, both(memory_mib.saturating_add(PROGRAM_MIB).saturating_mul(1 << 20)))?;
    setrlimit(Resource::Nofile, both(FILES_MAX))?;
    // It writes no files; a core would hold the machine's credentials.
    setrlimit(Resource::Fsize, both(0))?;
    setrlimit(Resource::Core, both(0))?;
    // A server that runs as root does not make this root.
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    // Nor may another process of the same user look into it.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// Of a process that makes a film, and of each program that it starts.
pub fn set_film() -> io::Result<()> {
    let both = |value| Rlimit { current: Some(value), maximum: Some(value) };
    let memory = both(oriel_film::FILM_MEMORY_MIB_MAX << 20);
    setrlimit(Resource::Data, memory)?;
    setrlimit(Resource::As, memory)?;
    setrlimit(Resource::Nofile, both(FILM_FILES_MAX))?;
    setrlimit(Resource::Fsize, both(oriel_film::FILM_BYTES_MAX))?;
    setrlimit(Resource::Core, both(0))?;
    // Whoever sits in front of a desktop comes first.
    setpriority_process(None, FILM_NICENESS)?;
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}
