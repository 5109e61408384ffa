//! Passkeys. What browsers are asked, and what they answer, has the names of WebAuthn's own JSON (Web Authentication, level 3, sections
//! 5.1 and 5.5), so that `PublicKeyCredential.parseCreationOptionsFromJSON` and `toJSON` fit.

use oriel_broker as broker;
use oriel_identity::passkey::PASSKEY_ALGORITHMS;
use oriel_model as model;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How long browsers wait for a person, in milliseconds.
const TIMEOUT_MS: u32 = (oriel_broker::PASSKEY_SECONDS * 1000) as u32;

/// A passkey, without what tells its signatures.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Passkey {
    pub id: String,
    /// What its person calls it.
    pub label: String,
    /// The host that it was made on, and works on.
    pub host: String,
    /// It works without a password.
    pub alone: bool,
    /// It may be copied to its person's other devices.
    pub synced: bool,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339; `null` when it was not used yet.
    #[serde(default)]
    #[schema(required)]
    pub last_used_at: Option<String>,
}

impl From<model::Passkey> for Passkey {
    fn from(of: model::Passkey) -> Self {
        Self {
            id: of.id.to_string(),
            label: of.label,
            host: of.rp_id,
            alone: of.alone,
            synced: of.synced,
            created_at: of.created.rfc3339(),
            last_used_at: of.last_used.map(model::Micros::rfc3339),
        }
    }
}

/// `PublicKeyCredentialDescriptorJSON`: a passkey that is there.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PasskeyDescriptor {
    /// base64url.
    pub id: String,
    /// `public-key`.
    #[serde(rename = "type")]
    pub kind: String,
    pub transports: Vec<String>,
}

fn descriptors(of: Vec<model::Passkey>) -> Vec<PasskeyDescriptor> {
    of.into_iter()
        .map(|one| PasskeyDescriptor {
            id: one.credential_id,
            kind: "public-key".to_owned(),
            transports: one.transports,
        })
        .collect()
}

/// `PublicKeyCredentialRequestOptionsJSON`: what an authenticator is to sign.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasskeyRequestOptions {
    /// base64url.
    pub challenge: String,
    /// Milliseconds.
    pub timeout: u32,
    pub rp_id: String,
    /// Empty at the door: authenticators look for themselves.
    pub allow_credentials: Vec<PasskeyDescriptor>,
    /// `required` or `preferred`.
    pub user_verification: String,
}

/// A question for an authenticator.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PasskeyQuestion {
    pub options: PasskeyRequestOptions,
    /// Goes back with the answer, from the same browser, within five minutes and once. Empty at the door, where a cookie is set instead.
    pub envelope: String,
}

impl PasskeyQuestion {
    /// `envelope`: whether it goes in the answer.
    pub fn new(ask: broker::PasskeyAsk, envelope: bool) -> Self {
        Self {
            options: PasskeyRequestOptions {
                challenge: ask.challenge,
                timeout: TIMEOUT_MS,
                rp_id: ask.rp_id,
                allow_credentials: descriptors(ask.allowed),
                user_verification: if ask.verified { "required" } else { "preferred" }.to_owned(),
            },
            envelope: if envelope { ask.envelope.expose_secret().to_owned() } else { String::new() },
        }
    }
}

/// Who we are to authenticators.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PasskeyParty {
    pub id: String,
    pub name: String,
}

/// Who somebody is to authenticators.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasskeyUser {
    /// base64url, random.
    pub id: String,
    pub name: String,
    pub display_name: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PasskeyAlgorithm {
    /// `public-key`.
    #[serde(rename = "type")]
    pub kind: String,
    /// A number of IANA's registry "COSE Algorithms".
    pub alg: i64,
}

/// What is asked of an authenticator that may be asked without a name.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasskeySelection {
    /// `preferred`.
    pub resident_key: String,
    /// `preferred`.
    pub user_verification: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasskeyExtensions {
    /// Browsers say whether the passkey is found by itself.
    pub cred_props: bool,
}

/// `PublicKeyCredentialCreationOptionsJSON`: what an authenticator is to make.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasskeyCreationOptions {
    pub rp: PasskeyParty,
    pub user: PasskeyUser,
    /// base64url.
    pub challenge: String,
    pub pub_key_cred_params: Vec<PasskeyAlgorithm>,
    /// Milliseconds.
    pub timeout: u32,
    /// The person's own: an authenticator that has one makes no other.
    pub exclude_credentials: Vec<PasskeyDescriptor>,
    pub authenticator_selection: PasskeySelection,
    /// `none`.
    pub attestation: String,
    pub extensions: PasskeyExtensions,
}

