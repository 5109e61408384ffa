//! Why a BMC could not be used.

use crate::Role;

/// Texts are for the person in front of it.
#[derive(Debug, thiserror::Error)]
pub enum IpmiError {
    #[error(
        "the BMC does not answer over IPMI ({0}); check its address, that IPMI over LAN is switched on in it, and that UDP port 623 \
         is open on the way"
    )]
    Unreachable(String),
    #[error("the BMC no longer answers over IPMI; check that it still runs")]
    Lost,
    #[error(
        "the BMC speaks IPMI 1.5 alone, which protects nothing; use a newer firmware, or another way to this machine"
    )]
    TooOld,
    #[error(
        "the BMC offers neither cipher suite 17 nor 3 to this account, and others are not used: they prove or encrypt nothing; \
         switch one of them on in the BMC"
    )]
    NoSuite,
    #[error(
        "the BMC and we have different passwords for this account, or it has none of this name; enter the right ones (a BMC with a \
         key of its own, K_G, is not supported)"
    )]
    CredentialsRefused,
    #[error("the BMC does not let this account act as {}; give it that privilege in the BMC", .0.word())]
    RoleRefused(Role),
    #[error("the BMC is busy: {0}; try again in a moment")]
    Busy(&'static str),
    /// It cannot do what was asked.
    #[error("the BMC cannot do this: {what} (completion code {code:#04x})")]
    Lacks { what: &'static str, code: u8 },
    #[error("the BMC refused {what} (completion code {code:#04x})")]
    Refused { what: &'static str, code: u8 },
    #[error(
        "the machine's serial console is in use by another session; end that one (or wait a minute, where its end was lost) and try again"
    )]
    ConsoleTaken,
    #[error("the BMC ended the machine's serial console; open it again")]
    ConsoleEnded,
    #[error("the BMC sent something that is not valid: {0}")]
    Protocol(&'static str),
    #[error("{0}")]
    BadAccount(&'static str),
    #[error("this machine's cryptography failed at {0}")]
    Cryptography(&'static str),
}
