//! Questions on one connection: binding, searching, and which groups somebody is in.

use crate::{DirectoryError, dial};
use ldap3::{Ldap, LdapError, LdapResult, Scope, SearchEntry, SearchOptions, ldap_escape};
use oriel_model::{DirectoryKind, DirectorySettings, fold_dn};
use std::{collections::BTreeMap, fmt::Write as _};

/// Groups of one person, also by way of others.
pub const GROUPS_MAX: usize = 1000;
/// Groups within groups that are followed.
pub const GROUP_DEPTH_MAX: usize = 10;
/// Names in one question.
const NAMES_AT_ONCE: usize = 25;

/// The rule that follows groups within groups on the server ([MS-ADTS] 3.1.1.3.4.4.3).
const IN_CHAIN: &str = "1.2.840.113556.1.4.1941";

/// What is read of people.
const PERSON: [&str; 12] = [
    "uid",
    "cn",
    "sAMAccountName",
    "userPrincipalName",
    "entryUUID",
    "objectGUID",
    "objectSid",
    "primaryGroupID",
    "userAccountControl",
    "accountExpires",
    "nsAccountLock",
    "pwdAccountLockedTime",
];

pub(crate) struct Asking<'a> {
    pub settings: &'a DirectorySettings,
    ldap: Ldap,
}

/// An entry with the names of its attributes in lowercase: servers write them as they like.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    pub dn: String,
    values: BTreeMap<String, Vec<Vec<u8>>>,
}

impl Entry {
    pub fn bytes(&self, attribute: &str) -> Option<&[u8]> {
        self.values.get(&attribute.to_lowercase())?.first().map(Vec::as_slice)
    }

    pub fn text(&self, attribute: &str) -> Option<&str> {
        std::str::from_utf8(self.bytes(attribute)?).ok()
    }
}

impl From<SearchEntry> for Entry {
    fn from(entry: SearchEntry) -> Self {
        let mut values = BTreeMap::new();
        for (name, texts) in entry.attrs {
            values.insert(name.to_lowercase(), texts.into_iter().map(String::into_bytes).collect());
        }
        for (name, bytes) in entry.bin_attrs {
            values.insert(name.to_lowercase(), bytes);
        }
        Self { dn: entry.dn, values }
    }
}

impl<'a> Asking<'a> {
    pub async fn begin(settings: &'a DirectorySettings) -> Result<Self, DirectoryError> {
        Ok(Self { settings, ldap: dial::dial(settings).await? })
    }

    /// Whether the name and the password go together. Never asked with an empty password.
    pub async fn bind(&mut self, name: &str, password: &str) -> Result<Result<(), String>, DirectoryError> {
        if password.is_empty() {
            return Ok(Err("no password was given".to_owned()));
        }
        let bound = self.ldap.simple_bind(name, password).await.map_err(|error| self.broken(&error))?;
        match bound.rc {
            0 => Ok(Ok(())),
            // Not a word about the password: busy, unavailable, unwilling to perform, other.
            51 | 52 | 80 => Err(self.refused(&bound)),
            _ => Ok(Err(words(&bound))),
        }
    }

    pub async fn people(&mut self, filter: &str, most: usize) -> Result<Vec<Entry>, DirectoryError> {
        let base = self.settings.base.clone();
        self.search(&base, filter, PERSON.to_vec(), most).await
    }

    /// The names of the groups that this person is in, by folded name.
    pub async fn groups(&mut self, person: &Entry) -> Result<BTreeMap<String, String>, DirectoryError> {
        match self.settings.kind {
            DirectoryKind::ActiveDirectory => self.groups_in_chain(person).await,
            DirectoryKind::Ldap => self.groups_by_walking(person).await,
        }
    }

    async fn groups_in_chain(&mut self, person: &Entry) -> Result<BTreeMap<String, String>, DirectoryError> {
        let mut direct = format!("(member:{IN_CHAIN}:={})", ldap_escape(person.dn.as_str()));
        // The primary group has no list of members.
        if let Some(sid) = primary_group_sid(person) {
            let base = self.settings.group_base().to_owned();
            let found = self.search(&base, &format!("(objectSid={sid})"), vec!["cn"], 1).await?;
            for group in found {
                let dn = ldap_escape(group.dn);
                write!(direct, "(distinguishedName={dn})(member:{IN_CHAIN}:={dn})").ok();
            }
        }
        let mut groups = BTreeMap::new();
        self.add_groups(person, &format!("(&(objectClass=group)(|{direct}))"), &mut groups).await?;
        Ok(groups)
    }

    async fn groups_by_walking(&mut self, person: &Entry) -> Result<BTreeMap<String, String>, DirectoryError> {
        let mut groups = BTreeMap::new();
        let mut next = vec![person.dn.clone()];
        for depth in 0..=GROUP_DEPTH_MAX {
            let mut found = Vec::new();
            for names in next.chunks(NAMES_AT_ONCE) {
                let mut filter = String::from("(|");
                for name in names {
                    let name = ldap_escape(name.as_str());
                    write!(filter, "(member={name})(uniqueMember={name})").ok();
                }
                if let Some(uid) = person.text("uid").filter(|_| depth == 0) {
                    write!(filter, "(memberUid={})", ldap_escape(uid)).ok();
                }
                filter.push(')');
                found.extend(self.add_groups(person, &filter, &mut groups).await?);
            }
            if found.is_empty() {
                break;
            }
            next = found;
        }
        Ok(groups)
    }

