//! Who somebody is in a directory.

use crate::{
    DirectoryError, Outcome, QUESTION_TIME_MAX,
    ask::{Asking, Entry, escaped},
};
use ldap3::{dn_escape, ldap_escape};
use oriel_model::{DirectoryKind, DirectorySettings, fold_dn};
use secrecy::{ExposeSecret, SecretString};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Names that are looked for are no longer than this, in characters.
const NAME_CHARS_MAX: usize = 256;
/// People looked up in one question.
const PEOPLE_AT_ONCE: usize = 25;

/// Somebody of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub dn: String,
    /// What stays when names change.
    pub external_id: String,
    /// What they sign in with.
    pub name: String,
    /// Disabled, locked for good, or expired.
    pub disabled: bool,
    /// Also those by way of others, by name.
    pub groups: Vec<FoundGroup>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundGroup {
    pub dn: String,
}

impl Found {
    /// Whether they are in the group of that name, however it is written.
    pub fn is_in(&self, dn: &str) -> bool {
        let wanted = fold_dn(dn);
        self.groups.iter().any(|group| fold_dn(&group.dn) == wanted)
    }
}

/// In a task of its own and in time: the library takes a server at its word about the shape of what it sends.
async fn in_time<T: Send + 'static>(
    url: &str,
    question: impl Future<Output = Result<T, DirectoryError>> + Send + 'static,
) -> Result<T, DirectoryError> {
    let mut asking = tokio::spawn(question);
    match tokio::time::timeout(QUESTION_TIME_MAX, &mut asking).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(DirectoryError::Garbled { url: url.to_owned() }),
        Err(_) => {
            asking.abort();
            Err(DirectoryError::Late { url: url.to_owned() })
        }
    }
}

pub(crate) async fn sign_in(
    settings: DirectorySettings,
    service: Option<SecretString>,
    name: String,
    password: SecretString,
) -> Result<Outcome, DirectoryError> {
    if password.expose_secret().is_empty() || name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        return Ok(Outcome::Wrong);
    }
    let url = settings.url.clone();
    in_time(&url, async move {
        let mut asking = Asking::begin(&settings).await?;
        if let Some(template) = &settings.template {
            return with_template(&mut asking, template, &name, &password).await;
        }
        as_service(&mut asking, service.as_ref()).await?;
        let Some(entry) = only(&mut asking, &name).await? else { return Ok(Outcome::Unknown) };
        let found = whole(&mut asking, entry).await?;
        match asking.bind(&found.dn, password.expose_secret()).await? {
            Ok(()) => Ok(Outcome::Right(found)),
            Err(_) => Ok(Outcome::Wrong),
        }
    })
    .await
}

pub(crate) async fn look_up(
    settings: DirectorySettings,
    service: Option<SecretString>,
    name: String,
) -> Result<Option<Found>, DirectoryError> {
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        return Ok(None);
    }
    let url = settings.url.clone();
    in_time(&url, async move {
        let mut asking = Asking::begin(&settings).await?;
        as_service(&mut asking, service.as_ref()).await?;
        match only(&mut asking, &name).await? {
            Some(entry) => whole(&mut asking, entry).await.map(Some),
            None => Ok(None),
        }
    })
    .await
}

pub(crate) async fn look_again(
    settings: DirectorySettings,
    service: Option<SecretString>,
    ids: Vec<String>,
) -> Result<Vec<(String, Result<Found, DirectoryError>)>, DirectoryError> {
    let url = settings.url.clone();
    // As many questions as there are bunches of people, each in time.
    let mut all = Vec::new();
    for some in ids.chunks(PEOPLE_AT_ONCE) {
        let (settings, service, some) = (settings.clone(), service.clone(), some.to_vec());
        let found = in_time(&url, async move {
            let mut asking = Asking::begin(&settings).await?;
            as_service(&mut asking, service.as_ref()).await?;
            let wanted: String = some.iter().filter_map(|id| by_id(settings.kind, id)).collect();
            let entries = asking.people(&format!("(|{wanted})"), PEOPLE_AT_ONCE).await?;
            let mut found = Vec::new();
            for entry in entries {
                let id = external_id(settings.kind, &entry)?;
                match whole(&mut asking, entry).await {
                    Err(error) if !error.is_of_person() => return Err(error),
                    known => found.push((id, known)),
                }
            }
            Ok(found)
        })
        .await?;
        all.extend(found);
    }
    Ok(all)
}

async fn as_service(asking: &mut Asking<'_>, password: Option<&SecretString>) -> Result<(), DirectoryError> {
    let refused = |why: String, url: &str| DirectoryError::Service { url: url.to_owned(), why };
    let url = asking.settings.url.clone();
    let Some(name) = asking.settings.bind_dn.clone() else {
        return Err(refused("there is none: people are bound by a template".to_owned(), &url));
    };
    let password = password.map(ExposeSecret::expose_secret).unwrap_or_default();
    asking.bind(&name, password).await?.map_err(|why| refused(why, &url))
}

