//! Where people come from who are not made here: an LDAP directory, or Active Directory.

use crate::{DirectoryId, GroupId, Micros, Role, UserId};
use serde::{Deserialize, Serialize};

/// Whose habits it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DirectoryKind {
    /// OpenLDAP, 389, FreeIPA and their like: `uid`, `entryUUID`, groups with `member`.
    #[default]
    Ldap,
    /// `sAMAccountName`, `objectGUID`, and groups within groups in one question.
    ActiveDirectory,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    pub id: DirectoryId,
    /// Unique, compared without case.
    pub name: String,
    pub enabled: bool,
    pub settings: DirectorySettings,
    pub created: Micros,
}

/// How it is asked. The service account's password is not among it: it is sealed apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DirectorySettings {
    pub kind: DirectoryKind,
    /// `ldaps://HOST[:PORT]` or `ldap://HOST[:PORT]`.
    pub url: String,
    /// TLS inside a connection that begins without it (`ldap://` only).
    pub start_tls: bool,
    /// `ldap://` without any TLS: passwords cross the network in the clear.
    pub plain: bool,
    /// Who signs its certificate, as PEM; who this machine trusts when it is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// SHA-256 of its certificate in lowercase hex: that one and no other, whoever signed it and whatever its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
    /// The service account that looks people up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind_dn: Option<String>,
    /// Instead of a service account: the name with which people bind, `uid={name},ou=people,dc=lab` or `{name}@corp.lab`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Below which people are.
    pub base: String,
    /// Who of them is meant: `(uid={name})`. By the kind when it is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_filter: Option<String>,
    /// Below which groups are; as `base` when it is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_base: Option<String>,
    /// Only who is in a group that is mapped below may sign in.
    pub only_mapped: bool,
    pub groups: Vec<GroupMapping>,
    /// The first that fits says the role; `user` where none does. Without any, roles are left alone.
    pub roles: Vec<RoleMapping>,
}

/// Members of that group, also those by way of other groups, are members of this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMapping {
    /// The directory's: its distinguished name.
    pub dn: String,
    pub group: GroupId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleMapping {
    pub dn: String,
    pub role: Role,
}

/// Who of ours is who of theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryPerson {
    pub user: UserId,
    pub directory: DirectoryId,
    /// What stays when names change: `entryUUID`, `objectGUID`.
    pub external_id: String,
    /// Where they were when they were last seen.
    pub dn: String,
    /// Not disabled, expired or gone there.
    pub active: bool,
    pub seen: Micros,
}

/// Directories that there may be.
pub const DIRECTORIES_MAX: usize = 10;
const TEXT_CHARS_MAX: usize = 1000;
const CA_BYTES_MAX: usize = 64 << 10;
const MAPPINGS_MAX: usize = 200;

impl Directory {
    pub const NAME_CHARS_MAX: usize = 60;

    /// Whether it can be asked. The error is a sentence.
    pub fn check(&self) -> Result<(), String> {
        let length = self.name.chars().count();
        if !(1..=Self::NAME_CHARS_MAX).contains(&length)
            || self.name.trim() != self.name
            || self.name.chars().any(|c| c.is_control() || c == '/')
        {
            return Err(format!("a directory's name has 1 to {} characters without slashes", Self::NAME_CHARS_MAX));
        }
        self.settings.check()
    }
}

impl DirectorySettings {
    /// The filter that finds somebody, with `{name}` in it.
    pub fn filter(&self) -> &str {
        match (&self.user_filter, self.kind) {
            (Some(filter), _) => filter,
            (None, DirectoryKind::Ldap) => "(uid={name})",
            (None, DirectoryKind::ActiveDirectory) => {
                "(&(objectCategory=person)(objectClass=user)(|(sAMAccountName={name})(userPrincipalName={name})))"
            }
        }
    }

    pub fn group_base(&self) -> &str {
        self.group_base.as_deref().unwrap_or(&self.base)
    }