    /// Adds what is found, and answers what is new.
    async fn add_groups(
        &mut self,
        person: &Entry,
        filter: &str,
        groups: &mut BTreeMap<String, String>,
    ) -> Result<Vec<String>, DirectoryError> {
        let too_many = || DirectoryError::TooManyGroups { dn: person.dn.clone() };
        let base = self.settings.group_base().to_owned();
        let found = self.search(&base, filter, vec!["cn"], GROUPS_MAX + 1).await?;
        let mut new = Vec::new();
        for group in found {
            if groups.insert(fold_dn(&group.dn), group.dn.clone()).is_none() {
                new.push(group.dn);
            }
        }
        if groups.len() > GROUPS_MAX { Err(too_many()) } else { Ok(new) }
    }

    /// At most so many entries, which may be fewer than there are.
    async fn search(
        &mut self,
        base: &str,
        filter: &str,
        attributes: Vec<&'static str>,
        most: usize,
    ) -> Result<Vec<Entry>, DirectoryError> {
        let limit = SearchOptions::new().sizelimit(i32::try_from(most).unwrap_or(i32::MAX));
        self.ldap.with_search_options(limit);
        let begun = self.ldap.streaming_search(base, Scope::Subtree, filter, attributes).await;
        let mut stream = begun.map_err(|error| self.broken(&error))?;
        let mut found: Vec<Entry> = Vec::new();
        while let Some(entry) = stream.next().await.map_err(|error| self.broken(&error))? {
            // Referrals to other servers are not followed.
            if entry.is_ref() || entry.is_intermediate() {
                continue;
            }
            if found.len() >= most {
                break;
            }
            found.push(SearchEntry::construct(entry).into());
        }
        let ended = stream.finish().await;
        match ended.rc {
            // Success; the limit that was given; what we left early.
            0 | 4 | 88 => Ok(found),
            _ => Err(self.refused(&ended)),
        }
    }

    fn refused(&self, result: &LdapResult) -> DirectoryError {
        DirectoryError::Refused { url: self.settings.url.clone(), why: words(result) }
    }

    fn broken(&self, error: &LdapError) -> DirectoryError {
        let url = self.settings.url.clone();
        match error {
            LdapError::LdapResult { result } => DirectoryError::Refused { url, why: words(result) },
            LdapError::FilterParsing => DirectoryError::Refused { url, why: "the filter cannot be read".to_owned() },
            _ => DirectoryError::Unreachable { url, why: error.to_string() },
        }
    }
}

/// A result in a few words: RFC 4511, appendix A.
fn words(result: &LdapResult) -> String {
    let name = match result.rc {
        1 => "operations error",
        8 => "stronger authentication required",
        32 => "no such object",
        34 => "invalid name",
        48 => "inappropriate authentication",
        49 => "invalid credentials",
        50 => "insufficient access rights",
        51 => "busy",
        52 => "unavailable",
        53 => "unwilling to perform",
        _ => "refused",
    };
    let said: String = result.text.chars().filter(|c| !c.is_control()).take(200).collect();
    if said.is_empty() { format!("{name}, code {}", result.rc) } else { format!("{name}, code {}: {said}", result.rc) }
}

/// Bytes as a filter writes them (RFC 4515, section 3).
pub(crate) fn escaped(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "\\{byte:02x}").ok();
        text
    })
}

/// The SID of the primary group as a filter writes bytes: the person's, with the group's number in place of their own
/// ([MS-DTYP] 2.4.2.2: the last four bytes, the least first).
fn primary_group_sid(person: &Entry) -> Option<String> {
    let sid = person.bytes("objectSid").filter(|sid| (12..=68).contains(&sid.len()))?;
    let group: u32 = person.text("primaryGroupID")?.parse().ok()?;
    let domain = sid.get(..sid.len().checked_sub(4)?)?;
    Some(escaped([domain, &group.to_le_bytes()].concat().as_slice()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn the_primary_group_is_beside_the_person() {
        let mut person = Entry::default();
        // S-1-5-21-1-2-3-1104, of the group 513.
        let sid = [1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0x50, 4, 0, 0];
        person.values.insert("objectsid".into(), vec![sid.to_vec()]);
        person.values.insert("primarygroupid".into(), vec![b"513".to_vec()]);
        let filter = primary_group_sid(&person).unwrap();
        assert!(filter.starts_with("\\01\\05\\00") && filter.ends_with("\\03\\00\\00\\00\\01\\02\\00\\00"), "{filter}");
        person.values.insert("objectsid".into(), vec![vec![1, 5]]);
        assert_eq!(primary_group_sid(&person), None);
    }
}
