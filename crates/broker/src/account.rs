//! Accounts of people on session hosts that Oriel makes: each person signs in as themselves, with a password for one stay that nobody is told.
//!
//! It is made when they have a place on a host that is up, and asked for once more each time that they come in; when the place is taken back it
//! is closed, and what runs in it ends ([`crate::reconcile`]). The host is told through the door and the key of its administrator. What
//! keeps one person out of another's account: the store, where a name of a host is one person's; the host, which knows whose each account is;
//! and that accounts which came with the host are never touched.

use crate::clock::now;
use crate::{Broker, BrokerError, GuestAccount};
use async_trait::async_trait;
use oriel_compute::BoxStream;
use oriel_machine::{
    AccountAnswer, AccountOrder, GuestIdentity, account_command, host_account_name, one_stay_password,
};
use oriel_model::{AccountState, Desktop, DesktopId, GuestPort, HostAccount, ImageOs, User, UserId};
use oriel_store::StoreError;
use secrecy::{ExposeSecret, SecretString};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

/// How long a host may take to carry an order out, others of the same host before it included.
const ORDER_SECONDS_MAX: u64 = 30;

/// Runs commands in guests. How that is done is another room's: the gateway's.
#[async_trait]
pub trait GuestCommands: Send + Sync {
    /// Runs one as the account that the guest's seed made, over a stream to its SSH door, where it must show the key that it was born with.
    /// `input` is all that the command reads. Answers what it wrote to its output. The error is a reason.
    async fn run(
        &self,
        stream: BoxStream,
        identity: &GuestIdentity,
        command: &str,
        input: SecretString,
    ) -> Result<Vec<u8>, String>;
}

/// Who tells hosts, and whose turn it is.
#[derive(Default)]
pub(crate) struct Orders {
    commands: OnceLock<Arc<dyn GuestCommands>>,
    /// One at a time for each host: an SSH server lets few wait at its door.
    turns: Mutex<HashMap<DesktopId, Arc<tokio::sync::Mutex<()>>>>,
}

impl Orders {
    fn turn(&self, host: DesktopId) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(turns.entry(host).or_default())
    }
}

impl Broker {
    /// Who runs commands in guests, once; until then people are asked for their passwords by session hosts themselves.
    pub fn set_guest_commands(&self, commands: Arc<dyn GuestCommands>) {
        self.inner.orders.commands.set(commands).ok();
    }

    /// The account with which somebody who has a place on a host of Oriel's own signs in there. `None` where the host asks for the password
    /// itself: it is no Linux, or has an account of theirs that is not of Oriel's making.
    ///
    /// Errors: conflicts `account_reserved`, `account_taken`, `host_silent`, `no_place`, each of which is kept for the person's card.
    pub(crate) async fn sign_on(&self, user: &User, host: &Desktop) -> Result<Option<GuestAccount>, BrokerError> {
        if self.inner.orders.commands.get().is_none() || !self.is_linux(host).await? {
            return Ok(None);
        }
        let identity = self.guest_identity(host).await?;
        let Some(name) = host_account_name(&user.name).filter(|name| *name != identity.user) else {
            return Err(self.refuse_account(user, host, reserved(user, host)).await?);
        };
        let (store, at, context) = (&self.inner.store, (host.id, host.generation), context_of(host.id, user.id));
        let fresh = one_stay_password();
        let sealed = self.inner.vault.seal(fresh.expose_secret(), &context);
        let sealed = sealed.map_err(|error| BrokerError::internal("sealing the password of an account", error))?;
        let account = match store.open_account(at, user.id, &name, &sealed, now()).await {
            Ok(Some(account)) => account,
            Ok(None) => {
                return Err(BrokerError::conflict(
                    "no_place",
                    format!("you have no place on {}, or no longer", host.name),
                    "get one of its pool first: then you are led to the host that has one",
                ));
            }
            Err(StoreError::Taken { .. }) => return Err(self.refuse_account(user, host, taken(&name, host)).await?),
            Err(error) => return Err(error.into()),
        };
        let sealed = account.sealed.as_deref().unwrap_or_default();
        let password = self.inner.vault.open(sealed, &context);
        let password =
            password.map_err(|error| BrokerError::internal("unsealing the password of an account", error))?;
        let refusal = match self.order(host, &identity, &account, Some(&password)).await {
            Ok(AccountAnswer::Ready) => {
                store.account_said(&account, Ok(AccountState::Ready), now()).await?;
                return Ok(Some(GuestAccount {
                    user: account.name,
                    password: Some(password),
                    ..GuestAccount::default()
                }));
            }
            Ok(AccountAnswer::Theirs) => {
                store.account_said(&account, Ok(AccountState::Theirs), now()).await?;
                return Ok(None);
            }
            Ok(AccountAnswer::System) => reserved(user, host),
            Ok(AccountAnswer::Others) => taken(&name, host),
            Ok(AccountAnswer::Older | AccountAnswer::Closed) => {
                silent(host, "another visit of yours has just begun or ended")
            }
            Err(reason) => silent(host, &reason),
        };
        store.account_said(&account, Err(&refusal.to_string()), now()).await?;
        Err(refusal)
    }

