//! What people show beside their passwords.

use super::passkey::Passkey;
use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mirror! {
    /// What is asked at the door. Of several groups the strictest holds, in this order.
    SecondFactorRule = model::SecondFactorRule {
        /// Whoever has set one up is asked for it; nobody has to.
        Optional,
        /// Whoever has none sets one up before anything else.
        Required,
        /// As `required`, and remembered browsers are asked, too.
        EveryTime,
    }
}

mirror! {
    /// How far a browser has come at the door.
    SignInStep = model::SignInStep {
        /// Inside.
        Done,
        /// The second factor is missing: `POST /api/v1/me/second-factor`, or with a passkey `POST /api/v1/me/second-factor/passkey`.
        Factor,
        /// A second factor must be set up: `POST /api/v1/me/second-factor/totp`, or `POST /api/v1/me/passkeys/new`.
        Enrol,
    }
}

/// What somebody may show beside their password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FactorKind {
    /// A code of the authenticator app.
    App,
    Passkey,
}

/// A code of the authenticator app, or a recovery code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FactorCode {
    pub code: String,
    /// `true`: this browser is not asked for 30 days, unless a group of the person asks every time.
    #[serde(default)]
    pub remember: Option<bool>,
}

/// Begins to set up an authenticator app.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TotpBegin {
    /// Needed by whoever is signed in; left out at the door, and by whose password a provider keeps: they have come from there within
    /// ten minutes.
    #[serde(default)]
    #[schema(format = Password)]
    pub password: Option<String>,
}

/// A secret that is not in force yet.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct TotpNew {
    /// Base32, to be typed into an app that has no camera.
    pub secret: String,
    /// `otpauth://totp/…`, which apps read from a QR code.
    pub uri: String,
    /// Goes back with the app's first code, from the same browser, within 15 minutes.
    pub envelope: String,
}

/// The app's first code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TotpConfirm {
    pub envelope: String,
    pub code: String,
}

/// Each lets its person in once instead of the app: shown here and never again.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct RecoveryCodes {
    pub codes: Vec<String>,
}

/// The password again, before something that guards the account is changed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordAgain {
    /// Left out by whose password a provider keeps: they have come from there within ten minutes.
    #[serde(default)]
    #[schema(format = Password)]
    pub password: Option<String>,
}

/// What is taken away of the own second factor.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FactorRemoval {
    /// Left out by whose password a provider keeps: they have come from there within ten minutes.
    #[serde(default)]
    #[schema(format = Password)]
    pub password: Option<String>,
    /// `true`: the app alone; recovery codes stay where there are passkeys.
    #[serde(default)]
    pub keep_passkeys: Option<bool>,
}

/// A browser that is not asked for the second factor until it expires.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RememberedBrowser {
    pub id: String,
    /// What it said it was.
    pub label: String,
    /// RFC 3339.
    pub created_at: String,
    pub expires_at: String,
}

/// What somebody has, and what is asked of them.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SecondFactor {
    pub rule: SecondFactorRule,
    /// Since when an authenticator app is set up; null without one.
    #[schema(required)]
    pub totp_since: Option<String>,
    /// Oldest first.
    #[serde(default)]
    #[schema(required)]
    pub passkeys: Vec<Passkey>,
    pub recovery_codes_left: u64,
    /// Oldest first.
    pub browsers: Vec<RememberedBrowser>,
}

impl From<oriel_broker::SecondFactor> for SecondFactor {
    fn from(of: oriel_broker::SecondFactor) -> Self {
        let browser = |device: model::Device| RememberedBrowser {
            id: device.id.to_string(),
            label: device.label,
            created_at: device.created.rfc3339(),
            expires_at: device.expires.rfc3339(),
        };
        Self {
            rule: of.rule.into(),
            totp_since: of.totp.map(model::Micros::rfc3339),
            passkeys: of.passkeys.into_iter().map(Into::into).collect(),
            recovery_codes_left: of.recovery_codes,
            browsers: of.devices.into_iter().map(browser).collect(),
        }
    }
}
