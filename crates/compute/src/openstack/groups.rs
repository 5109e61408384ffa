//! What keeps desktops closed and apart on a cloud: one security group for all of ours, and a server group for each pool.
//!
//! Both are known by their names, which nobody else gives. A lost answer leaves one of that name, which is found before another is
//! made. They go when nothing of ours stands in them. Where the cloud does not let us make them, desktops are made without: the
//! project's own default decides then.

use super::{OpenStackCompute, RDP_PORT, SSH_PORT, mark};
use crate::ComputeError;
use oriel_model::PoolId;
use oriel_openstack::{OpenStackError, Opening, SecurityGroup, SecurityRule};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// What was found is looked at again after so long: somebody may have changed or removed it.
const KNOWN: Duration = Duration::from_mins(5);
const ABOUT: &str =
    "Made by Oriel for its desktops: open for what Oriel dials, closed for everything else. Changes are undone.";

#[derive(Default)]
pub(super) struct Groups {
    /// Held to read while a server is made, to write while groups that nobody is in are removed.
    pub making: tokio::sync::RwLock<()>,
    /// The security group's id; `None` where there can be none.
    closed: tokio::sync::Mutex<Option<(Option<String>, Instant)>>,
    /// The server group's id of each pool; `None` where there can be none.
    apart: tokio::sync::Mutex<BTreeMap<PoolId, (Option<String>, Instant)>>,
    counted: Mutex<Counted>,
    /// When the security group was last looked at for servers that stand.
    kept: Mutex<Option<Instant>>,
}

/// Servers of ours at the last look.
#[derive(Default)]
struct Counted {
    servers: Option<usize>,
    /// Groups may have become empty since they were looked at.
    is_due: bool,
}

impl Groups {
    pub fn count(&self, servers: usize) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let some_went = counted.servers.is_none_or(|before| servers < before);
        counted.is_due |= some_went;
        counted.servers = Some(servers);
    }

    /// How many servers there are, when groups should be looked at.
    fn due(&self) -> Option<usize> {
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.servers.filter(|_| counted.is_due)
    }

    /// Something may be left over of a desktop that has no server.
    pub fn look_again(&self) {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner).is_due = true;
    }

    /// They were: not again until some are gone.
    fn tidied(&self) {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner).is_due = false;
    }

    /// Whether servers stand whose security group was not looked at for a while; then not again for as long.
    fn is_keeping_due(&self) -> bool {
        if self.counted.lock().unwrap_or_else(PoisonError::into_inner).servers.is_none_or(|servers| servers == 0) {
            return false;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = kept.is_none_or(|at| at.elapsed() >= KNOWN);
        if is_due {
            *kept = Some(Instant::now());
        }
        is_due
    }

    /// What was known of both: somebody removed one.
    pub async fn forget(&self) {
        *self.closed.lock().await = None;
        self.apart.lock().await.clear();
    }
}

/// Whether these credentials, or this cloud, know no such groups at all. Not found counts only where nothing was asked for by its id.
pub(super) const fn is_not_for_us(error: &OpenStackError) -> bool {
    matches!(error.status(), Some(401 | 403 | 404)) || matches!(error, OpenStackError::NoService { .. })
}

impl OpenStackCompute {
    fn closed_name(&self) -> String {
        format!("oriel-of-{}", self.config.installation)
    }

    fn apart_prefix(&self) -> String {
        format!("oriel-of-{}-pool-", self.config.installation)
    }

    /// What is open for whoever dials: RDP and SSH. Screens are at the compute hosts.
    fn openings(&self) -> Vec<Opening> {
        let from: Vec<(Option<String>, bool)> = match self.config.gateways.as_slice() {
            [] => vec![(None, false), (None, true)],
            some => some.iter().map(|net| (Some(net.trunc().to_string()), net.addr().is_ipv6())).collect(),
        };
        let of = |port: u16| from.iter().map(move |(from, v6)| Opening { port, from: from.clone(), v6: *v6 });
        [RDP_PORT, SSH_PORT].into_iter().flat_map(of).collect()
    }

