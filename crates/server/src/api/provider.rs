//! Where people sign in who do not do it here: providers that speak OpenID Connect.

use super::user::Role;
use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a provider is asked.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderSettings {
    /// As the provider calls itself, to the last sign: `https://HOST[:PORT][/PATH]`.
    pub issuer: String,
    /// Who we are there.
    pub client_id: String,
    /// Who signs its certificate, as PEM; left out, whom the server trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// SHA-256 of its certificate in 64 lowercase hexadecimal digits, in place of a CA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
    /// What is asked for beside `openid`, such as `profile` and `groups`.
    #[serde(default)]
    #[schema(required)]
    pub scopes: Vec<String>,
    /// The claim with the person's name here; left out, `preferred_username`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_claim: Option<String>,
    /// The claim with their groups; left out, `groups`. Dots go into objects: `realm_access.roles`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups_claim: Option<String>,
    /// Only who is in a group that is mapped may sign in.
    #[serde(default)]
    #[schema(required)]
    pub only_mapped: bool,
    /// Which groups of the provider are which groups here.
    #[serde(default)]
    #[schema(required)]
    pub groups: Vec<ClaimedGroup>,
    /// The first that fits says the role, `user` where none does. Empty: roles are given here.
    #[serde(default)]
    #[schema(required)]
    pub roles: Vec<ClaimedRole>,
    /// The provider asks people who they are at each sign-in, also those whom it knows still.
    #[serde(default)]
    #[schema(required)]
    pub ask_again: bool,
    /// A token with one of these as `acr` shows that its person gave a second factor there.
    #[serde(default)]
    #[schema(required)]
    pub factor_acr: Vec<String>,
    /// The same, with one of these in `amr`.
    #[serde(default)]
    #[schema(required)]
    pub factor_amr: Vec<String>,
}

/// Whoever has that value in the claim of groups is a member of this group.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimedGroup {
    pub value: String,
    /// The group here: id or name when sent, id when answered.
    pub group: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimedRole {
    pub value: String,
    /// Any but `pool_admin`.
    pub role: Role,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Provider {
    pub id: String,
    pub name: String,
    /// One that is not has no button: nobody signs in by it.
    pub enabled: bool,
    pub settings: ProviderSettings,
    /// Whether the client's secret is kept.
    pub has_secret: bool,
    /// People here who come from it.
    pub people: u64,
    /// Where browsers come back to, below the address of our pages: what is entered at the provider.
    pub callback_path: String,
    /// RFC 3339.
    pub created_at: String,
}

/// In the order of their buttons.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProviderList {
    pub providers: Vec<Provider>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderNew {
    /// 1 to 60 characters without slashes, compared without case; what the button says.
    pub name: String,
    pub settings: ProviderSettings,
    /// The client's; left out by a client that is known by its name alone.
    #[serde(default)]
    #[schema(format = Password)]
    pub secret: Option<String>,
}

/// What to change; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderChange {
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub enabled: Option<bool>,
    /// As a whole.
    #[serde(default)]
    pub settings: Option<ProviderSettings>,
    /// Needed again when issuer, certificate or client change; an empty one takes it away.
    #[serde(default)]
    #[schema(format = Password)]
    pub secret: Option<String>,
}

/// What a provider says of itself. Nothing was changed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProviderAnswer {
    pub authorization_endpoint: String,
    pub token_endpoint: String,
    #[serde(default)]
    #[schema(required)]
    pub userinfo_endpoint: Option<String>,
    /// Keys that can verify its tokens.
    pub keys: u64,
    pub algorithms: Vec<String>,
    /// Whether it says that it knows PKCE, which is used in any case.
    pub knows_pkce: bool,
    /// Why it does not take us for who we say we are; `null` when it does.
    #[serde(default)]
    #[schema(required)]
    pub client_refused: Option<String>,
}

impl From<model::ProviderSettings> for ProviderSettings {
    fn from(of: model::ProviderSettings) -> Self {
        let groups = of.groups.into_iter();
        let roles = of.roles.into_iter();
        Self {
            issuer: of.issuer,
            client_id: of.client_id,
            ca: of.ca,
            pin: of.pin,
            scopes: of.scopes,
            name_claim: of.name_claim,
            groups_claim: of.groups_claim,
            only_mapped: of.only_mapped,
            groups: groups.map(|one| ClaimedGroup { value: one.value, group: one.group.to_string() }).collect(),
            roles: roles.map(|one| ClaimedRole { value: one.value, role: one.role.into() }).collect(),
            ask_again: of.ask_again,
            factor_acr: of.factor_acr,
            factor_amr: of.factor_amr,
        }
    }
}

impl ProviderSettings {
    /// `groups`: those that are mapped, looked up.
    pub fn into_model(self, groups: Vec<model::ClaimedGroup>) -> model::ProviderSettings {
        let roles = self.roles.into_iter();
        model::ProviderSettings {
            issuer: self.issuer,
            client_id: self.client_id,
            ca: self.ca,
            pin: self.pin,
            scopes: self.scopes,
            name_claim: self.name_claim,
            groups_claim: self.groups_claim,
            only_mapped: self.only_mapped,
            groups,
            roles: roles.map(|one| model::ClaimedRole { value: one.value, role: one.role.into() }).collect(),
            ask_again: self.ask_again,
            factor_acr: self.factor_acr,
            factor_amr: self.factor_amr,
        }
    }
}
