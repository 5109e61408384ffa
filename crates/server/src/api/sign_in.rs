//! Signing in elsewhere: by providers of identities.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// What a button at the door needs.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SignInProvider {
    pub id: String,
    pub name: String,
}

/// In the order of their buttons.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SignInProviderList {
    pub providers: Vec<SignInProvider>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInBegin {
    /// The path of our own pages to come back to; left out, or of another site, the first page.
    #[serde(default)]
    pub next: Option<String>,
    /// `true`: the provider asks who it is, also whom it knows still. A locked browser is always asked.
    #[serde(default)]
    pub again: Option<bool>,
}

/// Where the browser goes.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SignInBegun {
    pub url: String,
}

/// Where to go then.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SignInNext {
    /// The path of our own pages; left out, or of another site, the first page.
    #[serde(default)]
    pub next: Option<String>,
}

/// What the provider sends along (RFC 6749, section 4.1.2; RFC 9207).
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SignInReturned {
    #[serde(default)]
    pub state: Option<String>,
    #[serde(default)]
    pub code: Option<String>,
    #[serde(default)]
    pub error: Option<String>,
    #[serde(default)]
    pub error_description: Option<String>,
    #[serde(default)]
    pub iss: Option<String>,
}
