//! Directories that people come from. One person of a directory is one user here, told by an id that stays when names change.
//!
//! ```text
//! name, password ─▶ a user made here ──────────▶ their password's hash
//!               ├─▶ a user of a directory ─────▶ that directory ─▶ settle
//!               └─▶ nobody ─▶ each directory ─▶ known there ────▶ settle: made, renamed, role, groups
//! ```
//! What a directory says of roles and mapped groups holds: it is written again at each sign-in, and by the reconciler `directories`.

use crate::clock::now;
use crate::{Broker, BrokerError};
use oriel_directory::{DirectoryError, Found, Outcome};
use oriel_model::{
    DIRECTORIES_MAX, Directory, DirectoryId, DirectoryPerson, DirectorySettings, Group, GroupId, Role, User, UserId,
};
use oriel_store::StoreError;
use secrecy::{ExposeSecret, SecretString};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Sign-ins that ask a directory at the same moment: one that does not answer must not gather them without end.
pub(crate) const QUESTIONS_MAX: usize = 32;
/// In place of a password's hash: no password fits it.
pub(crate) const NO_HASH: &str = "kept elsewhere";

pub struct NewDirectory {
    pub name: String,
    pub settings: DirectorySettings,
    /// The service account's.
    pub password: Option<SecretString>,
}

/// What an admin changes; `None` leaves it.
#[derive(Default)]
pub struct DirectoryChange {
    pub name: Option<String>,
    pub enabled: Option<bool>,
    /// As a whole.
    pub settings: Option<DirectorySettings>,
    pub password: Option<SecretString>,
}

/// What a directory says of somebody, and what would come of it here.
pub struct DirectoryTest {
    pub found: Option<Found>,
    /// Where a password was given.
    pub password_right: Option<bool>,
    /// Ours, that they would be in by what is mapped.
    pub groups: Vec<Group>,
    /// `None`: it is left alone.
    pub role: Option<Role>,
    /// Why they would not be let in, whatever their password.
    pub refused: Option<String>,
}

impl Broker {
    /// In the order in which they are asked.
    pub async fn directories(&self) -> Result<Vec<Directory>, BrokerError> {
        Ok(self.inner.store.directories().await?)
    }

    /// By id or by name, compared without case.
    pub async fn find_directory(&self, key: &str) -> Result<Directory, BrokerError> {
        let id = key.parse::<DirectoryId>().ok();
        let folded = key.to_lowercase();
        let all = self.directories().await?;
        all.into_iter()
            .find(|one| Some(one.id) == id || one.name.to_lowercase() == folded)
            .ok_or_else(|| BrokerError::missing("directory", key))
    }

    pub async fn has_directory_secret(&self, id: DirectoryId) -> Result<bool, BrokerError> {
        Ok(self.inner.store.directory_secret(id).await?.is_some())
    }

    /// Which directory's each user is, for lists.
    pub async fn directories_by_user(&self) -> Result<HashMap<UserId, String>, BrokerError> {
        let (all, people) = tokio::try_join!(self.inner.store.directories(), self.inner.store.users_of_directories())?;
        let names: HashMap<DirectoryId, String> = all.into_iter().map(|one| (one.id, one.name)).collect();
        Ok(people.into_iter().filter_map(|(user, of)| Some((user, names.get(&of)?.clone()))).collect())
    }

    /// The name of the directory that somebody comes from; `None` for people who were made here.
    pub async fn directory_of(&self, user: UserId) -> Result<Option<String>, BrokerError> {
        let Some(person) = self.inner.store.directory_person(user).await? else { return Ok(None) };
        Ok(self.inner.store.directory(person.directory).await?.map(|directory| directory.name))
    }

    pub async fn people_of_directory(&self, id: DirectoryId) -> Result<u64, BrokerError> {
        Ok(self.inner.store.directory_people(id).await?.len() as u64)
    }

