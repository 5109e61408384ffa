//! Why a device could not be used.

use oriel_model::SwitchPort;
use oriel_pin::Fingerprint;
use oriel_screen::ByeCode;

/// Texts are for the person in front of the viewer.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    #[error("the device does not answer: {0}")]
    Unreachable(String),
    #[error("the connection to the device was lost: {0}; check that it still runs")]
    Lost(String),
    #[error("TLS with the device failed: {what}; check that its HTTPS port was entered")]
    Tls { what: String },
    #[error(
        "the device's certificate changed: its SHA-256 is {seen}, expected {expected}; if the device was reinstalled, an \
         administrator can accept the new one"
    )]
    IdentityChanged { expected: Fingerprint, seen: Fingerprint },
    /// It was met for the first time, and could not be pinned.
    #[error("{0}")]
    IdentityNotKept(String),
    #[error(
        "the device refused the user name, the password or the code of its second factor; enter the right ones for this device, \
         and check that its clock is right"
    )]
    CredentialsRefused,
    #[error("{0}")]
    Totp(#[from] crate::TotpError),
    /// The device said no, in its own words: the name of its error, and the text.
    #[error("the device refused: {text} ({name})")]
    Refused { status: u16, name: String, text: String },
    /// It is doing something else.
    #[error("the device is busy: {0}; try again in a moment")]
    Busy(String),
    #[error("the device has no picture: no video signal, or its streamer does not run")]
    NoPicture,
    #[error("the device has nothing at {path}: it may be another firmware, or have its API switched off")]
    NotThere { path: String },
    #[error("the device sent something that is not valid: {0}")]
    Protocol(String),
    #[error("the device did not answer within {0} seconds")]
    TimedOut(u64),
    #[error("the device sends its picture as H.264 alone, which this browser cannot show; use another browser")]
    OnlyVideo,
    #[error("{0}")]
    Unverified(String),
    /// It cannot do what was asked; the words say what, and what to do instead.
    #[error("{0}")]
    Lacks(String),
    /// What is seen and typed at would be another machine.
    #[error(
        "port {0} of the Switch is no longer the active one: somebody chose another at the device itself, or the Switch is gone; open the machine again to go back"
    )]
    PortLeft(SwitchPort),
    /// A BMC of several machines.
    #[error("the BMC has several systems, and none of them is named: {0}")]
    SystemUnclear(String),
}

impl DeviceError {
    /// What viewers are told.
    pub const fn bye_code(&self) -> ByeCode {
        match self {
            Self::Unreachable(_) | Self::Lost(_) | Self::TimedOut(_) | Self::Busy(_) => ByeCode::Unreachable,
            Self::CredentialsRefused | Self::Totp(_) => ByeCode::CredentialsRefused,
            Self::IdentityChanged { .. } | Self::IdentityNotKept(_) => ByeCode::IdentityChanged,
            Self::Tls { .. }
            | Self::Refused { .. }
            | Self::NoPicture
            | Self::NotThere { .. }
            | Self::OnlyVideo
            | Self::Unverified(_)
            | Self::Lacks(_)
            | Self::PortLeft(_)
            | Self::SystemUnclear(_)
            | Self::Protocol(_) => ByeCode::Protocol,
        }
    }

    /// Whether a new try may go better.
    pub(crate) const fn may_pass(&self) -> bool {
        // Passwords that are refused are not tried again and again: the device may ask a directory that locks accounts.
        !matches!(
            self,
            Self::IdentityChanged { .. }
                | Self::IdentityNotKept(_)
                | Self::Totp(_)
                | Self::CredentialsRefused
                | Self::OnlyVideo
                | Self::PortLeft(_)
        )
    }
}
