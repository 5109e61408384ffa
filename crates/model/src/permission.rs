//! What roles may do: one table, which the server's guard asks before any handler runs.

use crate::{PoolId, Role};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt, str::FromStr};

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = $word:literal),+ $(,)?) => {
        /// One thing that roles give and that tokens can be kept to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Permission { $($(#[$doc])* $name),+ }

        impl Permission {
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word),+ }
            }
        }
    };
}

permissions! {
    /// People and groups: who there is.
    PeopleRead = "people_read",
    /// Making, changing and deleting people and groups; other people's tokens.
    PeopleWrite = "people_write",
    ImagesRead = "images_read",
    ImagesWrite = "images_write",
    PoolsRead = "pools_read",
    /// Changing a pool, and who may use it.
    PoolsWrite = "pools_write",
    /// Making pools and deleting them.
    PoolsMake = "pools_make",
    /// Machines of others by their addresses: where they are and what is set.
    MachinesRead = "machines_read",
    MachinesWrite = "machines_write",
    /// Everybody's desktops: that they are there, and how they are.
    DesktopsRead = "desktops_read",
    /// Starting, stopping and restarting everybody's desktops.
    DesktopsOperate = "desktops_operate",
    /// Making, deleting and recycling desktops.
    DesktopsWrite = "desktops_write",
    /// Opening everybody's desktops and their files.
    DesktopsUse = "desktops_use",
    OperationsRead = "operations_read",
    OperationsWrite = "operations_write",
    SessionsRead = "sessions_read",
    SessionsEnd = "sessions_end",
    /// Looking on at connections and helping, as their pools allow.
    SessionsShadow = "sessions_shadow",
    /// Listing and playing recordings, without what was typed and copied.
    RecordingsRead = "recordings_read",
    /// What was typed and copied, in recordings where rules kept it. Passwords are among it, with which one does what their people do:
    /// that is more than reading.
    RecordingsTyped = "recordings_typed",
    RecordingsWrite = "recordings_write",
    /// Cards, and what can be done with them.
    GpusRead = "gpus_read",
    GpusWrite = "gpus_write",
    /// Clouds on which desktops stand, and how Oriel signs in there.
    CloudsWrite = "clouds_write",
    /// Addresses that are told of what is done.
    WebhooksWrite = "webhooks_write",
    /// Sealing all secrets with another key.
    SecretsWrite = "secrets_write",
    /// The host, its findings and the reconcilers.
    HostRead = "host_read",
    /// Who did what.
    AuditRead = "audit_read",
}

impl Permission {
    /// Whether it can be given for some pools only.
    pub const fn is_of_pools(self) -> bool {
        matches!(
            self,
            Self::PoolsRead
                | Self::PoolsWrite
                | Self::MachinesRead
                | Self::MachinesWrite
                | Self::DesktopsRead
                | Self::DesktopsOperate
                | Self::DesktopsWrite
                | Self::DesktopsUse
                | Self::SessionsRead
                | Self::SessionsEnd
                | Self::SessionsShadow
        )
    }

    /// Whether it changes nothing.
    pub const fn is_reading(self) -> bool {
        matches!(
            self,
            Self::PeopleRead
                | Self::ImagesRead
                | Self::PoolsRead
                | Self::MachinesRead
                | Self::DesktopsRead
                | Self::OperationsRead
                | Self::SessionsRead
                | Self::RecordingsRead
                | Self::GpusRead
                | Self::HostRead
                | Self::AuditRead
        )
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Permission {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|one| one.word() == text).ok_or_else(|| {
            let all: Vec<&str> = Self::ALL.iter().map(|one| one.word()).collect();
            format!("{:?} is no permission: use some of {}", text.chars().take(40).collect::<String>(), all.join(", "))
        })
    }
}

impl Role {
    /// The table. A pool admin has what is of pools for their pools only, and the rest everywhere.
    pub fn gives(self, permission: Permission) -> bool {
        use Permission as P;
        match self {
            Self::User => false,
            Self::Helpdesk => matches!(
                permission,
                P::PeopleRead
                    | P::PoolsRead
                    | P::DesktopsRead
                    | P::DesktopsOperate
                    | P::SessionsRead
                    | P::SessionsEnd
                    | P::SessionsShadow
            ),
            Self::PoolAdmin => {
                permission.is_of_pools() || matches!(permission, P::PeopleRead | P::ImagesRead | P::GpusRead)
            }
            // Recordings among it: that is what auditors are for. Not what was typed in them.
            Self::Auditor => permission.is_reading(),
            Self::Admin => true,
        }
    }
}

