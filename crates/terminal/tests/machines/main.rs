//! Against real servers: OpenSSH (one or several, started by the test), its SFTP, and telnetd. Passwords and questions against
//! a server made of russh, since OpenSSH's need an account.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests may panic")]
#![allow(clippy::panic, reason = "a missing program must be noticed, not skipped")]

mod credentials;
mod files;
mod jump;
mod kubernetes;
mod server;
mod shell;
mod telnet;
