//! People of an LDAP directory or of Active Directory: who somebody is there, whether their password is right, and which groups they
//! are in, also by way of other groups.
//!
//! ```text
//!  question ─▶ dial: TCP, TLS or StartTLS, a pin or who signs ─▶ guard: whole messages, bounded and well-formed ─▶ ldap3 ─▶ answer
//! ```
//! One connection a question, with one deadline for all of it. What a server sends is measured and walked by [`guard`] before the
//! library reads it, and the library runs in a task of its own: a server that sends nonsense costs an error.

mod ask;
mod dial;
mod guard;
mod person;

pub use ask::{GROUP_DEPTH_MAX, GROUPS_MAX};
pub use guard::{MESSAGE_BYTES_MAX, SESSION_BYTES_MAX};
pub use person::{Found, FoundGroup};

use oriel_model::DirectorySettings;
use secrecy::SecretString;
use std::time::Duration;

/// How long a question may take, from dialling to the last answer.
pub const QUESTION_TIME_MAX: Duration = Duration::from_secs(15);

#[derive(Clone, Debug, thiserror::Error)]
pub enum DirectoryError {
    #[error("cannot reach {url} ({why}): check the address, and that the directory runs and no firewall is between")]
    Unreachable { url: String, why: String },
    #[error("{url} did not answer in {} seconds: look at the directory's load, and at the network", QUESTION_TIME_MAX.as_secs())]
    Late { url: String },
    #[error("no trusted TLS with {url} ({why}): give the CA that signs its certificate, or the certificate's pin")]
    Tls { url: String, why: String },
    #[error("{url} refuses the service account ({why}): check its name and its password")]
    Service { url: String, why: String },
    #[error("{url} refused a question ({why}): check the base, the filter, and what the account may read")]
    Refused { url: String, why: String },
    #[error("{url} sent something that is no LDAP: check that a directory listens there")]
    Garbled { url: String },
    #[error("{what} fits {count} people of the directory: narrow the filter or the base so that it fits one")]
    Several { what: String, count: usize },
    #[error(
        "{dn} has no {attribute} that the account may read: names change, so people are told apart by it; let the account read it"
    )]
    NoId { dn: String, attribute: &'static str },
    #[error("{dn} is in more than {GROUPS_MAX} groups, also by way of others: set a narrower base for groups")]
    TooManyGroups { dn: String },
}

impl DirectoryError {
    /// It says something of one person, and nothing of the others.
    pub(crate) fn is_of_person(&self) -> bool {
        matches!(self, Self::NoId { .. } | Self::TooManyGroups { .. })
    }
}

/// What came of a name and a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is them. They may be disabled still, where the directory lets such people bind.
    Right(Found),
    /// The directory knows them, and not with this password; or will not let them in.
    Wrong,
    /// Nobody of that name is there.
    Unknown,
}

/// Whether this is the password of that name. An empty one is always wrong: directories take it for nobody in particular and say yes
/// (RFC 4513, section 5.1.2).
pub async fn sign_in(
    settings: &DirectorySettings,
    service: Option<&SecretString>,
    name: &str,
    password: &SecretString,
) -> Result<Outcome, DirectoryError> {
    person::sign_in(settings.clone(), service.cloned(), name.to_owned(), password.clone()).await
}

/// Who has that name, as the service account sees it. Without one (a template), nobody can be looked up.
pub async fn look_up(
    settings: &DirectorySettings,
    service: Option<&SecretString>,
    name: &str,
) -> Result<Option<Found>, DirectoryError> {
    person::look_up(settings.clone(), service.cloned(), name.to_owned()).await
}

/// Those of these people, by their ids of the directory, that are still there; an error in place of those about whom it cannot say all.
pub async fn look_again(
    settings: &DirectorySettings,
    service: Option<&SecretString>,
    ids: &[String],
) -> Result<Vec<(String, Result<Found, DirectoryError>)>, DirectoryError> {
    person::look_again(settings.clone(), service.cloned(), ids.to_vec()).await
}
