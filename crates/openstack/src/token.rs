//! Keystone's tokens: asked for, read, and used up in good time.
//! <https://docs.openstack.org/api-ref/identity/v3/#authentication-and-token-management>

use crate::{
    AccessRule, Catalog, CredentialName, Domain, OpenStackError, Project, Service, SignIn, UserName,
    answer::read,
    catalog::WireService,
    http::{Answer, HEADER_BYTES_MAX},
};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A token is renewed this long before its end, or a tenth of its life before where that is less.
const RENEWED_BEFORE: Duration = Duration::from_mins(5);
/// Longest life that is believed.
const LIFE_MAX: Duration = Duration::from_hours(24 * 7);

#[derive(Debug)]
pub struct Token {
    pub(crate) value: SecretString,
    /// By our own clock: the cloud's may be another.
    renew_at: Instant,
    pub expires_at: Timestamp,
    pub life: Duration,
    /// How far the cloud's clock is ahead of ours, in seconds: by when it says that it made the token.
    pub ahead_seconds: i64,
    pub user: String,
    pub project: Option<String>,
    pub project_id: Option<String>,
    pub roles: Vec<String>,
    pub catalog: Catalog,
    /// None: signed in by password.
    pub application_credential: Option<ApplicationCredential>,
}

#[derive(Clone, Debug)]
pub struct ApplicationCredential {
    pub name: String,
    /// Not restricted: it may make further credentials.
    pub restricted: bool,
    /// None: whatever its user may do.
    pub access_rules: Option<Vec<AccessRule>>,
}

#[derive(Deserialize)]
struct WireAnswer {
    token: WireToken,
}

#[derive(Deserialize)]
struct WireToken {
    expires_at: Timestamp,
    issued_at: Timestamp,
    user: Named,
    project: Option<Named>,
    #[serde(default)]
    roles: Vec<Named>,
    #[serde(default)]
    catalog: Vec<WireService>,
    application_credential: Option<WireCredential>,
}

#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    id: String,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct WireCredential {
    #[serde(default)]
    name: String,
    #[serde(default)]
    restricted: bool,
    access_rules: Option<Vec<AccessRule>>,
}

impl Token {
    pub(crate) fn read(answer: &Answer) -> Result<Self, OpenStackError> {
        let action = "sign in";
        let not = |what: &str| OpenStackError::NotUnderstood {
            service: Service::Identity,
            action: action.to_owned(),
            what: what.to_owned(),
        };
        let value = answer
            .headers
            .get("X-Subject-Token")
            .and_then(|value| value.to_str().ok())
            .filter(|value| !value.is_empty() && value.len() <= HEADER_BYTES_MAX)
            .ok_or_else(|| not("no token"))?;
        let said: WireAnswer = read(Service::Identity, action, answer)?;
        let token = said.token;
        let life =
            Duration::try_from(token.expires_at.duration_since(token.issued_at)).unwrap_or_default().min(LIFE_MAX);
        let renew_at = Instant::now() + life.saturating_sub(RENEWED_BEFORE.min(life / 10));
        Ok(Self {
            value: SecretString::from(value.to_owned()),
            renew_at,
            expires_at: token.expires_at,
            life,
            ahead_seconds: token.issued_at.as_second() - Timestamp::now().as_second(),
            user: token.user.name,
            project_id: token.project.as_ref().map(|project| project.id.clone()),
            project: token.project.map(|project| project.name),
            roles: token.roles.into_iter().take(100).map(|role| role.name).collect(),
            catalog: token.catalog.into(),
            application_credential: token.application_credential.map(|one| ApplicationCredential {
                name: one.name,
                restricted: one.restricted,
                access_rules: one.access_rules,
            }),
        })
    }

    pub(crate) fn is_fresh(&self) -> bool {
        Instant::now() < self.renew_at
    }
}

/// The body of `POST /v3/auth/tokens`.
pub(crate) fn wish(sign_in: &SignIn) -> Value {
    let (identity, scope) = match sign_in {
        SignIn::ApplicationCredential { which, secret } => {
            let mut credential = match which {
                CredentialName::Id(id) => json!({"id": id}),
                CredentialName::Name { name, user: who } => json!({"name": name, "user": user(who)}),
            };
            put(&mut credential, "secret", secret.expose_secret().into());
            // It has its project in itself; naming one is an error.
            (json!({"methods": ["application_credential"], "application_credential": credential}), None)
        }
        SignIn::Password { user: who, password, project } => {
            let mut user = user(who);
            put(&mut user, "password", password.expose_secret().into());
            let scope = project.as_ref().map(|project| match project {
                Project::Id(id) => json!({"project": {"id": id}}),
                Project::Name { name, domain: of } => json!({"project": {"name": name, "domain": domain(of)}}),
            });
            (json!({"methods": ["password"], "password": {"user": user}}), scope)
        }
    };
    let mut auth = json!({"identity": identity});
    if let Some(scope) = scope {
        put(&mut auth, "scope", scope);
    }
    json!({"auth": auth})
}

fn put(object: &mut Value, key: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
}

fn user(user: &UserName) -> Value {
    match user {
        UserName::Id(id) => json!({"id": id}),
        UserName::Name { name, domain: of } => json!({"name": name, "domain": domain(of)}),
    }
}

fn domain(domain: &Domain) -> Value {
    match domain {
        Domain::Id(id) => json!({"id": id}),
        Domain::Name(name) => json!({"name": name}),
    }
}
