//! Why a VNC connection could not be opened.

use oriel_screen::{ByeCode, SurfaceError};

/// Texts are for the person in front of the viewer.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The stream ended or failed during the handshake.
    #[error(
        "the connection to the VNC server was lost while opening the session: {0}; check that the machine is still running"
    )]
    Lost(#[source] std::io::Error),
    #[error("what answered is not a VNC server: it greeted with {greeting:?}; check the port")]
    NotVnc { greeting: String },
    #[error("the VNC server speaks version {version}, which is older than 3.3; update the server")]
    TooOld { version: String },
    /// The server said no before asking who we are.
    #[error("the VNC server refused the connection: {reason}")]
    Refused { reason: String },
    #[error("the VNC server wants a password and none is set for this machine; set one and connect again")]
    PasswordRequired,
    #[error("the VNC server refused the password: {reason}; set the right one and connect again")]
    CredentialsRefused { reason: String },
    #[error(
        "the VNC server offers only {offered}, and Oriel can do \"none\" and \"VNC authentication\" so far; allow one of these on the server"
    )]
    SecurityUnsupported { offered: String },
    #[error("the VNC server sent something that is not valid RFB: {what}")]
    Protocol { what: String },
    #[error("the VNC server has a screen that cannot be shown: {0}")]
    Screen(#[from] SurfaceError),
}

impl ConnectError {
    /// What viewers are told.
    pub const fn bye_code(&self) -> ByeCode {
        match self {
            Self::Lost(_) | Self::Refused { .. } => ByeCode::Unreachable,
            Self::PasswordRequired | Self::CredentialsRefused { .. } => ByeCode::CredentialsRefused,
            Self::NotVnc { .. }
            | Self::TooOld { .. }
            | Self::SecurityUnsupported { .. }
            | Self::Protocol { .. }
            | Self::Screen(_) => ByeCode::Protocol,
        }
    }
}
