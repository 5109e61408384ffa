//! Programs that sign in (`Authorization: Bearer TOKEN`).

use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Token {
    pub id: String,
    pub label: String,
    pub created_at: String,
    /// Null: until it is deleted.
    #[schema(required)]
    pub expires_at: Option<String>,
    /// It changes nothing.
    #[serde(default)]
    #[schema(required)]
    pub read_only: bool,
    /// All that it may do of what its person may; null: everything.
    #[serde(default)]
    #[schema(required)]
    pub permissions: Option<Vec<String>>,
}

impl From<&model::ApiToken> for Token {
    fn from(token: &model::ApiToken) -> Self {
        Self {
            id: token.id.to_string(),
            label: token.label.clone(),
            created_at: token.created.rfc3339(),
            expires_at: token.expires.map(model::Micros::rfc3339),
            read_only: token.scope == model::TokenScope::ReadOnly,
            permissions: match &token.scope {
                model::TokenScope::Only(permissions) => Some(permissions.iter().map(ToString::to_string).collect()),
                model::TokenScope::All | model::TokenScope::ReadOnly => None,
            },
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TokenList {
    pub tokens: Vec<Token>,
}

/// A new token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenNew {
    /// What it is for, 1 to 80 characters.
    pub label: String,
    /// 1 to 3650; null or left out: until it is deleted.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 3650)]
    pub expires_in_days: Option<u32>,
    /// Whose it is, by id or name, for admins; the caller's own when left out.
    #[serde(default)]
    pub user: Option<String>,
    /// `true`: it changes nothing, and opens nothing.
    #[serde(default)]
    pub read_only: Option<bool>,
    /// All that it may do of what its person may, such as `desktops_operate`; everything when left out. Whatever it may, it makes no
    /// tokens and changes no password.
    #[serde(default)]
    pub permissions: Option<Vec<String>>,
}

impl TokenNew {
    /// The error is a sentence.
    pub fn scope(&self) -> Result<model::TokenScope, String> {
        match (&self.permissions, self.read_only == Some(true)) {
            (Some(_), true) => {
                Err("a token is either read-only or kept to permissions: name one of the two".to_owned())
            }
            (None, true) => Ok(model::TokenScope::ReadOnly),
            (None, false) => Ok(model::TokenScope::All),
            (Some(words), false) if words.is_empty() => Err("a token without a permission does nothing".to_owned()),
            (Some(words), false) => {
                Ok(model::TokenScope::Only(words.iter().map(|word| word.parse()).collect::<Result<_, _>>()?))
            }
        }
    }
}

/// The new token, shown once.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct TokenMade {
    pub id: String,
    pub label: String,
    pub token: String,
    #[schema(required)]
    pub expires_at: Option<String>,
}
