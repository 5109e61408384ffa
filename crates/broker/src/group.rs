//! Groups: people together, which pools they open, and what they say of their members' connections.

use crate::clock::now;
use crate::over::to_its_end;
use crate::{Broker, BrokerError};
use oriel_model::{Group, GroupId, GroupPolicy, PoolId, SecondFactorRule, User, UserId};
use std::collections::HashMap;

/// Groups that there may be: directories are mapped to those that matter here, not copied.
const GROUPS_MAX: usize = 1000;

pub struct NewGroup {
    pub name: String,
    pub about: String,
    pub policy: GroupPolicy,
    pub second_factor: SecondFactorRule,
}

/// What an admin changes; `None` leaves it.
#[derive(Default)]
pub struct GroupChange {
    pub name: Option<String>,
    pub about: Option<String>,
    /// As a whole; ends its members' connections that are under looser rules, and holds for the others from the next on.
    pub policy: Option<GroupPolicy>,
    /// Holds from its members' next sign-in on.
    pub second_factor: Option<SecondFactorRule>,
}

/// A group with all that lists show of it.
pub struct WholeGroup {
    pub group: Group,
    /// By name.
    pub members: Vec<User>,
    pub opens: Vec<PoolId>,
}

impl Broker {
    pub async fn groups(&self) -> Result<Vec<Group>, BrokerError> {
        Ok(self.inner.store.groups().await?)
    }

    /// All groups, by name, in as many queries as for one.
    pub async fn whole_groups(&self) -> Result<Vec<WholeGroup>, BrokerError> {
        let store = &self.inner.store;
        let (groups, users, memberships, opened) =
            tokio::try_join!(store.groups(), store.users(), store.memberships(), store.groups_pools())?;
        let in_order: HashMap<UserId, usize> = users.iter().enumerate().map(|(at, user)| (user.id, at)).collect();
        let (mut members, mut opens) = (HashMap::<GroupId, Vec<usize>>::new(), HashMap::<GroupId, Vec<PoolId>>::new());
        for (group, user) in memberships {
            members.entry(group).or_default().extend(in_order.get(&user));
        }
        for (group, pool) in opened {
            opens.entry(group).or_default().push(pool);
        }
        let whole = groups.into_iter().map(|group| {
            let mut members = members.remove(&group.id).unwrap_or_default();
            members.sort_unstable();
            WholeGroup {
                members: members.into_iter().filter_map(|at| users.get(at).cloned()).collect(),
                opens: opens.remove(&group.id).unwrap_or_default(),
                group,
            }
        });
        Ok(whole.collect())
    }

    /// By id or by name. Names of directories' groups may look like ids: an id wins.
    pub async fn find_group(&self, key: &str) -> Result<Group, BrokerError> {
        let by_id = match key.parse::<GroupId>() {
            Ok(id) => self.inner.store.group(id).await?,
            Err(_) => None,
        };
        let found = match by_id {
            Some(group) => Some(group),
            None => self.inner.store.group_by_name(key).await?,
        };
        found.ok_or_else(|| BrokerError::missing("group", key))
    }

    async fn group(&self, id: GroupId) -> Result<Group, BrokerError> {
        self.inner.store.group(id).await?.ok_or_else(|| BrokerError::missing("group", id))
    }

    pub async fn create_group(&self, new: NewGroup) -> Result<Group, BrokerError> {
        let group = Group {
            id: GroupId::new(),
            name: new.name,
            about: new.about,
            policy: new.policy,
            second_factor: new.second_factor,
            created: now(),
        };
        check(&group)?;
        if self.groups().await?.len() >= GROUPS_MAX {
            return Err(BrokerError::conflict(
                "too_many_groups",
                format!("there are {GROUPS_MAX} groups already"),
                "delete those that nobody needs",
            ));
        }
        self.inner.store.create_group(&group).await?;
        tracing::info!(group = %group.name, "Group created");
        Ok(group)
    }

    pub async fn change_group(&self, id: GroupId, change: GroupChange) -> Result<Group, BrokerError> {
        let broker = self.clone();
        to_its_end(async move {
            let mut group = broker.group(id).await?;
            let before = group.policy.clone();
            group.name = change.name.unwrap_or(group.name);
            group.about = change.about.unwrap_or(group.about);
            group.policy = change.policy.unwrap_or(group.policy);
            group.second_factor = change.second_factor.unwrap_or(group.second_factor);
            check(&group)?;
            broker.inner.store.update_group(&group).await?;
            if group.policy != before {
                broker.end_what_is_looser(&broker.member_ids(id).await?).await;
            }
            Ok(group)
        })
        .await
    }