    pub async fn create_directory(&self, new: NewDirectory) -> Result<Directory, BrokerError> {
        let directory =
            Directory { id: DirectoryId::new(), name: new.name, enabled: true, settings: new.settings, created: now() };
        self.check_directory(&directory, new.password.is_some()).await?;
        if self.directories().await?.len() >= DIRECTORIES_MAX {
            return Err(BrokerError::conflict(
                "too_many_directories",
                format!("there are {DIRECTORIES_MAX} directories already"),
                "remove one that nobody comes from",
            ));
        }
        let sealed = self.seal_service(&directory, new.password.as_ref())?;
        self.inner.store.create_directory(&directory, sealed.as_deref()).await?;
        tracing::info!(directory = %directory.name, "Directory added");
        Ok(directory)
    }

    pub async fn change_directory(&self, id: DirectoryId, change: DirectoryChange) -> Result<Directory, BrokerError> {
        let mut directory = self.directory(id).await?;
        let before = directory.settings.clone();
        directory.name = change.name.unwrap_or(directory.name);
        directory.enabled = change.enabled.unwrap_or(directory.enabled);
        directory.settings = change.settings.unwrap_or(directory.settings);
        let kept = self.inner.store.directory_secret(id).await?;
        let sealed = match (&change.password, kept) {
            (Some(_), _) => self.seal_service(&directory, change.password.as_ref())?,
            (None, Some(_)) if directory.settings.bind_dn.is_none() => None,
            // Whoever may change where it goes must not learn it that way.
            (None, Some(_)) if goes_elsewhere(&before, &directory.settings) => {
                return Err(BrokerError::invalid(
                    "password_missing",
                    "the service account's password was kept for another address, certificate or account",
                    "send it again as `password`",
                ));
            }
            (None, kept) => kept,
        };
        self.check_directory(&directory, sealed.is_some()).await?;
        self.inner.store.update_directory(&directory, sealed.as_deref()).await?;
        Ok(directory)
    }

    /// Refused while somebody comes from it.
    pub async fn delete_directory(&self, id: DirectoryId) -> Result<(), BrokerError> {
        Ok(self.inner.store.delete_directory(id).await?)
    }

    /// What the directory says of somebody; changes nothing.
    pub async fn test_directory(
        &self,
        id: DirectoryId,
        name: &str,
        password: Option<&SecretString>,
    ) -> Result<DirectoryTest, BrokerError> {
        let directory = self.directory(id).await?;
        let service = self.service(&directory).await?;
        let (found, password_right) = match password {
            Some(password) => {
                match oriel_directory::sign_in(&directory.settings, service.as_ref(), name, password).await? {
                    Outcome::Right(found) => (Some(found), Some(true)),
                    Outcome::Unknown => (None, None),
                    // Who they are is worth knowing still, where somebody can look.
                    Outcome::Wrong if directory.settings.bind_dn.is_some() => {
                        let found = oriel_directory::look_up(&directory.settings, service.as_ref(), name).await?;
                        (found, Some(false))
                    }
                    Outcome::Wrong => (None, Some(false)),
                }
            }
            None => (oriel_directory::look_up(&directory.settings, service.as_ref(), name).await?, None),
        };
        let Some(found) = found else {
            return Ok(DirectoryTest { found: None, password_right, groups: Vec::new(), role: None, refused: None });
        };
        let in_them = mapped(&directory.settings, &found);
        let mut groups = self.groups().await?;
        groups.retain(|group| in_them.get(&group.id) == Some(&true));
        let refused = match refusal(&directory.settings, &found) {
            Some(why) => Some(why.to_owned()),
            None => self.name_refusal(&directory, &found).await?,
        };
        Ok(DirectoryTest {
            role: role(&directory.settings, &found),
            found: Some(found),
            password_right,
            groups,
            refused,
        })
    }

