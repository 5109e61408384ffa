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
}

impl From<&model::ApiToken> for Token {
    fn from(token: &model::ApiToken) -> Self {
        Self {
            id: token.id.to_string(),
            label: token.label.clone(),
            created_at: token.created.rfc3339(),
            expires_at: token.expires.map(model::Micros::rfc3339),
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
