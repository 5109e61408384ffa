//! Who is asking.

use crate::api::problem::Problem;
use axum::{extract::FromRequestParts, http::request::Parts};
use oriel_model::{ApiToken, Desktop, Grants, Micros, Permission, PoolId, Role, User, UserId, WebSession};
use std::collections::BTreeSet;

/// How they showed who they are.
#[derive(Clone, Debug)]
pub enum Via {
    Browser(WebSession),
    Program(ApiToken),
    /// The unix socket.
    Local,
}

/// Somebody whom the guard let in.
#[derive(Clone, Debug)]
pub struct Caller {
    pub user: User,
    pub via: Via,
    /// What their role and their token let them do.
    pub grants: Grants,
}

impl Caller {
    /// This machine's administrator, who has no account.
    pub fn local() -> Self {
        let user = User {
            id: UserId(uuid::Uuid::nil()),
            name: "local".to_owned(),
            role: Role::Admin,
            must_change_password: false,
            disabled: false,
            created: Micros(0),
        };
        let grants = Grants::of(user.role, BTreeSet::new());
        Self { user, via: Via::Local, grants }
    }

    pub fn may(&self, permission: Permission) -> bool {
        self.grants.may(permission)
    }

    pub fn may_in(&self, permission: Permission, pool: PoolId) -> bool {
        self.grants.may_in(permission, pool)
    }

    /// Whose doing a change is; nobody's account for the local administrator.
    pub fn account(&self) -> Option<UserId> {
        match self.via {
            Via::Local => None,
            Via::Browser(_) | Via::Program(_) => Some(self.user.id),
        }
    }

    /// What tickets are bound to.
    pub fn session_sha256(&self) -> Option<&str> {
        match &self.via {
            Via::Browser(session) => Some(&session.token_sha256),
            Via::Program(token) => Some(&token.token_sha256),
            Via::Local => None,
        }
    }

    /// The account, for what only accounts can have.
    pub fn person(&self) -> Result<&User, Problem> {
        match self.via {
            Via::Local => Err(Problem::new(
                axum::http::StatusCode::CONFLICT,
                "no_account",
                "the local administrator has no account, and this belongs to one",
                "sign in as somebody: --server URL with a token of theirs, or the browser",
            )),
            Via::Browser(_) | Via::Program(_) => Ok(&self.user),
        }
    }
}

/// The guard puts the caller there before any handler runs.
impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::not_signed_in)
    }
}

/// The desktop that the path names, which the caller may use.
#[derive(Clone, Debug)]
pub struct TheDesktop(pub Desktop);

impl<S: Send + Sync> FromRequestParts<S> for TheDesktop {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::not_found("desktop"))
    }
}