    fn check(&self) -> Result<(), String> {
        let secure = self.url.starts_with("ldaps://");
        if !secure && !self.url.starts_with("ldap://") {
            return Err("a directory's address is ldaps://HOST[:PORT] or ldap://HOST[:PORT]".to_owned());
        }
        if secure && (self.start_tls || self.plain) {
            return Err("ldaps:// has TLS from the beginning: it goes neither with start_tls nor with plain".to_owned());
        }
        if !secure && self.start_tls == self.plain {
            return Err(
                "ldap:// needs start_tls, or plain where passwords may cross the network in the clear".to_owned()
            );
        }
        if self.plain && (self.ca.is_some() || self.pin.is_some()) {
            return Err("a certificate is checked where there is TLS: leave ca and pin out, or use it".to_owned());
        }
        if self.ca.is_some() && self.pin.is_some() {
            return Err("either say who signs the certificate (ca), or which one it is (pin)".to_owned());
        }
        if let Some(pin) = &self.pin
            && (pin.len() != 64 || !pin.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
        {
            return Err("a pin is a SHA-256 in 64 lowercase hexadecimal digits, without colons".to_owned());
        }
        if self.base.trim().is_empty() {
            return Err("say below which name people are, such as dc=lab,dc=example".to_owned());
        }
        if self.bind_dn.is_some() == self.template.is_some() {
            return Err("say how people are found: either a service account (bind_dn) or a template".to_owned());
        }
        for text in [&self.template, &self.user_filter].into_iter().flatten() {
            if !text.contains("{name}") {
                return Err(format!("{:?} has no {{name}} in it", text.chars().take(80).collect::<String>()));
            }
        }
        let texts = [&self.bind_dn, &self.template, &self.user_filter, &self.group_base];
        let long = |text: &str| text.chars().count() > TEXT_CHARS_MAX || text.chars().any(char::is_control);
        if [&self.url, &self.base].into_iter().chain(texts.into_iter().flatten()).any(|text| long(text)) {
            return Err(format!("a text of it is longer than {TEXT_CHARS_MAX} characters, or has control characters"));
        }
        if self.ca.as_ref().is_some_and(|ca| ca.len() > CA_BYTES_MAX) {
            return Err(format!("a CA file has at most {CA_BYTES_MAX} bytes"));
        }
        if self.groups.len() + self.roles.len() > MAPPINGS_MAX {
            return Err(format!("at most {MAPPINGS_MAX} groups and roles can be mapped"));
        }
        if self.roles.iter().any(|one| one.role == Role::PoolAdmin) {
            return Err("a directory cannot say which pools a pool admin administers: give that role here".to_owned());
        }
        let dns = self.groups.iter().map(|one| &one.dn).chain(self.roles.iter().map(|one| &one.dn));
        for dn in dns {
            if !dn.contains('=') || long(dn) {
                return Err(format!(
                    "{:?} is no distinguished name: write it whole, such as cn=artists,ou=groups,dc=lab",
                    dn.chars().take(80).collect::<String>()
                ));
            }
        }
        Ok(())
    }
}

/// As distinguished names are compared here: without case, and without blanks around their signs.
pub fn fold_dn(dn: &str) -> String {
    let mut folded = String::with_capacity(dn.len());
    let mut escaped = false;
    for c in dn.trim().chars() {
        if !escaped && (c == ',' || c == '=' || c == '+') {
            folded.truncate(folded.trim_end().len());
        } else if !escaped && c == ' ' && folded.ends_with([',', '=', '+']) {
            continue;
        }
        escaped = c == '\\' && !escaped;
        folded.extend(c.to_lowercase());
    }
    folded
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_directories_do() {
        for (a, b) in [
            ("CN=Artists, OU=Groups,DC=lab", "cn=artists,ou=groups,dc=lab"),
            ("cn = artists , dc=lab ", "cn=artists,dc=lab"),
            ("cn=a\\, b,dc=lab", "CN=A\\, B,DC=LAB"),
        ] {
            assert_eq!(fold_dn(a), fold_dn(b));
        }
        assert_ne!(fold_dn("cn=a\\,b,dc=lab"), fold_dn("cn=a,b,dc=lab"));
        assert_ne!(fold_dn("cn=night shift,dc=lab"), fold_dn("cn=nightshift,dc=lab"));
    }

    #[test]
    fn what_cannot_be_asked_is_said() {
        let good = DirectorySettings {
            url: "ldaps://ldap.lab".into(),
            bind_dn: Some("cn=oriel,dc=lab".into()),
            base: "dc=lab".into(),
            ..DirectorySettings::default()
        };
        let check = |settings: DirectorySettings| settings.check().err().unwrap_or_default();
        assert_eq!(check(good.clone()), "");
        let with = |change: &dyn Fn(&mut DirectorySettings)| {
            let mut settings = good.clone();
            change(&mut settings);
            check(settings)
        };
        assert!(with(&|s| s.url = "http://ldap.lab".into()).contains("ldaps://HOST"));
        assert!(with(&|s| s.start_tls = true).contains("from the beginning"));
        assert!(with(&|s| s.url = "ldap://ldap.lab".into()).contains("needs start_tls"));
        assert!(with(&|s| s.template = Some("uid={name}".into())).contains("either a service account"));
        assert!(with(&|s| s.user_filter = Some("(uid=ada)".into())).contains("no {name}"));
        assert!(with(&|s| s.pin = Some("AB".repeat(32))).contains("lowercase"));
        assert!(with(&|s| s.base = " ".into()).contains("below which name"));
        let mapped = GroupMapping { dn: "artists".into(), group: GroupId::new() };
        assert!(with(&|s| s.groups = vec![mapped.clone()]).contains("no distinguished name"));
    }
}