/// A passkey that is to be made.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PasskeyToMake {
    pub options: PasskeyCreationOptions,
    /// Goes back with what was made, from the same browser, within five minutes and once.
    pub envelope: String,
}

impl PasskeyToMake {
    pub fn new(of: broker::PasskeyCreation, user: &model::User) -> Self {
        let algorithm = |alg: &i64| PasskeyAlgorithm { kind: "public-key".to_owned(), alg: *alg };
        Self {
            options: PasskeyCreationOptions {
                rp: PasskeyParty { id: of.rp_id, name: "Oriel".to_owned() },
                user: PasskeyUser { id: of.user_handle, name: user.name.clone(), display_name: user.name.clone() },
                challenge: of.challenge,
                pub_key_cred_params: PASSKEY_ALGORITHMS.iter().map(algorithm).collect(),
                timeout: TIMEOUT_MS,
                exclude_credentials: descriptors(of.known),
                authenticator_selection: PasskeySelection {
                    resident_key: "preferred".to_owned(),
                    user_verification: "preferred".to_owned(),
                },
                attestation: "none".to_owned(),
                extensions: PasskeyExtensions { cred_props: true },
            },
            envelope: of.envelope.expose_secret().to_owned(),
        }
    }
}

/// `RegistrationResponseJSON`: what was made. Browsers send more, which is not looked at.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasskeyMadeCredential {
    pub response: PasskeyMadeResponse,
    #[serde(default)]
    pub client_extension_results: Option<PasskeyExtensionResults>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasskeyMadeResponse {
    /// base64url.
    #[serde(rename = "clientDataJSON")]
    pub client_data: String,
    /// base64url.
    pub attestation_object: String,
    #[serde(default)]
    pub transports: Option<Vec<String>>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasskeyExtensionResults {
    #[serde(default)]
    pub cred_props: Option<PasskeyProperties>,
}

#[derive(Deserialize, ToSchema)]
pub struct PasskeyProperties {
    /// It is found without being told who signs in.
    #[serde(default)]
    pub rk: Option<bool>,
}

/// `AuthenticationResponseJSON`: a signature. Browsers send more, which is not looked at.
#[derive(Deserialize, ToSchema)]
pub struct PasskeyCredential {
    /// base64url.
    pub id: String,
    pub response: PasskeyResponse,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasskeyResponse {
    /// base64url.
    #[serde(rename = "clientDataJSON")]
    pub client_data: String,
    /// base64url.
    pub authenticator_data: String,
    /// base64url.
    pub signature: String,
    /// base64url.
    #[serde(default)]
    pub user_handle: Option<String>,
}

impl PasskeyCredential {
    pub fn shown(self, envelope: String) -> broker::PasskeyShown {
        broker::PasskeyShown {
            envelope,
            credential_id: self.id,
            client_data: self.response.client_data,
            authenticator_data: self.response.authenticator_data,
            signature: self.response.signature,
            user_handle: self.response.user_handle.filter(|handle| !handle.is_empty()),
        }
    }
}

/// A passkey, at the door, in place of name and password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeyLogin {
    pub credential: PasskeyCredential,
}

/// A passkey beside the password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeyFactor {
    pub envelope: String,
    pub credential: PasskeyCredential,
    /// `true`: this browser is not asked for 30 days, unless a group of the person asks every time.
    #[serde(default)]
    pub remember: Option<bool>,
}

/// A passkey that was made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeyNew {
    pub envelope: String,
    /// 1 to 60 characters; where it is kept.
    pub label: String,
    pub credential: PasskeyMadeCredential,
}

impl PasskeyNew {
    pub fn into_parts(self) -> (String, broker::NewPasskey) {
        let results = self.credential.client_extension_results;
        let discoverable = results.and_then(|results| results.cred_props).and_then(|props| props.rk) == Some(true);
        let response = self.credential.response;
        let new = broker::NewPasskey {
            label: self.label,
            client_data: response.client_data,
            attestation: response.attestation_object,
            transports: response.transports.unwrap_or_default(),
            discoverable,
        };
        (self.envelope, new)
    }
}

/// A passkey that is kept now.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct PasskeyAdded {
    pub passkey: Passkey,
    /// Recovery codes, where this is the first second factor; shown here and never again.
    pub codes: Vec<String>,
}
