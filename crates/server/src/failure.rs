//! What the broker could not do, as an answer: a status, a stable code, a next step. Causes go to the log, once.

use crate::api::problem::Problem;
use axum::http::StatusCode;
use oriel_broker::{BrokerError, ExternalError};
use oriel_gateway::GuestTicketRefusal;
use oriel_store::{StoreError, TicketRefusal};
use std::error::Error;

impl From<BrokerError> for Problem {
    fn from(error: BrokerError) -> Self {
        let text = error.to_string();
        match error {
            BrokerError::Missing { what, .. } => Self::missing(what, text),
            BrokerError::Invalid { code, next_step, .. } => Self::new(StatusCode::BAD_REQUEST, code, text, next_step),
            BrokerError::Conflict { code, next_step, .. } => Self::new(StatusCode::CONFLICT, code, text, next_step),
            BrokerError::Credentials { code: code @ "bad_code", .. } => Self::new(
                StatusCode::UNAUTHORIZED,
                code,
                text,
                "type the code that your app shows next, or a recovery code; an administrator can reset your second factor",
            ),
            BrokerError::Credentials { code: code @ "bad_passkey", .. } => Self::new(
                StatusCode::UNAUTHORIZED,
                code,
                text,
                "sign in another way; if it was removed here, remove it where you keep it, too",
            ),
            BrokerError::Credentials { code: code @ "passkey_unverified", .. } => Self::new(
                StatusCode::UNAUTHORIZED,
                code,
                text,
                "set one of them up on the authenticator, or sign in with your password and show the passkey after it",
            ),
            BrokerError::Credentials { code, .. } => {
                Self::new(StatusCode::UNAUTHORIZED, code, text, "type it again; an administrator can reset a password")
            }
            BrokerError::Forbidden { code, .. } => Self::new(
                StatusCode::FORBIDDEN,
                code,
                text,
                match code {
                    "passkey_copied" => {
                        "sign in another way, remove this passkey under My account, and make a new one; tell an administrator"
                    }
                    "provider_first" => "use the provider's button",
                    "password_first" => "sign in with your name and password",
                    _ => "ask an administrator to allow it",
                },
            ),
            BrokerError::TooMany { retry_seconds } => Self {
                retry_after: Some(retry_seconds),
                ..Self::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "too_many_attempts",
                    text,
                    format!("wait {retry_seconds} seconds, then try again"),
                )
            },
            BrokerError::Store(error) => error.into(),
            BrokerError::Compute(error) => {
                log(&error);
                let (detail, next_step) = split(&text, "look at the host's findings: `oriel doctor`");
                Self::new(StatusCode::BAD_GATEWAY, "host_failed", detail, next_step)
            }
            BrokerError::External(error) => {
                let (status, code) = match error {
                    ExternalError::Refused { .. } => (StatusCode::CONFLICT, "address_not_allowed"),
                    _ => (StatusCode::BAD_GATEWAY, "machine_unreachable"),
                };
                let (detail, next_step) = split(&text, "enter an address that Oriel may dial");
                Self::new(status, code, detail, next_step)
            }
            BrokerError::Directory(error) => {
                log(&error);
                let (detail, next_step) = split(&text, "look at the directory's own log");
                Self::new(StatusCode::BAD_GATEWAY, "directory_failed", detail, next_step)
            }
            BrokerError::Provider(error) => {
                log(&error);
                let (detail, next_step) = split(&text, "look at the provider's own log");
                Self::new(StatusCode::BAD_GATEWAY, "provider_failed", detail, next_step)
            }
            BrokerError::Image(error) => {
                log(&error);
                let (detail, next_step) =
                    split(&text, "look at the operation's log, and at the free space of the data folder");
                Self::new(StatusCode::CONFLICT, "image_failed", detail, next_step)
            }
            BrokerError::Recording(error) => {
                log(&error);
                let (detail, next_step) =
                    split(&text, "look at the log of `oriel serve`, and at the folder of recordings");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "recording_failed", detail, next_step)
            }
            BrokerError::Film(error) => {
                log(&error);
                let (detail, next_step) = split(&text, "look at the operation's log");
                Self::new(StatusCode::CONFLICT, "no_film", detail, next_step)
            }
            BrokerError::Internal(what) => {
                tracing::error!(what, "a fault of ours");
                Self::internal()
            }
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let text = error.to_string();
        let conflict = |code, otherwise: &str| {
            let (detail, next_step) = split(&text, otherwise);
            Self::new(StatusCode::CONFLICT, code, detail, next_step)
        };
        match error {
            StoreError::Missing { what, .. } => Self::missing(what, text),
            StoreError::Taken { .. } => conflict("name_taken", "choose another name"),
            StoreError::InUse { what, .. } => conflict(
                match what {
                    "image" => "image_in_use",
                    "pool" => "pool_in_use",
                    "user" => "user_has_desktops",
                    "directory" => "directory_in_use",
                    "provider" => "provider_in_use",
                    "cloud" => "cloud_in_use",
                    _ => "in_use",
                },
                "delete what uses it first",
            ),
            StoreError::PoolFull { .. } => conflict("pool_full", "delete a desktop or raise desktops_max"),
            StoreError::OverQuota(over) => {
                Self::new(StatusCode::CONFLICT, "over_quota", over.what(false), over.next_step(false))
            }
            StoreError::Booking(refusal) => {
                Self::new(StatusCode::CONFLICT, refusal.code, refusal.text, refusal.next_step)
            }
            StoreError::GpuTaken { .. } => conflict("gpu_taken", "try again"),
            StoreError::GpuSwitching { .. } => conflict("gpu_switching", "wait until its operation is done"),
            StoreError::GpuHeld { .. } => conflict("gpu_held", "stop those desktops first"),
            StoreError::LastAdmin => conflict("last_admin", "make another user an admin first"),
            StoreError::NoFreePort { .. } => conflict("no_free_port", "delete desktops of that host"),
            StoreError::Unreachable { .. } => {
                log(&error);
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "database_unreachable",
                    "the server cannot reach its database",
                    "try again in a moment; if it stays, look at the log of `oriel serve`",
                )
            }
            other => {
                log(&other);
                Self::internal()
            }
        }
    }
}

