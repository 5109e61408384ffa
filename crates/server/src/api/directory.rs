//! Where people come from who are not made here.

use super::{Named, user::Role};
use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mirror! {
    /// Whose habits it has.
    DirectoryKind = model::DirectoryKind {
        /// OpenLDAP, 389, FreeIPA and their like.
        Ldap,
        /// Active Directory, or Samba in its place.
        ActiveDirectory,
    }
}

/// How a directory is asked.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DirectorySettings {
    pub kind: DirectoryKind,
    /// `ldaps://HOST[:PORT]` or `ldap://HOST[:PORT]`.
    pub url: String,
    /// TLS inside a connection that begins without it (`ldap://` only).
    #[serde(default)]
    #[schema(required)]
    pub start_tls: bool,
    /// `ldap://` without any TLS: passwords cross the network in the clear.
    #[serde(default)]
    #[schema(required)]
    pub plain: bool,
    /// Who signs its certificate, as PEM; left out, whom the server trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// SHA-256 of its certificate in 64 lowercase hexadecimal digits, in place of a CA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
    /// The service account that looks people up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bind_dn: Option<String>,
    /// Instead of a service account: the name with which people bind, `uid={name},ou=people,dc=lab` or `{name}@corp.lab`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Below which people are.
    pub base: String,
    /// Who of them is meant: `(uid={name})`; left out, by the kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_filter: Option<String>,
    /// Below which groups are; left out, `base`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_base: Option<String>,
    /// Only who is in a group that is mapped may sign in.
    #[serde(default)]
    #[schema(required)]
    pub only_mapped: bool,
    /// Which groups of the directory are which groups here.
    #[serde(default)]
    #[schema(required)]
    pub groups: Vec<GroupMapping>,
    /// The first that fits says the role, `user` where none does. Empty: roles are given here.
    #[serde(default)]
    #[schema(required)]
    pub roles: Vec<RoleMapping>,
}

/// Members of that group, also those by way of other groups, are members of this one.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupMapping {
    /// The directory's group: its distinguished name.
    pub dn: String,
    /// The group here: id or name when sent, id when answered.
    pub group: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleMapping {
    /// The directory's group: its distinguished name.
    pub dn: String,
    /// Any but `pool_admin`.
    pub role: Role,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Directory {
    pub id: String,
    pub name: String,
    /// One that is not is never asked: nobody signs in by it.
    pub enabled: bool,
    pub settings: DirectorySettings,
    /// Whether the service account's password is kept.
    pub has_password: bool,
    /// People here who come from it.
    pub people: u64,
    /// RFC 3339.
    pub created_at: String,
}

/// In the order in which they are asked.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DirectoryList {
    pub directories: Vec<Directory>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DirectoryNew {
    /// 1 to 60 characters without slashes; compared without case.
    pub name: String,
    pub settings: DirectorySettings,
    /// The service account's.
    #[serde(default)]
    #[schema(format = Password)]
    pub password: Option<String>,
}

/// What to change; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DirectoryChange {
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub enabled: Option<bool>,
    /// As a whole.
    #[serde(default)]
    pub settings: Option<DirectorySettings>,
    /// Needed again when address, certificate or account change.
    #[serde(default)]
    #[schema(format = Password)]
    pub password: Option<String>,
}

/// Somebody to ask the directory about.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DirectoryQuestion {
    pub name: String,
    /// Theirs; left out, only who they are is asked.
    #[serde(default)]
    #[schema(format = Password)]
    pub password: Option<String>,
}

/// What the directory says of them, and what would come of it here. Nothing was changed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DirectoryAnswer {
    /// `null`: nobody of that name.
    #[serde(default)]
    #[schema(required)]
    pub person: Option<DirectoryPerson>,
    /// Where a password was given.
    #[serde(default)]
    #[schema(required)]
    pub password_right: Option<bool>,
    /// The groups here that they would be in by what is mapped.
    pub groups: Vec<Named>,
    /// `null`: the role is given here.
    #[serde(default)]
    #[schema(required)]
    pub role: Option<Role>,
    /// Why they would not be let in, whatever their password.
    #[serde(default)]
    #[schema(required)]
    pub refused: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DirectoryPerson {
    pub dn: String,
    /// What stays when names change.
    pub external_id: String,
    pub name: String,
    pub disabled: bool,
    /// Distinguished names, also of those by way of other groups.
    pub groups: Vec<String>,
}

impl From<model::DirectorySettings> for DirectorySettings {
    fn from(of: model::DirectorySettings) -> Self {
        Self {
            kind: of.kind.into(),
            url: of.url,
            start_tls: of.start_tls,
            plain: of.plain,
            ca: of.ca,
            pin: of.pin,
            bind_dn: of.bind_dn,
            template: of.template,
            base: of.base,
            user_filter: of.user_filter,
            group_base: of.group_base,
            only_mapped: of.only_mapped,
            groups: of
                .groups
                .into_iter()
                .map(|one| GroupMapping { dn: one.dn, group: one.group.to_string() })
                .collect(),
            roles: of.roles.into_iter().map(|one| RoleMapping { dn: one.dn, role: one.role.into() }).collect(),
        }
    }
}

impl DirectorySettings {
    /// `groups`: those that are mapped, looked up.
    pub fn into_model(self, groups: Vec<model::GroupMapping>) -> model::DirectorySettings {
        model::DirectorySettings {
            kind: self.kind.into(),
            url: self.url,
            start_tls: self.start_tls,
            plain: self.plain,
            ca: self.ca,
            pin: self.pin,
            bind_dn: self.bind_dn,
            template: self.template,
            base: self.base,
            user_filter: self.user_filter,
            group_base: self.group_base,
            only_mapped: self.only_mapped,
            groups,
            roles: self.roles.into_iter().map(|one| model::RoleMapping { dn: one.dn, role: one.role.into() }).collect(),
        }
    }
}