    /// The security group's id, made and opened as it must be; `None` where there can be none.
    pub(super) async fn closed(&self) -> Result<Option<String>, ComputeError> {
        let mut known = self.groups.closed.lock().await;
        if let Some((id, at)) = known.as_ref()
            && at.elapsed() < KNOWN
        {
            return Ok(id.clone());
        }
        let (closed, is_there) = match self.closed_group().await {
            Ok(group) => (self.close(&group).await.map(|()| group.id), true),
            Err(error) => (Err(error), false),
        };
        let id = match closed {
            Ok(group) => Some(group),
            // Somebody has just removed it: the next try makes another. Nothing is made open in the meantime.
            Err(error) if is_there && error.is_gone() => return Err(self.failed(error)),
            Err(error) if error.is_over_quota() => {
                return Err(ComputeError::NoPlace {
                    cloud: self.config.name.clone(),
                    reason: format!(
                        "{error}; without a security group of its own a desktop would be open for others: delete one of the project, or let the cloud's admin raise its quota"
                    ),
                });
            }
            Err(error) if is_not_for_us(&error) => {
                tracing::warn!(
                    cloud = self.config.name,
                    %error,
                    "No security group can be made; the project's default says what reaches desktops"
                );
                None
            }
            Err(error) => return Err(self.failed(error)),
        };
        *known = Some((id.clone(), Instant::now()));
        Ok(id)
    }

