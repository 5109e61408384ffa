//! Signing in, and who is signed in.

use super::{
    second_factor::{FactorKind, SignInStep},
    user::Role,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A name and a password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    pub name: String,
    #[schema(format = Password)]
    pub password: String,
}

/// The person who is signed in.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Me {
    pub id: String,
    pub name: String,
    pub role: Role,
    /// What the role gives, everywhere or for `pools`.
    #[serde(default)]
    #[schema(required)]
    pub permissions: Vec<String>,
    /// The pools of a pool admin: what is of pools is theirs in these only.
    #[serde(default)]
    #[schema(required)]
    pub pools: Vec<String>,
    /// The directory that keeps the password, which is changed there; `null` for people who were made here.
    #[serde(default)]
    #[schema(required)]
    pub directory: Option<String>,
    /// The provider by which they sign in, and which keeps their password; `null` for everybody else.
    #[serde(default)]
    #[schema(required)]
    pub provider: Option<String>,
    /// Until the password is changed, everything else answers 403 `password_change_required`.
    pub must_change_password: bool,
    /// Nobody touched a desktop for too long: until `unlock`, everything else answers 403 `locked`.
    pub locked: bool,
    /// Until it is `done`, everything but going on at the door answers 403 `second_factor_needed`.
    pub step: SignInStep,
    /// Whether a browser that asks for it is remembered at the second factor.
    pub may_remember: bool,
    /// With what it goes on while `step` is `factor`, beside recovery codes; empty otherwise.
    #[serde(default)]
    #[schema(required)]
    pub factors: Vec<FactorKind>,
    /// Goes back in the header `X-Oriel-Csrf` with every change; empty for programs, which need none.
    pub csrf: String,
}

/// A new password, confirmed by the current one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    #[schema(format = Password)]
    pub current: String,
    /// 10 to 200 characters.
    #[schema(format = Password)]
    pub new: String,
}

/// The password of the person whose session is locked.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Unlock {
    #[schema(format = Password)]
    pub password: String,
}