/// What a token may do of what its person may.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenScope {
    /// Everything.
    #[default]
    All,
    /// Whatever changes nothing.
    ReadOnly,
    /// Only this, and nothing that belongs to the person themselves.
    Only(BTreeSet<Permission>),
}

impl TokenScope {
    pub fn includes(&self, permission: Permission) -> bool {
        match self {
            Self::All => true,
            Self::ReadOnly => permission.is_reading(),
            Self::Only(permissions) => permissions.contains(&permission),
        }
    }
}

/// What somebody may do: what their role gives, for the pools that it gives it for, as far as their token reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants {
    pub role: Role,
    /// The pools of a pool admin.
    pub pools: BTreeSet<PoolId>,
    pub scope: TokenScope,
}

impl Grants {
    pub const fn of(role: Role, pools: BTreeSet<PoolId>) -> Self {
        Self { role, pools, scope: TokenScope::All }
    }

    fn gives(&self, permission: Permission) -> bool {
        self.role.gives(permission) && self.scope.includes(permission)
    }

    fn is_for_some_pools(&self, permission: Permission) -> bool {
        self.role == Role::PoolAdmin && permission.is_of_pools()
    }

    /// Everywhere.
    pub fn may(&self, permission: Permission) -> bool {
        self.gives(permission) && !self.is_for_some_pools(permission)
    }

    /// With what belongs to this pool.
    pub fn may_in(&self, permission: Permission, pool: PoolId) -> bool {
        self.gives(permission) && (!self.is_for_some_pools(permission) || self.pools.contains(&pool))
    }

    /// Somewhere: a list of it shows something.
    pub fn may_somewhere(&self, permission: Permission) -> bool {
        self.gives(permission) && (!self.is_for_some_pools(permission) || !self.pools.is_empty())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        for permission in Permission::ALL {
            assert_eq!(permission.word().parse(), Ok(*permission));
            assert_eq!(serde_json::to_value(permission).unwrap(), permission.word());
        }
        assert!("everything".parse::<Permission>().unwrap_err().contains("people_read"));
    }

    #[test]
    fn roles_reach_as_far_as_they_should() {
        let ours = PoolId::new();
        let of = |role| Grants::of(role, BTreeSet::from([ours]));
        for permission in Permission::ALL.iter().copied() {
            assert!(of(Role::Admin).may(permission) && !of(Role::User).may_somewhere(permission), "{permission}");
            assert_eq!(of(Role::Auditor).may(permission), permission.is_reading(), "{permission}");
            // A pool admin may nothing of others' pools.
            assert!(!permission.is_of_pools() || !of(Role::PoolAdmin).may(permission), "{permission}");
            assert!(
                !permission.is_of_pools() || !of(Role::PoolAdmin).may_in(permission, PoolId::new()),
                "{permission}"
            );
            assert_eq!(of(Role::PoolAdmin).may_in(permission, ours), Role::PoolAdmin.gives(permission), "{permission}");
        }
        assert!(!Grants::of(Role::PoolAdmin, BTreeSet::new()).may_somewhere(Permission::PoolsRead));
        assert!(!of(Role::Helpdesk).may(Permission::DesktopsUse), "helpdesk looks on, and the person knows");
        assert!(!of(Role::Auditor).may(Permission::RecordingsTyped), "passwords are among it");
    }

    #[test]
    fn a_token_reaches_no_further_than_its_scope_nor_its_person() {
        let with = |role, scope| Grants { scope, ..Grants::of(role, BTreeSet::new()) };
        let read = with(Role::Admin, TokenScope::ReadOnly);
        assert!(
            read.may(Permission::PoolsRead) && !read.may(Permission::PoolsWrite) && !read.may(Permission::DesktopsUse)
        );
        let one = TokenScope::Only(BTreeSet::from([Permission::SessionsEnd, Permission::PeopleWrite]));
        assert!(with(Role::Admin, one.clone()).may(Permission::PeopleWrite));
        assert!(!with(Role::Admin, one.clone()).may(Permission::SessionsRead));
        assert!(with(Role::Helpdesk, one.clone()).may(Permission::SessionsEnd));
        assert!(!with(Role::Helpdesk, one).may(Permission::PeopleWrite));
    }
}