    /// Who has this name and this password by some directory; `None` when none says so. `known` is who of ours has the name already.
    pub(crate) async fn prove_by_directory(
        &self,
        known: Option<&DirectoryPerson>,
        name: &str,
        password: &SecretString,
    ) -> Result<Option<User>, BrokerError> {
        let mut failed = None;
        let directories: Vec<_> = self.directories().await?.into_iter().filter(|one| one.enabled).collect();
        if directories.is_empty() {
            return Ok(None);
        }
        // Nobody in front of the door needs to know where directories are.
        let cannot = || {
            BrokerError::conflict(
                "directory_failed",
                "the directory that knows people here could not be asked",
                "try again in a moment; an administrator finds the reason in the log of `oriel serve`",
            )
        };
        let Ok(_asking) = self.inner.asking_directories.try_acquire() else { return Err(cannot()) };
        for directory in directories {
            if known.is_some_and(|person| person.directory != directory.id) {
                continue;
            }
            let service = self.service(&directory).await?;
            match oriel_directory::sign_in(&directory.settings, service.as_ref(), name, password).await {
                Ok(Outcome::Right(found)) => return self.settle(&directory, &found).await.map(Some),
                Ok(Outcome::Wrong) => return Ok(None),
                Ok(Outcome::Unknown) => {}
                Err(error) => {
                    tracing::error!(%error, directory = %directory.name, "A directory could not be asked");
                    failed = Some(());
                }
            }
        }
        if failed.is_some() { Err(cannot()) } else { Ok(None) }
    }

    /// Whose password is kept elsewhere has none here.
    pub(crate) async fn only_local_password(&self, user: UserId) -> Result<(), BrokerError> {
        if self.inner.store.provider_person(user).await?.is_some() {
            return Err(BrokerError::conflict(
                "provider_password",
                "this person signs in at a provider, and has no password here",
                "change it there",
            ));
        }
        if self.inner.store.directory_person(user).await?.is_none() {
            return Ok(());
        }
        Err(BrokerError::conflict(
            "directory_password",
            "this password is kept by a directory, not by Oriel",
            "change it there",
        ))
    }

    /// Makes true here what the directory says of somebody whose password was right; who that is here.
    async fn settle(&self, directory: &Directory, found: &Found) -> Result<User, BrokerError> {
        let store = &self.inner.store;
        let person = store.directory_person_by_external(directory.id, &found.external_id).await?;
        if let Some(why) = refusal(&directory.settings, found) {
            if let Some(person) = person {
                self.put_out(person.user, why).await?;
            }
            return Err(BrokerError::Forbidden { code: "not_let_in", text: why.to_owned() });
        }
        let user = match person {
            Some(person) => store.user(person.user).await?.ok_or_else(|| BrokerError::missing("user", person.user))?,
            None => self.make_of_directory(directory, found).await?,
        };
        if user.disabled {
            return Ok(user);
        }
        self.follow(directory, found, user).await
    }

    async fn make_of_directory(&self, directory: &Directory, found: &Found) -> Result<User, BrokerError> {
        crate::user::check_user_name(&found.name)?;
        let user = User {
            id: UserId::new(),
            name: found.name.clone(),
            role: role(&directory.settings, found).unwrap_or(Role::User),
            must_change_password: false,
            disabled: false,
            created: now(),
        };
        let of = person_of(directory, found, user.id);
        match self.inner.store.create_directory_user(&user, NO_HASH, &of).await {
            Ok(()) => {}
            Err(StoreError::Taken { what: "user", .. }) => return Err(taken(&found.name)),
            Err(StoreError::Taken { .. }) => {
                return Err(BrokerError::conflict(
                    "sign_in_again",
                    "you are signing in for the first time in two places at once",
                    "sign in once more",
                ));
            }
            Err(error) => return Err(error.into()),
        }
        tracing::info!(user = %user.name, directory = %directory.name, "User came from a directory");
        Ok(user)
    }

    /// Name, role and groups as the directory says.
    async fn follow(&self, directory: &Directory, found: &Found, user: User) -> Result<User, BrokerError> {
        let user = self.rename(user, &found.name).await?;
        self.inner.store.put_directory_person(&person_of(directory, found, user.id)).await?;
        self.make_true(user, role(&directory.settings, found), mapped(&directory.settings, found)).await
    }

