//! Terminals and files of remote machines: SSH, telnet, containers and serial lines.
//!
//! ```text
//!  stream ─▶ ssh::Connection (jump hosts, host keys, signing in) ─▶ Shell   bytes, untouched
//!         │                                                      └▶ Files   SFTP below one folder
//!         ├▶ telnet::connect (options, login patterns)           ─▶ Shell
//!         └▶ serial::connect (a line of somebody's)               ─▶ Shell
//!  bytes  ─▶ Headless: what a terminal shows, for viewers that come later
//! ```
//! Bytes go through untouched in both directions. When [`Shell::next`] is not called, SSH's channel window closes (telnet's
//! stream is not read) and a flood stops at its source.

mod backspace;
mod error;
pub mod files;
mod headless;
pub mod kubernetes;
pub mod serial;
mod shell;
mod skim;
pub mod ssh;
pub mod telnet;

pub use backspace::Backspace;
pub use error::TerminalError;
pub use files::{Files, FilesError};
pub use headless::Headless;
pub use kubernetes::KubernetesOptions;
pub use shell::{Shell, TerminalEvent};
pub use ssh::{Connection, Credentials, HostKeyPin, Jump, Key, Prompt, Question, SeenKey, ShellOptions, SshOptions};
pub use telnet::TelnetOptions;

use tokio::io::{AsyncRead, AsyncWrite};

/// A byte stream to a machine.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}