    /// Ends an account whose person has no place on its host any more. Answers whether the host has done it, or there was nothing to do.
    pub(crate) async fn close_account(&self, user: UserId, host: &Desktop) -> Result<bool, BrokerError> {
        let store = &self.inner.store;
        let Some(account) = store.close_account(host.id, user, now()).await? else { return Ok(true) };
        if account.name.is_none() {
            // It never got one there.
            store.account_said(&account, Ok(AccountState::Closed), now()).await?;
            return Ok(true);
        }
        let identity = self.guest_identity(host).await?;
        let said = match self.order(host, &identity, &account, None).await {
            // A later order is for whoever gave it.
            Ok(AccountAnswer::Older) => return Ok(true),
            Ok(_) => Ok(AccountState::Closed),
            Err(reason) => Err(reason),
        };
        store.account_said(&account, said.as_ref().copied().map_err(String::as_str), now()).await?;
        match said {
            Ok(_) => {
                tracing::info!(host = %host.name, account = account.name.as_deref(), "Account closed");
                Ok(true)
            }
            Err(reason) => {
                tracing::warn!(host = %host.name, account = account.name.as_deref(), reason, "An account could not be closed");
                Ok(false)
            }
        }
    }

    /// What is in the way of somebody's sessions on hosts on which they have a place: sentences for them.
    pub async fn sign_on_problems(&self, user: &User) -> Result<HashMap<DesktopId, String>, BrokerError> {
        let accounts = self.inner.store.accounts_of(user.id).await?.into_iter();
        let open = accounts.filter(|one| !matches!(one.state, AccountState::Closing | AccountState::Closed));
        Ok(open.filter_map(|one| Some((one.host, one.problem?))).collect())
    }

    async fn is_linux(&self, host: &Desktop) -> Result<bool, BrokerError> {
        let image = match host.facts.image {
            Some(image) => Some(image),
            None => self.inner.store.pool(host.pool).await?.and_then(|pool| pool.image),
        };
        let Some(image) = image else { return Ok(false) };
        Ok(self.inner.store.image(image).await?.is_some_and(|image| image.os == ImageOs::Linux))
    }

    async fn refuse_account(
        &self,
        user: &User,
        host: &Desktop,
        refusal: BrokerError,
    ) -> Result<BrokerError, BrokerError> {
        let at = (host.id, host.generation);
        self.inner.store.refuse_account(at, user.id, &refusal.to_string(), now()).await?;
        Ok(refusal)
    }

    /// Has the host carry out what was written down. The error is a reason.
    async fn order(
        &self,
        host: &Desktop,
        identity: &GuestIdentity,
        account: &HostAccount,
        password: Option<&SecretString>,
    ) -> Result<AccountAnswer, String> {
        let Some(commands) = self.inner.orders.commands.get() else { return Err("nobody here can tell it".to_owned()) };
        let order = AccountOrder {
            number: account.number,
            name: account.name.as_deref().unwrap_or_default(),
            person: account.user.to_string(),
            password,
        };
        let input = order.input().map_err(|error| error.to_string())?;
        let turn = self.inner.orders.turn(host.id);
        let told = async {
            let _turn = turn.lock().await;
            let compute = self.host_of(host).await.map_err(|error| error.to_string())?;
            let stream = compute.dial(host, GuestPort::Ssh).await.map_err(|error| error.to_string())?;
            commands.run(stream, identity, &account_command(), input).await
        };
        let output = tokio::time::timeout(Duration::from_secs(ORDER_SECONDS_MAX), told)
            .await
            .unwrap_or_else(|_| Err(format!("it did not answer within {ORDER_SECONDS_MAX} s")))?;
        AccountAnswer::read(&output)
            .ok_or_else(|| "it could not make or close an account, and its journal says why".to_owned())
    }
}

/// What an account's password is sealed for: its row, so that rows cannot be exchanged.
pub(crate) fn context_of(host: DesktopId, user: UserId) -> String {
    format!("account:{host}/{user}")
}

fn reserved(user: &User, host: &Desktop) -> BrokerError {
    BrokerError::conflict(
        "account_reserved",
        format!(
            "{} has an account of its own that is called as {} would be, so they cannot be signed in there; an administrator can make them a person of another name",
            host.name, user.name
        ),
        "ask an administrator for another name in Oriel",
    )
}

fn taken(name: &str, host: &Desktop) -> BrokerError {
    BrokerError::conflict(
        "account_taken",
        format!(
            "the account {name} on {} is another person's, whose name comes to the same there; until one of you is called otherwise, or the host is made anew, you cannot be signed in",
            host.name
        ),
        format!("ask an administrator, who can have the host made anew: oriel desktop drain {}", host.name),
    )
}

fn silent(host: &Desktop, reason: &str) -> BrokerError {
    BrokerError::conflict(
        "host_silent",
        format!(
            "{} did not open an account for you: {}; try again in a moment, and tell an administrator when it stays so",
            host.name,
            reason.chars().take(200).collect::<String>()
        ),
        format!("an administrator can have the host made anew: oriel desktop drain {}", host.name),
    )
}