/// The person binds first, and looks themselves up. What is found must be who has bound: a filter could find a namesake elsewhere.
async fn with_template(
    asking: &mut Asking<'_>,
    template: &str,
    name: &str,
    password: &SecretString,
) -> Result<Outcome, DirectoryError> {
    let is_dn = template.contains('=');
    let bound = if is_dn { template.replace("{name}", &dn_escape(name)) } else { template.replace("{name}", name) };
    if asking.bind(&bound, password.expose_secret()).await?.is_err() {
        return Ok(Outcome::Wrong);
    }
    let Some(entry) = only(asking, name).await? else { return Ok(Outcome::Unknown) };
    let same = if is_dn {
        fold_dn(&entry.dn) == fold_dn(&bound)
    } else {
        entry.text("userPrincipalName").is_some_and(|upn| upn.to_lowercase() == bound.to_lowercase())
    };
    if same { whole(asking, entry).await.map(Outcome::Right) } else { Ok(Outcome::Unknown) }
}

/// The one whom a name means.
async fn only(asking: &mut Asking<'_>, name: &str) -> Result<Option<Entry>, DirectoryError> {
    let filter = asking.settings.filter().replace("{name}", &ldap_escape(name));
    let mut found = asking.people(&filter, 2).await?;
    match found.len() {
        0 | 1 => Ok(found.pop()),
        count => {
            Err(DirectoryError::Several { what: format!("{:?}", name.chars().take(64).collect::<String>()), count })
        }
    }
}

/// What tells people apart when names change.
fn external_id(kind: DirectoryKind, entry: &Entry) -> Result<String, DirectoryError> {
    let (id, attribute) = match kind {
        DirectoryKind::Ldap => (entry.text("entryUUID").map(str::to_lowercase), "entryUUID"),
        DirectoryKind::ActiveDirectory => (entry.bytes("objectGUID").and_then(guid), "objectGUID"),
    };
    id.ok_or_else(|| DirectoryError::NoId { dn: entry.dn.clone(), attribute })
}

async fn whole(asking: &mut Asking<'_>, entry: Entry) -> Result<Found, DirectoryError> {
    let kind = asking.settings.kind;
    let external_id = external_id(kind, &entry)?;
    let (name, attribute) = match kind {
        DirectoryKind::Ldap => (entry.text("uid").or_else(|| entry.text("cn")), "uid"),
        DirectoryKind::ActiveDirectory => (entry.text("sAMAccountName"), "sAMAccountName"),
    };
    let name = name.ok_or_else(|| DirectoryError::NoId { dn: entry.dn.clone(), attribute })?.to_owned();
    let groups = asking.groups(&entry).await?;
    Ok(Found {
        disabled: disabled(&entry, SystemTime::now()),
        dn: entry.dn,
        external_id,
        name,
        groups: groups.into_values().map(|dn| FoundGroup { dn }).collect(),
    })
}

/// Sixteen bytes as Active Directory writes them: the first three parts with the least byte first ([MS-DTYP] 2.3.4.2).
fn guid(bytes: &[u8]) -> Option<String> {
    Some(uuid::Uuid::from_bytes_le(bytes.try_into().ok()?).to_string())
}

/// A filter for one id; ids are ours to write, and still nothing in them is taken for a filter.
fn by_id(kind: DirectoryKind, id: &str) -> Option<String> {
    match kind {
        DirectoryKind::Ldap => Some(format!("(entryUUID={})", ldap_escape(id))),
        DirectoryKind::ActiveDirectory => {
            let bytes = uuid::Uuid::parse_str(id).ok()?.to_bytes_le();
            Some(format!("(objectGUID={})", escaped(&bytes)))
        }
    }
}

/// Whether a directory would let nobody in there: for accounts that nobody signs in with at this moment.
fn disabled(entry: &Entry, now: SystemTime) -> bool {
    // ACCOUNTDISABLE, [MS-ADTS] 2.2.16.
    let control = entry.text("userAccountControl").and_then(|text| text.parse::<u32>().ok()).unwrap_or_default();
    // Ticks of 100 ns since 1601; 0 and the largest number are never.
    let expires = entry.text("accountExpires").and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
    let since_1601 = Duration::from_hours(3_234_576) + now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let ticks = u64::try_from(since_1601.as_nanos() / 100).unwrap_or(u64::MAX);
    let expired = expires != 0 && expires < i64::MAX.unsigned_abs() && expires <= ticks;
    let locked = entry.text("nsAccountLock").is_some_and(|text| text.eq_ignore_ascii_case("true"));
    // Locked by an administrator, for good: draft-behera-ldap-password-policy, section 5.3.3.
    let for_good = entry.text("pwdAccountLockedTime").is_some_and(|at| at.starts_with("000001010000Z"));
    control & 2 != 0 || expired || locked || for_good
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn ids_of_active_directory_are_read_and_asked_for() {
        let bytes: Vec<u8> = (0..16).collect();
        let id = guid(&bytes).unwrap();
        assert_eq!(id, "03020100-0504-0706-0809-0a0b0c0d0e0f");
        let filter = by_id(DirectoryKind::ActiveDirectory, &id).unwrap();
        assert!(filter.starts_with("(objectGUID=\\00\\01\\02\\03") && filter.ends_with("\\0e\\0f)"), "{filter}");
        assert_eq!(guid(&bytes[..15]), None);
        assert_eq!(by_id(DirectoryKind::ActiveDirectory, "*"), None);
        assert_eq!(by_id(DirectoryKind::Ldap, "*)(uid=*").unwrap(), "(entryUUID=\\2a\\29\\28uid=\\2a)");
    }
}
