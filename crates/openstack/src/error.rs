//! What can go wrong with a cloud, in sentences for the person who must mend it.

use crate::{Microversion, Service};
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub enum OpenStackError {
    #[error(
        "cannot reach {service} at {url}: {reason}; is the address in the cloud's catalog one that this machine can reach?"
    )]
    Unreachable { service: Service, url: String, reason: String },
    #[error("{service} at {url} did not answer within {} s", .time.as_secs_f32())]
    Slow { service: Service, url: String, time: Duration },
    #[error("{service} was asked to {action} and answered with more than {max} bytes; that is not read")]
    TooLarge { service: Service, action: String, max: usize },
    #[error(
        "{service} was asked to {action} and answered with what its API does not describe: {what}; is it really {service} that answers there?"
    )]
    NotUnderstood { service: Service, action: String, what: String },
    /// The cloud's own words follow.
    #[error("{service} refused to {action} ({status}): {words}")]
    Refused { service: Service, action: String, status: u16, words: String },
    #[error("{service} could not {action} ({status}) after {attempts} tries: {words}")]
    Failing { service: Service, action: String, status: u16, attempts: u32, words: String },
    #[error("{service} asks to be left alone for {} s; that is longer than Oriel waits at once", .wait.as_secs())]
    Busy { service: Service, wait: Duration },
    #[error("the cloud does not know these credentials: {words}; they may be wrong, expired or withdrawn")]
    NotSignedIn { words: String },
    #[error(
        "the credentials name no project, and desktops are made in one; write project_name or project_id into clouds.yaml"
    )]
    NoProject,
    #[error("the cloud's catalog has no {service} in {region}; it has {there}")]
    NoService { service: Service, region: String, there: String },
    #[error("the cloud has several regions; say which: {there}")]
    WhichRegion { there: String },
    #[error(
        "{service} speaks {its_min} to {its_max}, and Oriel {ours_min} to {ours_max}: one of them is too old for the other"
    )]
    NoCommonVersion {
        service: Service,
        its_min: Microversion,
        its_max: Microversion,
        ours_min: Microversion,
        ours_max: Microversion,
    },
    #[error("{what} needs {service} {need} or newer, and this cloud has {has}")]
    TooOld { service: Service, what: &'static str, need: Microversion, has: Microversion },
    #[error("cannot use the certificate {path}: {reason}")]
    Certificate { path: String, reason: String },
    #[error("cannot prepare connections: {0}")]
    Setup(String),
    #[error("{0:?} is no id of anything in a cloud")]
    NotAnId(String),
    #[error("server {server} has no screen to connect to: it is {status}; start it first")]
    NoScreen { server: String, status: String },
    #[error(
        "the screen of server {server} is not what it was when the way to it was made: {what}; the way was closed, ask for a new one"
    )]
    StaleConsole { server: String, what: String },
    #[error(
        "cannot connect to the screen of server {server} at {address}: {reason}; Oriel needs a route to the cloud's compute hosts for it"
    )]
    ScreenUnreachable { server: String, address: String, reason: String },
    /// Nova's "No valid host was found", explained.
    #[error("{0}")]
    NoHost(String),
}

impl OpenStackError {
    /// The status with which the cloud refused.
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } | Self::Failing { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// There is no such thing (any more).
    pub const fn is_gone(&self) -> bool {
        matches!(self.status(), Some(404 | 410))
    }

    /// What the thing is doing does not go together with what was asked.
    pub const fn is_conflict(&self) -> bool {
        matches!(self.status(), Some(409))
    }

    /// It may go well a moment later, with nothing changed: the cloud did not answer, failed, or asked for patience.
    pub const fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Slow { .. }
                | Self::Busy { .. }
                | Self::Failing { .. }
                | Self::Refused { status: 409 | 429 | 500..=599, .. }
        )
    }

    /// Nova says "Quota exceeded" with 403, and "Too many" of its older versions with 413; Neutron says it with 409.
    pub fn is_over_quota(&self) -> bool {
        match self {
            Self::Refused { status: 403 | 409 | 413, words, .. } => words.to_lowercase().contains("quota"),
            _ => false,
        }
    }

    /// The credentials do not reach that far.
    pub const fn is_forbidden(&self) -> bool {
        matches!(self.status(), Some(403))
    }
}