    /// Its members stay; what they could use only through it they use no longer.
    pub async fn delete_group(&self, id: GroupId) -> Result<(), BrokerError> {
        let broker = self.clone();
        to_its_end(async move {
            let group = broker.group(id).await?;
            let (pools, members) = (broker.inner.store.pools_of_group(id).await?, broker.member_ids(id).await?);
            broker.inner.store.delete_group(id).await?;
            broker.end_what_is_over(Some(&pools), &members).await;
            // It may have loosened what pools say.
            if !group.policy.is_empty() {
                broker.end_what_is_looser(&members).await;
            }
            Ok(())
        })
        .await
    }

    pub async fn members(&self, group: GroupId) -> Result<Vec<User>, BrokerError> {
        Ok(self.inner.store.members(group).await?)
    }

    async fn member_ids(&self, group: GroupId) -> Result<Vec<UserId>, BrokerError> {
        Ok(self.members(group).await?.into_iter().map(|user| user.id).collect())
    }

    pub async fn add_member(&self, group: GroupId, user: UserId) -> Result<(), BrokerError> {
        let broker = self.clone();
        to_its_end(async move {
            let group = broker.group(group).await?;
            broker.inner.store.add_member(group.id, user).await?;
            if !group.policy.is_empty() {
                broker.end_what_is_looser(&[user]).await;
            }
            Ok(())
        })
        .await
    }

    pub async fn remove_member(&self, group: GroupId, user: UserId) -> Result<(), BrokerError> {
        let broker = self.clone();
        to_its_end(async move {
            // Before: whoever takes one of them from the group at the same time finds this person no longer among its members.
            let pools = broker.inner.store.pools_of_group(group).await?;
            let group = broker.group(group).await?;
            broker.inner.store.remove_member(group.id, user).await?;
            broker.end_what_is_over(Some(&pools), &[user]).await;
            if !group.policy.is_empty() {
                broker.end_what_is_looser(&[user]).await;
            }
            Ok(())
        })
        .await
    }

    /// The groups that somebody is in, by name.
    pub async fn groups_of(&self, user: UserId) -> Result<Vec<Group>, BrokerError> {
        Ok(self.inner.store.groups_of(user).await?)
    }

    /// The groups of everybody who is in one, for lists.
    pub async fn groups_by_user(&self) -> Result<HashMap<UserId, Vec<Group>>, BrokerError> {
        let (groups, memberships) = tokio::try_join!(self.inner.store.groups(), self.inner.store.memberships())?;
        let mut of: HashMap<UserId, Vec<Group>> = HashMap::new();
        let mut members: HashMap<GroupId, Vec<UserId>> = HashMap::new();
        for (group, user) in memberships {
            members.entry(group).or_default().push(user);
        }
        // In the groups' order, which is by name.
        for group in groups {
            for user in members.remove(&group.id).unwrap_or_default() {
                of.entry(user).or_default().push(group.clone());
            }
        }
        Ok(of)
    }

    pub async fn pool_groups(&self, pool: PoolId) -> Result<Vec<Group>, BrokerError> {
        Ok(self.inner.store.pool_groups(pool).await?)
    }

    pub async fn pools_of_group(&self, group: GroupId) -> Result<Vec<PoolId>, BrokerError> {
        Ok(self.inner.store.pools_of_group(group).await?)
    }

    pub async fn entitle_group(&self, pool: PoolId, group: GroupId) -> Result<(), BrokerError> {
        Ok(self.inner.store.entitle_group(pool, group).await?)
    }

    pub async fn unentitle_group(&self, pool: PoolId, group: GroupId) -> Result<(), BrokerError> {
        let broker = self.clone();
        to_its_end(async move {
            // Before, as in `remove_member`.
            let members = broker.member_ids(group).await?;
            broker.inner.store.unentitle_group(pool, group).await?;
            broker.end_what_is_over(Some(&[pool]), &members).await;
            Ok(())
        })
        .await
    }

    /// What somebody's groups say of their connections, together.
    pub(crate) async fn policy_of_groups(&self, user: UserId) -> Result<GroupPolicy, BrokerError> {
        Ok(GroupPolicy::together(self.groups_of(user).await?.iter().map(|group| &group.policy)))
    }
}

fn check(group: &Group) -> Result<(), BrokerError> {
    group.check().map_err(|text| BrokerError::invalid("bad_group", text, "mend that, and send it again"))
}