    /// What is open follows what was said, and what others changed there is undone, for servers that stand already: without it a new
    /// `--from` would hold with the next desktop that is made. Makes no group.
    pub(super) async fn keep_closed(&self) {
        let mut known = self.groups.closed.lock().await;
        if known.as_ref().is_some_and(|(_, at)| at.elapsed() < KNOWN) || !self.groups.is_keeping_due() {
            return;
        }
        match self.closed_again().await {
            Ok(Some(group)) => *known = Some((Some(group), Instant::now())),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(cloud = self.config.name, %error, "What reaches desktops could not be looked at");
            }
        }
    }

    async fn closed_again(&self) -> Result<Option<String>, OpenStackError> {
        let Some(group) = self.only_group(&self.closed_name()).await? else { return Ok(None) };
        self.close(&group).await?;
        Ok(Some(group.id))
    }

    async fn closed_group(&self) -> Result<SecurityGroup, OpenStackError> {
        let name = self.closed_name();
        match self.only_group(&name).await? {
            Some(group) => Ok(group),
            None => self.client.create_security_group(&name, ABOUT).await,
        }
    }

    /// Open for what it must be, and for nothing else.
    async fn close(&self, group: &SecurityGroup) -> Result<(), OpenStackError> {
        let openings = self.openings();
        let is_there = |one: &Opening| group.rules.iter().any(|rule| one.is(rule));
        let missing: Vec<&Opening> = openings.iter().filter(|one| !is_there(one)).collect();
        for opening in missing {
            self.client.open_in_security_group(&group.id, opening).await?;
        }
        let is_ours = |rule: &SecurityRule| openings.iter().any(|one| one.is(rule));
        let stray: Vec<&SecurityRule> =
            group.rules.iter().filter(|rule| rule.direction == "ingress" && !is_ours(rule)).collect();
        for rule in stray {
            tracing::warn!(cloud = self.config.name, rule = rule.id, "A rule that Oriel did not make is removed");
            self.client.delete_security_rule(&rule.id).await?;
        }
        Ok(())
    }

    /// Of several, which a lost answer leaves, the first stays; the others go, as soon as no server has them.
    async fn only_group(&self, name: &str) -> Result<Option<SecurityGroup>, OpenStackError> {
        let mut all = self.client.security_groups_named(name).await?;
        // The filter is the cloud's; what is touched is decided here.
        all.retain(|group| group.name == name);
        all.sort_by(|one, other| one.id.cmp(&other.id));
        let mut all = all.into_iter();
        let first = all.next();
        for twin in all {
            match self.client.delete_security_group(&twin.id).await {
                Err(error) if !error.is_conflict() => return Err(error),
                _ => {}
            }
        }
        Ok(first)
    }

    /// The id of the pool's server group, made if there is none; `None` where there can be none: a wish is no reason to fail.
    pub(super) async fn apart(&self, pool: PoolId) -> Result<Option<String>, ComputeError> {
        let mut known = self.groups.apart.lock().await;
        if let Some((id, at)) = known.get(&pool)
            && at.elapsed() < KNOWN
        {
            return Ok(id.clone());
        }
        let id = match self.part(pool).await {
            Ok(id) => Some(id),
            Err(error) if error.is_over_quota() || is_not_for_us(&error) => {
                tracing::warn!(
                    cloud = self.config.name, %pool, %error,
                    "No server group can be made; the pool's desktops stand wherever Nova puts them"
                );
                None
            }
            Err(error) => return Err(self.failed(error)),
        };
        known.insert(pool, (id.clone(), Instant::now()));
        Ok(id)
    }

    async fn part(&self, pool: PoolId) -> Result<String, OpenStackError> {
        let name = format!("{}{pool}", self.apart_prefix());
        let mut all = self.client.server_groups().await?;
        all.retain(|group| group.name == name);
        // The fullest stays; others of a lost answer go when they are empty.
        all.sort_by(|one, other| (other.members.len(), &one.id).cmp(&(one.members.len(), &other.id)));
        match all.into_iter().next() {
            Some(group) => Ok(group.id),
            None => Ok(self.client.create_server_group(&name).await?.id),
        }
    }

    /// The pool's server group takes no more (quota `server_group_members`): further servers are made without.
    pub(super) async fn took_no_more(&self, pool: PoolId, error: &OpenStackError) {
        tracing::warn!(
            cloud = self.config.name, %pool, %error,
            "The pool's server group is full; further desktops stand wherever Nova puts them until the cloud's admin raises the quota server_group_members"
        );
        self.groups.apart.lock().await.insert(pool, (None, Instant::now()));
    }

    /// Removes groups in which nothing stands any more, and addresses of nobody, after servers have gone.
    pub(super) async fn tidy(&self) {
        let Some(servers) = self.groups.due() else { return };
        // A server that is just being made is in none yet.
        let Ok(_alone) = self.groups.making.try_write() else { return };
        // What is in the way of the one need not be in the way of the other.
        let given_back = self.give_back_leftovers().await;
        let emptied = self.remove_empty(servers).await;
        match given_back.and(emptied) {
            Ok(true) => self.groups.tidied(),
            Ok(false) => {}
            Err(error) => {
                tracing::debug!(cloud = self.config.name, %error, "What is left over of desktops that have gone could not be removed");
                if !error.is_passing() {
                    self.groups.tidied();
                }
            }
        }
    }

    /// `false`: something could not go yet.
    async fn remove_empty(&self, servers: usize) -> Result<bool, ComputeError> {
        let failed = |error| self.failed(error);
        let prefix = self.apart_prefix();
        for group in self.client.server_groups().await.map_err(failed)? {
            let pool = group.name.strip_prefix(&prefix).and_then(|rest| rest.parse::<PoolId>().ok());
            let Some(pool) = pool.filter(|_| group.members.is_empty()) else { continue };
            tracing::info!(cloud = self.config.name, %pool, "A server group in which nothing stands is removed");
            self.client.delete_server_group(&group.id).await.map_err(failed)?;
            self.groups.apart.lock().await.remove(&pool);
        }
        // That was the last look's, and one may have been made since: its port may not be there yet, so that Neutron would let the
        // group go.
        if servers > 0 || !self.servers(mark::common(&self.config.installation)).await?.is_empty() {
            return Ok(true);
        }
        let name = self.closed_name();
        let mut all = self.client.security_groups_named(&name).await.map_err(failed)?;
        all.retain(|group| group.name == name);
        let mut is_done = true;
        for group in all {
            *self.groups.closed.lock().await = None;
            match self.client.delete_security_group(&group.id).await {
                // A port of a server that is just going still has it.
                Err(error) if error.is_conflict() => is_done = false,
                done => done.map_err(failed)?,
            }
        }
        Ok(is_done)
    }
}