    /// As where they come from calls them now, if that can be.
    pub(crate) async fn rename(&self, user: User, name: &str) -> Result<User, BrokerError> {
        if user.name == name || crate::user::check_user_name(name).is_err() {
            return Ok(user);
        }
        let renamed = User { name: name.to_owned(), ..user.clone() };
        match self.inner.store.update_user(&renamed).await {
            Ok(()) => Ok(renamed),
            Err(StoreError::Taken { .. }) => {
                tracing::warn!(user = %user.name, %name, "A new name of somebody is taken here: the old one stays");
                Ok(user)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Role and groups as where they come from says. Each failure that leaves the person themselves alone is told to the log only.
    pub(crate) async fn make_true(
        &self,
        mut user: User,
        role: Option<Role>,
        mapped: BTreeMap<GroupId, bool>,
    ) -> Result<User, BrokerError> {
        if let Some(role) = role
            && role != user.role
        {
            let change = crate::UserChange { role: Some(role), ..crate::UserChange::default() };
            match self.change_user(user.id, change).await {
                Ok((changed, _)) => user = changed,
                Err(BrokerError::Store(StoreError::LastAdmin)) => {
                    tracing::warn!(user = %user.name, "The last admin's role would be taken away by where they come from: it stays");
                }
                Err(error) => return Err(error),
            }
        }
        let is_in: BTreeSet<GroupId> = self.groups_of(user.id).await?.into_iter().map(|group| group.id).collect();
        for (group, belongs) in mapped {
            let done = match (belongs, is_in.contains(&group)) {
                (true, false) => self.add_member(group, user.id).await,
                (false, true) => self.remove_member(group, user.id).await,
                _ => Ok(()),
            };
            match done {
                // A group that was deleted here stays in the mapping until somebody takes it out.
                Ok(()) | Err(BrokerError::Missing { .. } | BrokerError::Store(StoreError::Missing { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(user)
    }

    /// The directory lets this person in no more: nothing of theirs stays open.
    async fn put_out(&self, user: UserId, why: &str) -> Result<(), BrokerError> {
        self.inner.store.set_directory_active(user, false).await?;
        self.inner.store.delete_web_sessions_of(user).await?;
        if let Some(sessions) = self.sessions() {
            sessions.end_user(user, why).await;
        }
        Ok(())
    }

    /// Looks again at everybody who comes from a directory that can be asked without them: how many, and how many were put out.
    pub(crate) async fn follow_directories(&self) -> Result<(usize, usize), BrokerError> {
        let (mut looked, mut out, mut failed) = (0, 0, None);
        for directory in self.directories().await? {
            if !directory.enabled || directory.settings.bind_dn.is_none() {
                continue;
            }
            let people = self.inner.store.directory_people(directory.id).await?;
            let ids: Vec<String> = people.iter().map(|person| person.external_id.clone()).collect();
            let service = self.service(&directory).await?;
            let found = match oriel_directory::look_again(&directory.settings, service.as_ref(), &ids).await {
                Ok(found) => found,
                // What cannot be asked says nothing of anybody.
                Err(error) => {
                    failed = Some(error);
                    continue;
                }
            };
            let found: HashMap<String, Result<Found, DirectoryError>> = found.into_iter().collect();
            for person in people {
                looked += 1;
                match found.get(&person.external_id) {
                    // Who is there and cannot be told about stays as they were.
                    Some(Err(error)) => failed = Some(error.clone()),
                    Some(Ok(found)) if refusal(&directory.settings, found).is_none() => {
                        if let Some(user) = self.inner.store.user(person.user).await? {
                            self.follow(&directory, found, user).await?;
                        }
                    }
                    _ if person.active => {
                        self.put_out(person.user, "your account is no longer in the directory, or is disabled there")
                            .await?;
                        out += 1;
                    }
                    _ => {}
                }
            }
        }
        match failed {
            Some(error) => Err(error.into()),
            None => Ok((looked, out)),
        }
    }

    async fn directory(&self, id: DirectoryId) -> Result<Directory, BrokerError> {
        self.inner.store.directory(id).await?.ok_or_else(|| BrokerError::missing("directory", id))
    }

    async fn check_directory(&self, directory: &Directory, has_password: bool) -> Result<(), BrokerError> {
        let bad = |text: String| BrokerError::invalid("bad_directory", text, "mend that, and send it again");
        directory.check().map_err(bad)?;
        if directory.settings.bind_dn.is_some() && !has_password {
            return Err(bad("a service account needs its password".to_owned()));
        }
        for mapping in &directory.settings.groups {
            self.find_group(&mapping.group.to_string()).await?;
        }
        Ok(())
    }

    fn seal_service(
        &self,
        directory: &Directory,
        password: Option<&SecretString>,
    ) -> Result<Option<String>, BrokerError> {
        let Some(password) = password.filter(|_| directory.settings.bind_dn.is_some()) else { return Ok(None) };
        if password.expose_secret().is_empty() {
            return Err(BrokerError::invalid("bad_directory", "the password is empty", "send the account's password"));
        }
        self.inner
            .vault
            .seal(password.expose_secret(), &context_of(directory.id))
            .map(Some)
            .map_err(|error| BrokerError::internal("sealing a directory's password", error))
    }

    async fn service(&self, directory: &Directory) -> Result<Option<SecretString>, BrokerError> {
        let Some(sealed) = self.inner.store.directory_secret(directory.id).await? else { return Ok(None) };
        self.inner
            .vault
            .open(&sealed, &context_of(directory.id))
            .map(Some)
            .map_err(|error| BrokerError::internal("opening a directory's password", error))
    }

    async fn name_refusal(&self, directory: &Directory, found: &Found) -> Result<Option<String>, BrokerError> {
        if let Err(error) = crate::user::check_user_name(&found.name) {
            return Ok(Some(error.to_string()));
        }
        let known = self.inner.store.directory_person_by_external(directory.id, &found.external_id).await?;
        let namesake = self.inner.store.user_by_name(&found.name).await?;
        let is_taken = known.is_none() && namesake.is_some();
        Ok(is_taken.then(|| taken(&found.name).to_string()))
    }
}

pub(crate) fn context_of(id: DirectoryId) -> String {
    format!("directory:{id}")
}

fn person_of(directory: &Directory, found: &Found, user: UserId) -> DirectoryPerson {
    DirectoryPerson {
        user,
        directory: directory.id,
        external_id: found.external_id.clone(),
        dn: found.dn.clone(),
        active: true,
        seen: now(),
    }
}

fn taken(name: &str) -> BrokerError {
    BrokerError::conflict(
        "name_taken_here",
        format!("an account named {name} is here already, and does not come from this directory"),
        "an administrator can delete that account, or make room by another name",
    )
}

/// Why somebody is not let in, whatever their password.
fn refusal(settings: &DirectorySettings, found: &Found) -> Option<&'static str> {
    if found.disabled {
        return Some("your account is disabled in the directory");
    }
    let in_one = || {
        mapped(settings, found).values().any(|belongs| *belongs)
            || settings.roles.iter().any(|one| found.is_in(&one.dn))
    };
    (settings.only_mapped && !in_one()).then_some("your account is in no group of the directory that may use Oriel")
}

/// Each group of ours that the directory decides about, and whether this person is in it.
fn mapped(settings: &DirectorySettings, found: &Found) -> BTreeMap<GroupId, bool> {
    let mut groups = BTreeMap::new();
    for mapping in &settings.groups {
        *groups.entry(mapping.group).or_insert(false) |= found.is_in(&mapping.dn);
    }
    groups
}

fn role(settings: &DirectorySettings, found: &Found) -> Option<Role> {
    if settings.roles.is_empty() {
        return None;
    }
    Some(settings.roles.iter().find(|one| found.is_in(&one.dn)).map_or(Role::User, |one| one.role))
}

/// Whether a password that was kept would go to somebody else.
fn goes_elsewhere(before: &DirectorySettings, after: &DirectorySettings) -> bool {
    let way = |of: &DirectorySettings| {
        (of.url.clone(), of.start_tls, of.plain, of.ca.clone(), of.pin.clone(), of.bind_dn.clone())
    };
    way(before) != way(after)
}
