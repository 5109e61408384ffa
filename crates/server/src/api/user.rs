//! People.

use super::Named;
use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mirror! {
    /// What a person may do.
    Role = model::Role {
        /// Everything.
        Admin,
        /// What belongs to them.
        User,
        /// Sees everybody's desktops and connections, switches desktops on and off, ends connections, looks on as pools allow.
        Helpdesk,
        /// Administers some pools with all that is in them.
        PoolAdmin,
        /// Sees everything, recordings too, and changes nothing.
        Auditor,
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct User {
    pub id: String,
    pub name: String,
    pub role: Role,
    pub disabled: bool,
    pub must_change_password: bool,
    /// An authenticator app or a passkey is set up.
    #[serde(default)]
    #[schema(required)]
    pub second_factor: bool,
    /// How many passkeys they have.
    #[serde(default)]
    #[schema(required)]
    pub passkeys: u64,
    /// The directory that they come from and that keeps their password; `null` for people who were made here.
    #[serde(default)]
    #[schema(required)]
    pub directory: Option<String>,
    /// The provider by which they sign in; `null` for everybody else.
    #[serde(default)]
    #[schema(required)]
    pub provider: Option<String>,
    /// The groups that they are in, by name.
    #[serde(default)]
    #[schema(required)]
    pub groups: Vec<Named>,
    /// The pools that a pool admin administers, by name.
    #[serde(default)]
    #[schema(required)]
    pub pools: Vec<Named>,
    /// RFC 3339.
    pub created_at: String,
}

impl User {
    /// `passkeys`: how many, of who has a second factor at all.
    pub fn new(
        user: &model::User,
        groups: &[model::Group],
        pools: &[model::Pool],
        passkeys: Option<u64>,
        directory: Option<&str>,
        provider: Option<&str>,
    ) -> Self {
        Self {
            id: user.id.to_string(),
            name: user.name.clone(),
            role: user.role.into(),
            disabled: user.disabled,
            must_change_password: user.must_change_password,
            second_factor: passkeys.is_some(),
            passkeys: passkeys.unwrap_or_default(),
            directory: directory.map(str::to_owned),
            provider: provider.map(str::to_owned),
            groups: groups.iter().map(|group| Named::new(group.id, &group.name)).collect(),
            pools: pools.iter().map(|pool| Named::new(pool.id, &pool.name)).collect(),
            created_at: user.created.rfc3339(),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UserList {
    pub users: Vec<User>,
}

/// A new person. Without a password a one-time password is made and answered once.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserNew {
    pub name: String,
    pub role: Role,
    #[serde(default)]
    #[schema(format = Password)]
    pub password: Option<String>,
    /// Ids or names of the pools that a pool admin administers.
    #[serde(default)]
    pub pools: Option<Vec<String>>,
}

/// What to change; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    #[serde(default)]
    pub role: Option<Role>,
    /// Ids or names of the pools that a pool admin administers from now on.
    #[serde(default)]
    pub pools: Option<Vec<String>>,
    #[serde(default)]
    pub disabled: Option<bool>,
    /// `true` makes a one-time password and ends the person's sessions.
    #[serde(default)]
    pub reset_password: Option<bool>,
}

/// A person, and the one-time password that was made for them: shown here and never again.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct UserMade {
    pub user: User,
    #[serde(default)]
    #[schema(required)]
    pub one_time_password: Option<String>,
}