impl From<TicketRefusal> for Problem {
    fn from(refusal: TicketRefusal) -> Self {
        let code = match refusal {
            // Whoever has a ticket is whom it is about.
            TicketRefusal::Store(StoreError::OverQuota(over)) => {
                return Self::new(StatusCode::CONFLICT, "over_quota", over.what(true), over.next_step(true));
            }
            TicketRefusal::Store(error) => return error.into(),
            TicketRefusal::Unknown => "ticket_unknown",
            TicketRefusal::Used => "ticket_used",
            TicketRefusal::Expired => "ticket_expired",
            TicketRefusal::NotYours => "ticket_not_yours",
        };
        let text = refusal.to_string();
        let (detail, next_step) = split(&text, "ask for a new one");
        Self::new(StatusCode::FORBIDDEN, code, detail, next_step)
    }
}

impl From<GuestTicketRefusal> for Problem {
    fn from(refusal: GuestTicketRefusal) -> Self {
        let code = match refusal {
            GuestTicketRefusal::Expired => "ticket_expired",
            GuestTicketRefusal::NotYours => "ticket_not_yours",
        };
        let text = refusal.to_string();
        let (detail, next_step) = split(&text, "ask for a new one");
        Self::new(StatusCode::FORBIDDEN, code, detail, next_step)
    }
}

impl Problem {
    fn missing(what: &str, text: String) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            text,
            match what {
                // Only these belong to somebody.
                "desktop" | "session" => {
                    format!("list what there is; the {what} may have been deleted, or belong to somebody else")
                }
                "recipe" => "list what there is".to_owned(),
                _ => format!("list what there is; the {what} may have been deleted"),
            },
        )
    }
}

/// Our error texts say what happened and, after a colon or semicolon, what to do next.
fn split<'a>(text: &'a str, otherwise: &'a str) -> (&'a str, &'a str) {
    match text.rfind([':', ';']) {
        Some(at) => {
            let (what, next) = text.split_at(at);
            let next = next.get(1..).unwrap_or_default();
            // A colon inside a path, a time or an address is no end of a sentence.
            if next.starts_with(' ') && next.len() > 8 { (what, next.trim_start()) } else { (text, otherwise) }
        }
        None => (text, otherwise),
    }
}

fn log(error: &dyn Error) {
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    tracing::error!(%error, ?causes, "a request failed");
}
